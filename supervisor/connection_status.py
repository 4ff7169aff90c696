"""How near to its bounds is a shard's connection, and how often was it held to them?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from .bounds import bounds_of

if TYPE_CHECKING:
    from .counters import ShardCounters
    from .shard import Shard


@attrs.frozen(kw_only=True)
class ConnectionStatus:
    """The connection of a shard's runner; all zero while there is none."""

    frames_in: int = 0
    frames_out: int = 0
    held_times: int = 0
    """How often the host did not read from it for a while, because it had said too much."""
    held_seconds: float = 0.0
    """For how long in all."""
    unwritten: int = 0
    """Bytes that wait for it to read."""
    open_requests: int = 0
    """Of its plugins, that wait for an answer."""
    strange_messages: int = 0
    """Answers to nothing, and messages that could not be used or that it may not send."""
    refused_requests: int = 0
    """Of its plugins, because they had asked for too much; since the host's start."""
    bounds: dict[str, Any] = attrs.field(factory=dict)
    """What it is held to: sizes in bytes, rates a second, 0 where there is no bound."""


def take_connection_status(shard: Shard, counters: ShardCounters) -> ConnectionStatus:
    """A snapshot. Never blocks."""
    bounds = attrs.asdict(bounds_of(shard.settings))
    link = shard.link
    if link is None:
        return ConnectionStatus(refused_requests=counters.refused_requests, bounds=bounds)
    session, pace = link.session, link.pace
    counted = session.counters
    return ConnectionStatus(
        frames_in=counted.frames_in,
        frames_out=counted.frames_out,
        held_times=pace.times if pace is not None else 0,
        held_seconds=round(pace.seconds, 3) if pace is not None else 0.0,
        unwritten=link.unwritten,
        open_requests=len(session.owed),
        strange_messages=counted.unknown_answers + counted.refused_requests + counted.bad_notices,
        refused_requests=counters.refused_requests,
        bounds=bounds,
    )
