"""What do host and runner tell each other before anything else: hello, its answer, the assignment."""

from __future__ import annotations

from typing import Any

import attrs

from ..limits import MAX_CONTAINERS, MAX_FRAME_BYTES


@attrs.frozen(kw_only=True)
class Hello:
    """``runner.hello``, the first frame of a connection."""

    runner_id: str
    """A fresh UUID4 text for each process."""
    sdk_version: str
    """The version of the plugin SDK that the runner offers to its plugins."""
    session_token: str
    """The token that proves the right to connect; "" over an inherited socket, where possession is the proof."""
    features: list[str] = attrs.Factory(list)
    """What this runner can do beyond protocol 1.0.0; original peers ignore the field."""
    pid: int = 0
    """The process id as the runner sees it; 0 when it does not say."""


@attrs.frozen(kw_only=True)
class AssignedPlugin:
    """One plugin that a runner is told to load."""

    plugin_id: str
    path: str = ""
    """The plugin's directory; "" for a plugin that comes from an entry point."""
    config: dict[str, Any] = attrs.Factory(dict)
    """What the deployment's file says over the plugin's own ``config.toml``."""
    data_dir: str = ""
    """Where the plugin may keep files."""
    enabled: bool = True


@attrs.frozen(kw_only=True)
class Assignment:
    """What a runner hosts, told inside the hello's answer. A host of the original kind sends none."""

    shard: str
    incarnation: int
    plugins: list[AssignedPlugin] = attrs.Factory(list)
    external_plugins: dict[str, str] = attrs.Factory(dict)
    """Plugins of other shards that dependencies may count on: id to version."""
    blocked: dict[str, str] = attrs.Factory(dict)
    """Plugins of this shard that must not be loaded now: id to the reason to report."""
    plugin_load_timeout: float = 20.0
    """Seconds that importing one plugin, and then its ``on_load``, may take."""
    thread_limit: int = 8
    """Plain functions that may run at once."""
    terminal: dict[str, int] = attrs.Factory(dict)
    """``stdin`` and ``stdout`` as inherited descriptor numbers, in the shard that has the terminal."""
    command_prefix: str = "!"
    log_level: int = 20
    without: list[str] = attrs.Factory(list)
    """Shortcuts that the runner goes without; see ``shortcuts.py``."""
    max_frame_bytes: int = MAX_FRAME_BYTES
    """Of a frame that the host takes from this runner, so that a result which is too large is the plugin's mistake and not the
    runner's end."""
    max_containers: int = MAX_CONTAINERS
    """Maps, lists and extensions in it."""


@attrs.frozen(kw_only=True)
class HelloAnswer:
    """The host's answer; ``accepted`` false ends the runner."""

    accepted: bool
    host_version: str = ""
    reason: str = ""
    features: list[str] = attrs.Factory(list)
    """Those of the runner's features that the host will use."""
    assignment: Assignment | None = None
