"""A deployment on disk, as small as a test needs it: a configuration and plugins."""

from __future__ import annotations

import json
from pathlib import Path

from rookery.supervisor.catalog import Catalog, find_plugins
from rookery.supervisor.config import Settings, load_settings

ENVIRON = {"XDG_STATE_HOME": "/state"}


def write_config(directory: Path, text: str) -> Path:
    """Write a rookery.toml."""
    path = directory / "rookery.toml"
    path.write_text(text)
    return path


def write_plugin(
    directory: Path,
    plugin_id: str,
    *,
    version: str = "1.0.0",
    code: str = "x = 1\n",
    folder: str | None = None,
    **keys: object,
) -> Path:
    """Write a plugin below `plugins`; the keys go into its manifest."""
    path = directory / "plugins" / (folder or plugin_id)
    path.mkdir(parents=True)
    manifest = {"id": plugin_id, "version": version, **keys}
    lines = [f"{key} = {json.dumps(value)}" for key, value in manifest.items()]
    (path / "plugin.toml").write_text("\n".join(["[plugin]", *lines, ""]))
    (path / "plugin.py").write_text(code)
    return path


def load(directory: Path, text: str) -> tuple[Settings, Catalog]:
    """Write a configuration that has `plugins` as its directory, load it and look for its plugins."""
    (directory / "plugins").mkdir(exist_ok=True)
    config = write_config(directory, f'rookery.plugin_dirs = ["plugins"]\n{text}')
    settings = load_settings(config, environ=ENVIRON)
    return settings, find_plugins(settings)
