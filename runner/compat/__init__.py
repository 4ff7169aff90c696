"""Plugins that are written with the public ``maibot-plugin-sdk``, run as they are."""
