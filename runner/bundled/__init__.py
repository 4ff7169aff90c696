"""Gateway plugins that ship with rookery, one package each."""
