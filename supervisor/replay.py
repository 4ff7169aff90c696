"""What did the bot do with recorded chat: plays a recording through a whole host and adds up what happened.

The recording is played by the bundled replay gateway, in a runner like any other. It says in its state how far it is;
that is all this file knows of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import trio

from .observers import GatewayReported, PluginNotLoaded
from .shard_state import ShardState
from .tree import open_supervisor

if TYPE_CHECKING:
    from .config import Settings
    from .shard import Shard
    from .supervisor import Supervisor

REPLAY_PLUGIN = "rookery.replay"

IDLE_TIMEOUT = 60.0
"""Seconds that calls may take after the last line: two dispatch time-outs and the restart of a runner between them."""

OpenSupervisor: TypeAlias = Callable[..., AbstractAsyncContextManager["Supervisor"]]


@attrs.frozen(kw_only=True)
class Position:
    """How far the gateway is. All zero before its first word."""

    read: int = 0
    """Lines that are done and were not blank: accepted, refused or broken."""
    position: int = 0
    """Bytes that are done."""
    size: int = 0
    """Bytes in the file."""
    broken: int = 0
    """Lines without a message in them."""
    mistakes: tuple[tuple[int, str], ...] = ()
    """Number and reason of the first broken lines; the gateway bounds how many."""


@attrs.frozen(kw_only=True)
class ReplaySummary:
    """Everything that a replay has to tell. Counts begin at zero with the replay's host."""

    read: int
    """Lines with or without a message; blank ones are passed over."""
    accepted: int
    deduplicated: int
    refused: int
    aborted: int
    """Messages that a hook stopped."""
    broken: int
    broken_lines: tuple[dict[str, Any], ...]
    """``{"line": number, "reason": text}`` of the first broken lines."""
    events: int
    invocations: int
    replies: int
    errors: int
    """Calls that failed by the plugin's doing."""
    lost: int
    """Calls whose runner died or was not there in time."""
    restarts: int
    p50_ms: float | None
    """From a message's arrival to the reply that was sent for it; ``None`` without replies."""
    p99_ms: float | None
    max_ms: float | None
    per_shard: dict[str, dict[str, int]]
    seconds: float
    """From the first line to the last answer."""
    startup_seconds: float
    messages_per_second: float
    """Accepted ones, over ``seconds``."""
    complete: bool
    """The whole recording was played and every call has ended."""
    failure: str
    """Why the recording could not be played to its end; empty when it was, or when the user ended it."""
    still_open: int
    """Calls that had not ended when the replay stopped waiting."""

    @property
    def is_clean(self) -> bool:
        """Nothing was broken, refused, lost or an error."""
        return self.complete and not (self.broken or self.refused or self.lost or self.errors)

    def as_json(self) -> dict[str, Any]:
        """Plain maps, lists and numbers."""
        return {**attrs.asdict(self), "broken_lines": list(self.broken_lines)}


async def run_replay(
    settings: Settings,
    *,
    interrupted: trio.Event,
    observers: Sequence[Callable[[object], None]] = (),
    on_position: Callable[[Position], None] = lambda _: None,
    on_open: Callable[[Supervisor], None] = lambda _: None,
    terminal: Mapping[str, int] | None = None,
    idle_timeout: float = IDLE_TIMEOUT,
    open_host: OpenSupervisor = open_supervisor,
) -> ReplaySummary:
    """Start a host, play the recording that its replay gateway is configured with, stop the host.

    Args:
        settings: As `settings_for_replay` makes them.
        interrupted: Set by the caller to end early.
        on_position: Told whenever the gateway reports.
        on_open: Given the host once it starts, to stop it by force or to look into it.
        terminal: Lent to the gateway's shard, for replies on standard output.
        idle_timeout: Seconds to wait, after the last line, for calls to end.

    Raises:
        RookeryError: The host could not start.
    """
    watch = _Watch(on_position)
    opened_at = trio.current_time()
    async with open_host(settings, observers=(watch, *observers), terminal=terminal) as supervisor:
        on_open(supervisor)
        complete = await _play(supervisor, watch, interrupted, idle_timeout)
        return _summary(supervisor, watch, opened_at, complete=complete)


async def _play(supervisor: Supervisor, watch: _Watch, interrupted: trio.Event, idle_timeout: float) -> bool:
    """Wait for the end, whatever it is; True when the recording was played and answered."""
    complete = False
    async with trio.open_nursery() as nursery:

        async def end_when(
            wait: Callable[[], Awaitable[object]], failure: Callable[[], str] = lambda: ""
        ) -> None:
            await wait()
            watch.fail(failure())
            nursery.cancel_scope.cancel()

        nursery.start_soon(_note_readiness, supervisor, watch)
        nursery.start_soon(end_when, interrupted.wait)
        nursery.start_soon(end_when, watch.failed.wait)
        nursery.start_soon(end_when, supervisor.wait_failed, lambda: "every shard was given up")
        nursery.start_soon(end_when, supervisor.escalated.wait, lambda: supervisor.escalated.reason)
        for shard in _shards_of_the_gateway(supervisor):
            wait = partial(shard.state.wait_value, ShardState.FAILED)
            nursery.start_soon(end_when, wait, partial(_given_up, shard))
        await supervisor.wait_input_end()
        with trio.move_on_after(idle_timeout):
            await supervisor.wait_idle()
            complete = True
        nursery.cancel_scope.cancel()
    return complete


async def _note_readiness(supervisor: Supervisor, watch: _Watch) -> None:
    await supervisor.wait_ready()
    # The gateway loads before the last shard is up, and the host takes its lines from then on.
    watch.began_at = trio.current_time()


def _shards_of_the_gateway(supervisor: Supervisor) -> list[Shard]:
    return [shard for shard in supervisor.shards.values() if REPLAY_PLUGIN in shard.plugins]


def _given_up(shard: Shard) -> str:
    told = "" if shard.last_exit is None else f": {shard.last_exit.describe()}"
    return f"the shard of the replay gateway was given up{told}"


class _Watch:
    """Observes the gateway."""

    def __init__(self, on_position: Callable[[Position], None]) -> None:
        self._on_position = on_position
        self.position = Position()
        self.began_at: float | None = None
        self.failed = trio.Event()
        self.failure = ""

    def __call__(self, record: object) -> None:
        match record:
            case GatewayReported(plugin_id=plugin_id, metadata=metadata) if plugin_id == REPLAY_PLUGIN:
                self._moved(metadata)
            case PluginNotLoaded(plugin_id=plugin_id, reason=reason) if plugin_id == REPLAY_PLUGIN:
                self.fail(f"the replay gateway did not load: {reason}")
                self.failed.set()

    def fail(self, reason: str) -> None:
        """Keep the first reason."""
        self.failure = self.failure or reason

    def _moved(self, metadata: Mapping[str, Any]) -> None:
        if self.began_at is None:
            self.began_at = trio.current_time()
        self.position = Position(
            read=int(metadata.get("read", 0)),
            position=int(metadata.get("position", 0)),
            size=int(metadata.get("size", 0)),
            broken=int(metadata.get("broken", 0)),
            mistakes=tuple((int(number), str(reason)) for number, reason in metadata.get("mistakes", ())),
        )
        self._on_position(self.position)
        if failure := metadata.get("failure"):
            self.fail(str(failure))
            self.failed.set()


def _summary(supervisor: Supervisor, watch: _Watch, opened_at: float, *, complete: bool) -> ReplaySummary:
    counters, position = supervisor.parts.counters, watch.position
    now = trio.current_time()
    began_at = now if watch.began_at is None else watch.began_at
    seconds = now - began_at
    shards = supervisor.status().as_json()["shards"]
    return ReplaySummary(
        read=position.read,
        accepted=counters.accepted,
        deduplicated=counters.deduplicated,
        refused=counters.refused,
        aborted=counters.aborted,
        broken=position.broken,
        broken_lines=tuple({"line": line, "reason": reason} for line, reason in position.mistakes),
        events=counters.events,
        invocations=counters.invocations,
        replies=counters.replies,
        errors=counters.errors,
        lost=counters.lost,
        restarts=counters.restarts,
        p50_ms=_milliseconds(counters.latencies.percentile(50)),
        p99_ms=_milliseconds(counters.latencies.percentile(99)),
        max_ms=_milliseconds(counters.latencies.largest if counters.latencies.count else None),
        per_shard={name: attrs.asdict(counts) for name, counts in sorted(counters.per_shard.items())},
        seconds=round(seconds, 3),
        startup_seconds=round(began_at - opened_at, 3),
        messages_per_second=round(counters.accepted / seconds, 1) if seconds > 0 else 0.0,
        complete=complete,
        failure=watch.failure,
        still_open=sum(shard["queue"] + shard["in_flight"] for shard in shards),
    )


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
