"""The plugin that `rookery bench` calls; its host copies it, so that no deployment can name it."""
