"""Who is told what happened, and in which form: frozen records, handed to plain functions.

An observer is called at once, from the loop, in the order in which observers were added; it must return quickly. What
it raises is logged and goes no further: it is the embedding host's code and must not stop the tree.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from .exit_report import ExitReport, Place
from .shard_state import ShardState

_LOG = logging.getLogger("rookery.observers")

Observer = Callable[[object], None]


@attrs.frozen(kw_only=True)
class ShardMoved:
    """A shard went from one state to another."""

    shard: str
    incarnation: int
    old: ShardState
    new: ShardState
    reason: str
    at: float
    """On trio's clock, seconds."""
    transition: str = ""
    """The row of the table of states: ``T10``."""
    failures: int = 0
    """Unplanned ends in a row so far."""


@attrs.frozen(kw_only=True)
class RunnerDied:
    """A runner ended, planned or not; everybody who waited for it has been told."""

    report: ExitReport
    next: str
    """What follows, for people: ``back in 0.2 s`` · ``given up: …`` · ``stopped``."""
    delay: float | None
    """Seconds until the next start; None when none is planned."""
    culprit: str = ""
    """The plugin or the event that is to blame; "" when nobody knows."""


@attrs.frozen(kw_only=True)
class RunnerLost:
    """The kernel keeps the process of a runner although it was killed. Its shard goes on without it."""

    shard: str
    pid: int


@attrs.frozen(kw_only=True)
class RunnerBack:
    """A runner is ready, for the first time or again."""

    shard: str
    incarnation: int
    pid: int
    after: float | None
    """Seconds since the one before it died; None for the first."""


@attrs.frozen(kw_only=True)
class RunnerSuspect:
    """A runner shows no life: it gets no new work, and was asked where it is."""

    shard: str
    incarnation: int
    reason: str
    place: Place | None
    """None when it did not say, or when no plugin's code runs."""


@attrs.frozen(kw_only=True)
class RunnerRecovered:
    """A runner that was suspect works again."""

    shard: str
    incarnation: int


@attrs.frozen(kw_only=True)
class PluginNotLoaded:
    """A plugin of a shard is not there, while its shard may be."""

    shard: str
    plugin_id: str
    reason: str
    blocked: bool
    """True when it is not even tried any more, because it ended its runner before."""


@attrs.frozen(kw_only=True)
class PluginReloaded:
    """A plugin runs newer code, in the same runner."""

    shard: str
    plugin_id: str
    version: str
    reason: str
    """Of the order: ``manual``, ``file_watcher``, …"""


@attrs.frozen(kw_only=True)
class PluginReloadFailed:
    """A plugin was to be reloaded and was not."""

    shard: str
    plugin_id: str
    error: str
    """What failed and where, and what runs instead."""
    reason: str
    """Of the order."""


@attrs.frozen(kw_only=True)
class GatewayReported:
    """A gateway said how it is."""

    plugin_id: str
    gateway: str
    ready: bool
    platform: str
    account_id: str
    metadata: Mapping[str, Any]


@attrs.frozen(kw_only=True)
class MessageLost:
    """One call of one handler for a message did not happen, or nobody knows whether it did."""

    shard: str
    plugin_id: str
    component: str
    """By its full name."""
    session_id: str
    """"" when the call was not about a message, as below."""
    message_id: str
    reason: str


@attrs.frozen(kw_only=True)
class LogWritten:
    """A plugin or a runner wrote a line."""

    shard: str
    plugin_id: str
    """"" when the line has no known author besides the shard."""
    level: int
    """A number of the standard ``logging`` module."""
    text: str
    logger: str


@attrs.frozen(kw_only=True)
class SecurityViolation:
    """A runner claimed what is not its own."""

    shard: str
    incarnation: int
    claim: str
    plugin_id: str = ""
    """The plugin in whose name it spoke, or the only one that it holds; "" when nobody knows."""


@attrs.frozen(kw_only=True)
class CapabilitiesGranted:
    """A runner introduced a plugin, which may use capabilities from now on."""

    shard: str
    incarnation: int
    plugin_id: str
    capabilities: tuple[str, ...]
    """As its manifest declares them: names and families. The operator's limits hold for families when they are used."""
    withheld: tuple[str, ...]
    """What the runner asked for in its name and it did not get."""


@attrs.frozen(kw_only=True)
class CapabilitiesRevoked:
    """A plugin may use no capability any more."""

    shard: str
    incarnation: int
    plugin_id: str
    reason: str


@attrs.frozen(kw_only=True)
class CapabilitiesHeld:
    """A plugin that is not trusted asks for more since an update; it goes on with what it had until somebody approves it."""

    shard: str
    plugin_id: str
    capabilities: tuple[str, ...]


@attrs.frozen(kw_only=True)
class CapabilitiesApproved:
    """An operator has approved what a plugin asks for. Whether it is granted that, the configuration says."""

    shard: str
    plugin_id: str
    capabilities: tuple[str, ...]


@attrs.frozen(kw_only=True)
class CapabilityDenied:
    """A plugin asked for what it may not use."""

    shard: str
    plugin_id: str
    capability: str
    reason: str


@attrs.frozen(kw_only=True)
class ComponentsWithheld:
    """A plugin that is not trusted offers what its operator has not allowed: these are not used, its others are."""

    shard: str
    incarnation: int
    plugin_id: str
    capability: str
    """What it would need."""
    components: tuple[str, ...]
    """By name."""
    reason: str
    """What the operator would have to write."""


@attrs.frozen(kw_only=True)
class PluginManaged:
    """A plugin changed something of a plugin: another's, by leave of the operator, or its own."""

    shard: str
    """Where the one lives that did it."""
    plugin_id: str
    """The one that did it."""
    target: str
    """The plugin that was changed."""
    change: str
    """What was done, e.g. ``disabled author.dice.roll``."""


@attrs.frozen(kw_only=True)
class GroupRestarted:
    """All shards of a group are restarted, because a required one was given up."""

    group: str
    reason: str


@attrs.frozen(kw_only=True)
class Escalated:
    """A group cannot be helped any more: the host ends."""

    reason: str


@attrs.frozen(kw_only=True)
class EnvironmentIncident:
    """Most shards died within a moment: no plugin is blamed, and all wait together."""

    shards: tuple[str, ...]
    reason: str


@attrs.frozen(kw_only=True)
class PluginIsolated:
    """A plugin has ended its runner too often: it gets a shard of its own."""

    plugin_id: str
    shard: str
    """Where it was."""
    to_shard: str
    reason: str


@attrs.frozen(kw_only=True)
class PluginQuarantined:
    """A plugin is not run for a while."""

    plugin_id: str
    shard: str
    seconds: float
    reason: str


@attrs.frozen(kw_only=True)
class PluginReleased:
    """The quarantine of a plugin is over: it gets another chance."""

    plugin_id: str
    shard: str


@attrs.frozen(kw_only=True)
class EventDeadLettered:
    """An event has ended several runners and is shown to nobody any more; it can be retried by hand."""

    event_id: str
    plugins: tuple[str, ...]
    """Those whose runners it ended."""
    reason: str


class Observers:
    """Those who want to know. Every record reaches each of them once."""

    def __init__(self) -> None:
        self._observers: list[Observer] = []
        self._failed: set[int] = set()

    def add(self, observer: Observer) -> Callable[[], None]:
        """Tell it everything from now on; call what is returned to stop that."""
        self._observers.append(observer)

        def remove() -> None:
            if observer in self._observers:
                self._observers.remove(observer)

        return remove

    def notify(self, record: object) -> None:
        """Tell everybody. Never raises."""
        for observer in tuple(self._observers):
            try:
                observer(record)
            except Exception:
                self._report(observer, record)

    def _report(self, observer: Observer, record: object) -> None:
        # Once for each observer: one that fails at every log line would drown the log.
        if id(observer) not in self._failed:
            self._failed.add(id(observer))
            name = getattr(observer, "__qualname__", type(observer).__name__)
            _LOG.exception("observer %s failed at a %s and may fail again", name, type(record).__name__)
