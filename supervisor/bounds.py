"""What may one runner send, and how much of what it has sent does the host keep: every bound of a connection, by trust?

A trusted runner is held to what no honest one reaches, and to no rate. One that is not is taken for somebody who tries: what it
sends costs the host a bounded part of its time and of its memory, whatever it is. What is above a bound waits in its own
process, because the host does not read it yet, or is refused with the time after which it may be tried again. Only what no
honest runner does ends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from rookery.protocol import PaceLimits, limits

from .start_mode import TRUSTED

if TYPE_CHECKING:
    from .settings import ShardSettings

FRAMES_RATE = 2_000.0
"""Frames. A bot that is busy asks a shard some hundred times a second, and each call is one frame of the runner's, and as many
more as it uses capabilities. So many cost a twentieth of the host's time."""

BYTES_RATE, BYTES_BURST = 4.0 * limits.MIB, 16.0 * limits.MIB
"""Four frames of the largest size a second: a picture a second is a quarter of that."""

WORK_SHARE, WORK_BURST = 0.1, 0.5
"""Of the loop's time: what a frame costs differs by a factor of a thousand, and nobody can foresee each that is dear. A shard that
comes up with dozens of plugins registers them all within the burst."""

CALLS_RATE = 200.0
"""Requests of one plugin. A plugin that reads and writes its records and answers uses five for a message."""

MAX_OPEN = 1_000
"""Requests of one connection that are not answered. A runner lets some dozens of handlers run at a time."""

HELD_BYTES = 4 * limits.MIB
"""Of the frames of requests that are not answered; decoded they may be twenty times as much."""

SMALL = 4 * limits.KIB
"""A request up to this size is not counted among these: `MAX_OPEN` of them are as much together."""


@attrs.frozen(kw_only=True)
class Bounds:
    """Of one connection."""

    max_frame_bytes: int = limits.MAX_FRAME_BYTES
    max_containers: int = limits.MAX_CONTAINERS
    max_unwritten: int | None = None
    """Bytes that wait for it to read them; more end it. None is the link's own number."""
    pace: PaceLimits | None = None
    """None reads as fast as it comes."""
    calls_rate: float = 0.0
    """Requests a second that each of its plugins may make in the long run; 0 is no limit, here and below."""
    calls_burst: float = 0.0
    max_open: int = 0
    """Requests that are not answered."""
    held_bytes: int = 0
    """Of their frames."""


def bounds_of(settings: ShardSettings) -> Bounds:
    """The bounds of a shard's connection: by its trust, and what its limits say."""
    chosen, is_trusted = settings.limits, settings.trust == TRUSTED
    frames_rate = _told(chosen.frames_rate, 0.0 if is_trusted else FRAMES_RATE)
    calls_rate = _told(chosen.calls_rate, 0.0 if is_trusted else CALLS_RATE)
    calls_burst = max(1.0, _told(chosen.calls_burst, 2 * calls_rate))
    frames_burst = _told(chosen.frames_burst, 2 * frames_rate)
    if is_trusted:
        pace = PaceLimits(frames_rate=frames_rate, frames_burst=frames_burst) if frames_rate else None
        return Bounds(pace=pace, calls_rate=calls_rate, calls_burst=calls_burst)
    return Bounds(
        max_frame_bytes=limits.UNTRUSTED_MAX_FRAME_BYTES,
        max_containers=limits.UNTRUSTED_MAX_CONTAINERS,
        max_unwritten=limits.UNTRUSTED_WRITE_BUFFER_BYTES,
        pace=PaceLimits(
            frames_rate=frames_rate,
            frames_burst=frames_burst,
            bytes_rate=BYTES_RATE,
            bytes_burst=BYTES_BURST,
            work_share=WORK_SHARE,
            work_burst=WORK_BURST,
            turn_bytes=limits.UNTRUSTED_TURN_BYTES,
        ),
        calls_rate=calls_rate,
        calls_burst=calls_burst,
        max_open=MAX_OPEN,
        held_bytes=HELD_BYTES,
    )


def _told(chosen: float | None, otherwise: float) -> float:
    return otherwise if chosen is None else chosen
