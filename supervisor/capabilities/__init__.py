"""The host services that plugins may use, a file a family."""
