"""What does a configuration file say, and what is wrong with it, everything at once?

No plugin is looked for here: see `catalog.py`. `settings.py` has the values; this door of both is what others import.
"""

from __future__ import annotations

import logging
import os
import re
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from rookery.protocol import CannotEncode, encode_value, is_plugin_id, is_shard_name
from rookery.sharding import Policy

from .config_groups import read_groups
from .config_routes import GatewaySettings, read_chat_policy, read_routes
from .config_table import Notes, as_written, join, read_table
from .errors import ConfigError, Mistake
from .fetch.settings import FetchSettings, laid_over
from .grant_settings import LevelGrants
from .isolation_settings import UID_FORM, uids_of
from .llm.config import read_llm
from .ranges import Each, Form
from .render.settings import RenderSettings
from .sdk_windows import EMULATED_HOST
from .settings import (
    NAME_FORM,
    PLUGIN_FORM,
    PREFIX_FORM,
    TRUST_FORM,
    OnUnavailable,
    PipelineSettings,
    PlacementSettings,
    PluginSettings,
    Settings,
    ShardSettings,
    ShardTimeouts,
)
from .start_mode import StartMode
from .state_directory import CONFIG_NAME, CONTROL_SOCKET, default_name, locate_config, state_dir_of

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "OnUnavailable",
    "PipelineSettings",
    "PlacementSettings",
    "PluginSettings",
    "ReadConfig",
    "Settings",
    "ShardSettings",
    "ShardTimeouts",
    "load_settings",
    "read_config",
]

T = TypeVar("T")

MAX_SOCKET_PATH = 107
"""Bytes in the path of a Unix socket on Linux: 108 with the final zero."""

_SECTIONS = (
    "rookery",
    "placement",
    "group",
    "shard",
    "plugins",
    "grants",
    "pipeline",
    "bot",
    "gateways",
    "route",
    "llm",
    "render",
    "fetch",
)
_POLICIES_WITH_SHARDS = (Policy.PACK, Policy.SPREAD, Policy.TRUST)
_TOML_PLACE = re.compile(r"(.*) \(at (line \d+, column \d+|end of document)\)", re.DOTALL)


class _LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _is_path(text: str) -> bool:
    if not text.strip() or "\0" in text:
        return False
    try:
        Path(text).expanduser()
    except RuntimeError:  # ~somebody, whom the system does not know
        return False
    return True


VERSION_FORM = Form(lambda text: bool(re.fullmatch(r"\d+\.\d+\.\d+", text)), "a version such as 1.2.1")
PATH_FORM = Form(_is_path, "a path; a ~ in front is somebody's home")


@attrs.frozen(kw_only=True)
class _Rookery:
    """The section [rookery] as it stands in the file."""

    name: str | None = attrs.field(default=None, validator=attrs.validators.optional(NAME_FORM))
    state_dir: str | None = attrs.field(default=None, validator=attrs.validators.optional(PATH_FORM))
    plugin_dirs: tuple[str, ...] = attrs.field(default=(), validator=Each(PATH_FORM))
    bundled: tuple[str, ...] = attrs.field(default=(), validator=Each(PLUGIN_FORM))
    command_prefix: str = attrs.field(default="!", validator=PREFIX_FORM)
    log_level: _LogLevel = _LogLevel.INFO
    start: StartMode = StartMode.AUTO
    sdk_host_version: str = attrs.field(default=EMULATED_HOST, validator=VERSION_FORM)
    uid_range: str | None = attrs.field(default=None, validator=attrs.validators.optional(UID_FORM))


@attrs.frozen
class ReadConfig:
    """A file that could be parsed."""

    settings: Settings
    """With the defaults in the place of what is wrong."""
    mistakes: tuple[Mistake, ...]


def load_settings(path: Path, *, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read a configuration file.

    Args:
        path: The file, or the directory that has it under the name rookery.toml.
        environ: Where the user keeps state: `XDG_STATE_HOME`, else `HOME`.

    Raises:
        ConfigError: With every mistake in the file.
    """
    read = read_config(path, environ=environ)
    if read.mistakes:
        raise ConfigError(read.mistakes)
    return read.settings


def read_config(path: Path, *, environ: Mapping[str, str] = os.environ) -> ReadConfig:
    """Read a configuration file as far as it makes sense; arguments as for `load_settings`.

    Raises:
        ConfigError: The file is not there or is no TOML.
    """
    path = locate_config(path)
    notes = Notes(str(path))
    document = _parse(path)
    notes.check_keys(document, _SECTIONS, "")
    rookery = _read_section(_Rookery, document, "rookery", notes)
    placement = _read_section(PlacementSettings, document, "placement", notes)
    _check_placement(placement, notes)
    fetch = _read_section(FetchSettings, document, "fetch", notes)
    shards = _read_shards(document.get("shard", []), notes)
    settings = Settings(
        path=path,
        name=_name(path, rookery),
        state_dir=_state_dir(path, rookery, environ, notes),
        plugin_dirs=tuple(dict.fromkeys(_absolute(path, text) for text in rookery.plugin_dirs)),
        bundled=rookery.bundled,
        command_prefix=rookery.command_prefix,
        log_level=logging.getLevelNamesMapping()[rookery.log_level.upper()],
        start=rookery.start,
        sdk_host_version=rookery.sdk_host_version,
        uids=uids_of(rookery.uid_range),
        placement=placement,
        groups=read_groups(document.get("group", []), shards, notes),
        shards=shards,
        plugins=_read_plugins(document.get("plugins", {}), fetch, notes),
        levels=_read_levels(document.get("grants", {}), notes),
        pipeline=_read_section(PipelineSettings, document, "pipeline", notes),
        llm=read_llm(document.get("llm", {}), notes),
        render=_read_section(RenderSettings, document, "render", notes),
        fetch=fetch,
        routes=read_routes(document.get("route", []), notes),
        chat_policy=read_chat_policy(
            path, _read_section(GatewaySettings, document, "gateways", notes), notes
        ),
        bot=_read_bot(document.get("bot", {}), notes),
    )
    return ReadConfig(settings, tuple(notes.mistakes))


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        advice = f"give the path of a file, or of a directory with a {CONFIG_NAME}"
        mistake = Mistake(file=str(path), key="", given="there is no such file", advice=advice)
    except OSError as error:
        mistake = Mistake(file=str(path), key="", given=f"it cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        mistake = Mistake(
            file=str(path), key=f"line {line}", given="bytes that are not UTF-8", expected="text in UTF-8"
        )
    except tomllib.TOMLDecodeError as error:
        found = _TOML_PLACE.fullmatch(str(error))
        text, place = (found[1], found[2]) if found else (str(error), "")
        mistake = Mistake(file=str(path), key=place, given=f"this is not TOML: {text}")
    except RecursionError:
        mistake = Mistake(file=str(path), key="", given="lists or tables nest too deeply to be read")
    raise ConfigError([mistake])


def _read_section(cls: type[T], document: Mapping[str, object], key: str, notes: Notes) -> T:
    return read_table(cls, document.get(key, {}), key, notes) or cls()


def _check_placement(placement: PlacementSettings, notes: Notes) -> None:
    if not placement.shards or placement.policy in _POLICIES_WITH_SHARDS:
        return
    told = f"{placement.shards} with policy '{placement.policy}', which uses no shards of that kind"
    advice = f"set policy to one of {', '.join(repr(str(policy)) for policy in _POLICIES_WITH_SHARDS)}"
    notes.add("placement.shards", told, advice=advice)


def _read_shards(tables: object, notes: Notes) -> tuple[ShardSettings, ...]:
    if type(tables) is not list:
        advice = "write [[shard]], with two brackets" if type(tables) is dict else ""
        notes.add("shard", as_written(tables), "a section [[shard]] for each shard", advice)
        return ()
    shards: dict[str, ShardSettings] = {}
    for index, table in enumerate(tables):
        path = _shard_path(index, table)
        shard = read_table(ShardSettings, table, path, notes)
        if shard is None:
            continue
        if shard.name in shards:
            notes.add(path, f"a second [[shard]] with the name {shard.name!r}", "a name of its own for each")
            continue
        shards[shard.name] = _with_files(shard, path, notes)
    with_terminal = [shard.name for shard in shards.values() if shard.terminal]
    for name in with_terminal[1:]:
        told = f"true, and shard {with_terminal[0]!r} has the terminal already"
        notes.add(f"shard.{name}.terminal", told, "true for one shard at most")
    return tuple(shards.values())


def _with_files(shard: ShardSettings, key: str, notes: Notes) -> ShardSettings:
    """The same with whole paths; what is not there is noted."""
    told = {"python": shard.python, "requirements": shard.requirements}
    files = {
        name: _absolute(Path(notes.file), text)
        for name, text in told.items()
        if text is not None and _is_path(text)
    }
    for name, path in files.items():
        if not path.is_file():
            notes.add(f"{key}.{name}", f"{told[name]!r}, and there is no such file")
    if shard.runner_directory is not None and _is_path(shard.runner_directory):
        place = files["runner_directory"] = _absolute(Path(notes.file), shard.runner_directory)
        if not place.is_dir():
            notes.add(
                f"{key}.runner_directory", f"{shard.runner_directory!r}, and there is no such directory"
            )
    whole: dict[str, Any] = {name: str(path) for name, path in files.items()}
    whole["plugin_dirs"] = tuple(
        dict.fromkeys(
            str(_absolute(Path(notes.file), text)) if _is_path(text) else text for text in shard.plugin_dirs
        )
    )
    return attrs.evolve(shard, **whole)


def _shard_path(index: int, table: object) -> str:
    """By its name, where it has one: nobody counts sections."""
    name = table.get("name") if type(table) is dict else None
    return join("shard", name) if type(name) is str and is_shard_name(name) else f"shard[{index}]"


def _read_plugins(tables: object, fetch: FetchSettings, notes: Notes) -> dict[str, PluginSettings]:
    if type(tables) is not dict:
        notes.add("plugins", as_written(tables), 'a section [plugins."ID"] for each plugin')
        return {}
    plugins = {}
    for plugin_id, table in tables.items():
        path = f'plugins."{plugin_id}"'
        if not is_plugin_id(plugin_id):
            notes.add(path, "a section for no plugin", PLUGIN_FORM.expected, _quoting(plugin_id, table))
        elif (plugin := read_table(PluginSettings, table, path, notes)) is not None:
            if plugin.fetch is not None:
                plugin = attrs.evolve(plugin, fetch=laid_over(fetch, plugin.fetch, table["fetch"]))
            plugins[plugin_id] = plugin
            _check_sendable(plugin.config, join(path, "config"), notes)
    return plugins


def _read_levels(tables: object, notes: Notes) -> dict[str, LevelGrants]:
    if type(tables) is not dict:
        notes.add("grants", as_written(tables), "a section [grants.LEVEL] for each trust level")
        return {}
    levels = {}
    for name, table in tables.items():
        path = join("grants", name)
        if not TRUST_FORM.accepts(name):
            notes.add(path, "a section for no trust level", TRUST_FORM.expected)
        elif (granted := read_table(LevelGrants, table, path, notes)) is not None:
            levels[name] = granted
    return levels


def _read_bot(table: object, notes: Notes) -> Mapping[str, Any]:
    if type(table) is not dict:
        notes.add("bot", as_written(table), "a section [bot]")
        return {}
    _check_sendable(table, "bot", notes)
    return table


def _check_sendable(table: Mapping[str, Any], path: str, notes: Notes) -> None:
    """A runner gets it over the wire."""
    try:
        encode_value(dict(table))
    except CannotEncode as error:
        notes.add(path, f"something that cannot be sent to a runner: {error}")


def _quoting(word: str, table: object) -> str:
    """[plugins.chatbot.dice] is a table `dice` in a table `chatbot`."""
    inner = (
        next((key for key, value in table.items() if type(value) is dict), None)
        if type(table) is dict
        else None
    )
    return "" if inner is None else f'write the id in quotes: [plugins."{word}.{inner}"]'


def _absolute(config: Path, text: str) -> Path:
    return Path(os.path.abspath(config.parent / Path(text).expanduser()))


def _name(path: Path, rookery: _Rookery) -> str:
    name = rookery.name or default_name(path)
    return name if NAME_FORM.accepts(name) else "rookery"  # a directory may be called what a name may not


def _state_dir(path: Path, rookery: _Rookery, environ: Mapping[str, str], notes: Notes) -> Path:
    state_dir = state_dir_of(path, rookery.name or default_name(path), rookery.state_dir, environ)
    size = len(os.fsencode(state_dir / CONTROL_SOCKET))
    if size > MAX_SOCKET_PATH:
        notes.add(
            "rookery.state_dir",
            f"a path of {size} bytes for the control socket, {state_dir / CONTROL_SOCKET}",
            f"at most {MAX_SOCKET_PATH} bytes, the most that a Unix socket may have",
            "set rookery.state_dir to a shorter path",
        )
    return state_dir
