"""The process that loads plugins and runs their components, and the authors' API."""
