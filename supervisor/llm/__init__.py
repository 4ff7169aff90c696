"""Language models: which are configured, and how are they asked?

settings, config: what an operator says of them · models: one question to one task · conversation: questions and answers in
the host's own words · openai: the same in the words of an OpenAI-compatible endpoint · http: how that is asked ·
plugin_provider: a plugin is asked instead · failure: what can go wrong.
"""
