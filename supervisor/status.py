"""What is the state of a deployment, as a value that people and programs can read?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from .breaker import OpenCircuit
from .connection_status import ConnectionStatus
from .log_file import LogState
from .platform.platform_status import PlatformStatus


@attrs.frozen(kw_only=True)
class ShardStatus:
    """One shard at one moment."""

    name: str
    incarnation: int
    """Of its runner; 0 before the first."""
    pid: int | None
    state: str
    since: float
    """Seconds in this state."""
    reason: str
    """Why it is in that state."""
    restarts: int
    plugins: tuple[str, ...]
    """Those that are loaded; before the first load those that are planned."""
    failed_plugins: Mapping[str, str]
    """Plugin id to the reason why it is not loaded."""
    queue: int
    """Calls that wait."""
    in_flight: int
    """Calls that its runner works on."""
    trust: str
    last_exit: str | None
    """What the last runner died of, in a line."""
    next_start: float | None
    """Seconds until the next runner starts; ``None`` when none is awaited."""
    group: str = "plugins"
    significance: str = "optional"
    failures: int = 0
    """Unplanned ends in a row."""
    flaps: int = 0
    """How often its runners were suspect and showed life again, since the host's start."""
    counted: int = 0
    """Unplanned ends that count for giving up, of the longer window."""
    rss: int = 0
    """Resident memory of the runner in bytes; 0 while it is not known."""
    lost: tuple[int, ...] = ()
    """Processes of earlier runners that the kernel has not let go."""
    isolation: str = "process"
    """The profile that its latest runner has; "none" where it was refused one."""
    mechanisms: tuple[str, ...] = ()
    """What keeps it in."""
    is_weaker: bool = False
    """The operator has allowed less than what is asked for, and this is less."""
    runner: tuple[str, ...] = ()
    """The command of its runners, where they are of the original kind; empty for rookery's own."""
    dropped_lines: int = 0
    """Lines of its log that were dropped because it wrote too much at once, since the host's start."""
    connection: ConnectionStatus = attrs.field(factory=ConnectionStatus)
    """What passes between it and the host, and what it is held to."""


@attrs.frozen(kw_only=True)
class QuarantineStatus:
    """A plugin that is kept out."""

    plugin_id: str
    shard: str
    left: float
    """Seconds."""
    reason: str


@attrs.frozen(kw_only=True)
class GatewayStatus:
    plugin_id: str
    gateway: str
    platform: str
    account_id: str | None
    scope: str | None


@attrs.frozen(kw_only=True)
class Status:
    """A deployment at one moment."""

    name: str
    pid: int
    version: str
    config: str
    """The path of its configuration."""
    started_at: float
    """Unix seconds."""
    uptime: float
    """Seconds."""
    state: str
    """``starting``, ``running``, ``degraded`` (a shard is not ready) or ``stopping``."""
    shards: tuple[ShardStatus, ...]
    gateways: tuple[GatewayStatus, ...]
    counters: Mapping[str, Any]
    quarantine: tuple[QuarantineStatus, ...]
    dead_letters: int
    """Those that were made since the start."""
    logs: LogState
    """How the host's log file is."""
    shadowed_commands: tuple[str, ...]
    """Commands that a name does not reach, in a line each."""
    components: Mapping[str, int] = attrs.field(factory=dict)
    """How many there are live, by type in small letters; and ``total``, ``plugins``, ``disabled``."""
    shadowed: tuple[str, ...] = ()
    """Tools and actions that their short name does not reach, in a line each."""
    circuits: tuple[OpenCircuit, ...] = ()
    """Handlers of events and hooks that are passed over for a while."""
    platform: PlatformStatus = attrs.field(factory=PlatformStatus)
    """Drivers, routes and accounts."""
    held: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    """By plugin, what it asks for since an update and nobody has approved."""
    custody: Mapping[str, str] = attrs.field(factory=dict)
    """What holds the processes of plugins together beside their groups, by name: ``adoption``, ``cgroup``."""

    def as_json(self) -> dict[str, Any]:
        """Plain values, as ``rookery status --json`` prints them."""
        return attrs.asdict(self, value_serializer=_plain)


def _plain(_: type, __: Any, value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value
