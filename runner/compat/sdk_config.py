"""How does the configuration file of a plugin of the SDK become what the plugin is given: defaults, version, normalising?

A file that cannot be read keeps its plugin from being loaded: the original took it for an empty one, and a forgotten quote
then switched everything to its default. It is written only where there was none, or where its version was older.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..config_file import merge_values, read_config_file
from ..config_upgrade import rewritten_text
from ..errors import ConfigMistake, PluginConfigError
from ..whole_file import replace_file

if TYPE_CHECKING:
    from pathlib import Path

    from rookery.protocol import Manifest

SECTION, VERSION = "plugin", "config_version"


class SdkConfig:
    """The configuration of one plugin of the SDK.

    Args:
        instance: The plugin; its own code is called.
        path: Its file, which need not be there; ``None`` where the plugin has no directory.
    """

    def __init__(self, instance: Any, manifest: Manifest, path: Path | None) -> None:
        self._instance = instance
        self._manifest = manifest
        self._path = path

    def default(self) -> dict[str, Any]:
        """What holds without a file; nothing for a plugin that has no model."""
        found: Any = getattr(self._instance, "get_default_config", dict)()
        return dict(found) if isinstance(found, Mapping) else {}

    def schema(self) -> dict[str, Any]:
        """For an editor, in the SDK's own form."""
        get = getattr(self._instance, "get_webui_config_schema", None)
        if not callable(get):
            return {}
        manifest = self._manifest
        found = get(
            plugin_id=manifest.plugin_id,
            plugin_name=manifest.name,
            plugin_version=manifest.version,
            plugin_description=manifest.description,
            plugin_author=manifest.author,
        )
        return dict(found) if isinstance(found, Mapping) else {}

    def check(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What the plugin is given for these values, of its file and the deployment together.

        Raises:
            PluginConfigError: They have no version although the plugin's own defaults have one.
        """
        default = self.default()
        if default:
            values = self._newest(default, values)
        normalize = getattr(self._instance, "normalize_plugin_config", None)
        return dict(normalize(dict(values))[0]) if callable(normalize) else dict(values)

    def make_file(self) -> bool:
        """Have a file that says what this version reads, where there is none; whether it was made.

        Raises:
            OSError: It cannot be written.
        """
        if self._path is None or not self.default() or self._path.exists():
            return False
        replace_file(self._path, rewritten_text("", self.check({})))
        return True

    def upgrade_file(self) -> bool:
        """Have an older file say what this version reads; False when it is not older, or not there.

        Raises:
            PluginConfigError: The file is broken, and stays.
            OSError: It cannot be written; the old one stays.
        """
        default = self.default()
        if self._path is None or not default:
            return False
        own = read_config_file(self._path)
        if not own or _numbers(_version_of(own)) >= _numbers(_version_of(default)):
            return False
        replace_file(self._path, rewritten_text(self._path.read_text("utf-8-sig"), self.check(own)))
        return True

    def _newest(self, default: dict[str, Any], values: Mapping[str, Any]) -> Mapping[str, Any]:
        newest = _version_of(default)
        if not newest:
            raise _mistake(f"{SECTION}.{VERSION}", "the plugin's own defaults must have it")
        version = _version_of(values)
        if version:
            return overlay(default, values) if _numbers(version) < _numbers(newest) else values
        if self._path is not None and read_config_file(self._path):
            text = f'is missing; write [{SECTION}] {VERSION} = "{newest}"'
            raise _mistake(f"{SECTION}.{VERSION}", text, str(self._path))
        return merge_values(default, values)


def overlay(skeleton: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """The newer defaults with what the older file said wherever that still fits; the version stays the newer one."""
    result: dict[str, Any] = {}
    for key, default in skeleton.items():
        result[key] = default
        if key == VERSION or key not in old:
            continue
        value = old[key]
        if isinstance(default, Mapping) and isinstance(value, Mapping):
            result[key] = overlay(default, value)
        elif _fits(default, value):
            result[key] = value
    return result


def _fits(default: Any, value: Any) -> bool:
    if default is None:
        return True
    if isinstance(default, float) and not isinstance(default, bool):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return type(value) is type(default)


def _version_of(values: Mapping[str, Any]) -> str:
    section = values.get(SECTION)
    return str(section.get(VERSION) or "").strip() if isinstance(section, Mapping) else ""


def _numbers(version: str) -> list[int]:
    return [int(found[0]) if (found := re.match(r"\d+", part)) else 0 for part in version.split(".")]


def _mistake(key: str, text: str, source: str = "") -> PluginConfigError:
    return PluginConfigError([ConfigMistake(key, text, source)])
