"""How does a plugin's own configuration file come and go: read, merged under the deployment's, written anew for a newer
version of the plugin?

A file that cannot be read is an error. It is never replaced by defaults: a forgotten quote would otherwise silently
switch a word filter off.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from rookery.protocol import CONFIG_NAME

from .configuration import VERSION_KEY
from .errors import ConfigMistake, PluginConfigError
from .whole_file import replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .configuration import PluginConfig

SWITCH_TABLE, SWITCH = "plugin", "enabled"
"""``enabled = false`` in the table ``[plugin]`` of a plugin's own file switches it off."""

OFF_WORDS = frozenset({"0", "false", "no", "off"})
ON_WORDS = frozenset({"1", "true", "yes", "on"})

_PLACE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")


def read_config_file(path: Path) -> dict[str, Any]:
    """The values in a plugin's own file; none when there is no file.

    Raises:
        PluginConfigError: The file is broken; the mistake names it with line and column.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _broken(f"{path}", f"cannot be read: {error.strerror}") from None
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise _broken(f"{path}, line {line}, column {column}", "is not UTF-8; save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise _broken(*_place(path, str(error), data)) from None
    except RecursionError:
        raise _broken(f"{path}", "nests too deep") from None


def merge_values(own: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """The plugin's own values under those of the deployment: tables are merged, everything else is replaced."""
    merged = dict(own)
    for key, value in over.items():
        before = merged.get(key)
        merged[key] = (
            merge_values(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
        )
    return merged


def read_config(directory: Path, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """What holds for a plugin: its own ``config.toml`` and the deployment's values over it.

    Raises:
        PluginConfigError: The file is broken.
    """
    return merge_values(read_config_file(directory / CONFIG_NAME), overrides)


def take_switch(values: Mapping[str, Any], *, is_own: bool) -> tuple[dict[str, Any], bool]:
    """The values without the table ``[plugin]`` that belongs to this runner, and whether it leaves the plugin switched on.

    Args:
        is_own: Whether the plugin has a setting of this name itself; then the table is its own, and only looked into.

    Raises:
        PluginConfigError: The table says what nobody reads.
    """
    table = values.get(SWITCH_TABLE)
    if not isinstance(table, dict):
        return dict(values), True
    is_enabled = is_switched_on(table.get(SWITCH, True))
    if is_own:
        return dict(values), is_enabled
    strangers = [name for name in table if name not in (SWITCH, VERSION_KEY)]
    if strangers:
        expected = f"is not known: this table has nothing but {SWITCH}"
        raise PluginConfigError([ConfigMistake(f"{SWITCH_TABLE}.{name}", expected) for name in strangers])
    return {name: value for name, value in values.items() if name != SWITCH_TABLE}, is_enabled


def is_switched_on(value: object) -> bool:
    """What a value for ``enabled`` means: the words that original plugins use for it too."""
    if isinstance(value, str):
        text = value.strip().casefold()
        return text in ON_WORDS or (text not in OFF_WORDS and bool(text))
    return bool(value)


def upgrade_file(path: Path, config_class: type[PluginConfig]) -> bool:
    """Have an older file say what this version of the plugin reads; False when it is not older, or not there.

    Raises:
        PluginConfigError: The file is broken, and stays.
        OSError: It cannot be written; the old one stays.
    """
    values = read_config_file(path)
    version = values.pop(VERSION_KEY, config_class.config_version)
    if not values or type(version) is not int or version >= config_class.config_version:
        return False
    from .config_upgrade import upgraded_text  # a twentieth of a second that most runners do not need

    is_ours = SWITCH_TABLE in values and SWITCH_TABLE not in config_class.settings
    switch = {SWITCH_TABLE: values.pop(SWITCH_TABLE)} if is_ours else {}
    upgraded = config_class.upgrade(dict(values), version)
    text = upgraded_text(path.read_text("utf-8-sig"), {**upgraded, **switch}, config_class.config_version)
    replace_file(path, text)
    return True


def with_sources(
    error: PluginConfigError, *, path: Path | None, overrides: Mapping[str, Any], plugin_id: str
) -> PluginConfigError:
    """The same mistakes, each with the place that says it: the plugin's own file or the deployment's."""
    deployment = f'[plugins."{plugin_id}".config] of the deployment'
    own = str(path) if path is not None and path.exists() else ""
    return PluginConfigError(
        [
            ConfigMistake(
                mistake.key,
                mistake.message,
                mistake.source or (deployment if _has(overrides, mistake.key) or not own else own),
            )
            for mistake in error.mistakes
        ]
    )


def _place(path: Path, text: str, data: bytes) -> tuple[str, str]:
    found = _PLACE.search(text)
    message = _PLACE.sub("", text)
    if found is None:
        return str(path), message
    if found[1]:
        return f"{path}, line {found[1]}, column {found[2]}", message
    line = data.count(b"\n") + 1
    column = len(data) - data.rfind(b"\n")
    return f"{path}, line {line}, column {column}", f"{message} at the end of the file"


def _broken(place: str, message: str) -> PluginConfigError:
    return PluginConfigError([ConfigMistake("", message, place)])


def _has(values: Mapping[str, Any], key: str) -> bool:
    here: Any = values
    for part in re.split(r"[.\[]", key):
        if not isinstance(here, dict) or part not in here:
            return False
        here = here[part]
        if not isinstance(here, dict):
            return True
    return True
