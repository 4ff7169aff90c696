"""How fast may a peer speak that is not trusted, and how much of it is heard at once?

A peer that says more than it may is not ended for that: it is not read from for a while. The kernel's buffer fills, and its own
writes wait. What is measured is three things, because each of them alone can be dear and little of the others: frames, bytes,
and the time that the loop has spent on them. A long request for a registration is one frame.

What is heard at once is bounded in bytes, so that those who wait meanwhile do not wait for long; only the rest of a frame
that has begun is taken at once, since it can be nothing but that.
"""

from __future__ import annotations

import attrs

from .bucket import Bucket
from .limits import READ_CHUNK_BYTES


@attrs.frozen(kw_only=True)
class PaceLimits:
    """How fast a peer may speak. 0 is no limit, but for the bytes of a turn."""

    frames_rate: float = 0.0
    """Frames a second in the long run."""
    frames_burst: float = 0.0
    """Frames at once after a quiet time."""
    bytes_rate: float = 0.0
    bytes_burst: float = 0.0
    work_share: float = 0.0
    """The part of the loop's time that its frames may take in the long run, from 0 to 1."""
    work_burst: float = 0.0
    """Seconds of the loop's time that they may take at once."""
    turn_bytes: int = READ_CHUNK_BYTES
    """Bytes that are heard before others have their turn."""


class Pace:
    """Keeps one peer to its limits. No clock of its own, no IO.

    Attributes:
        times: How often nothing was read from the peer because it had said too much.
        seconds: For how long in all.
        is_holding: Nothing is read from it now, so that it has no part in what does not come.
    """

    def __init__(self, limits: PaceLimits, now: float) -> None:
        self.limits = limits
        self.times = 0
        self.seconds = 0.0
        self.is_holding = False
        self._frames = Bucket.full(limits.frames_rate, limits.frames_burst, now)
        self._bytes = Bucket.full(limits.bytes_rate, limits.bytes_burst, now)
        self._work = Bucket.full(limits.work_share, limits.work_burst, now)

    def most(self, missing: int) -> int:
        """How many bytes may be read now.

        Args:
            missing: Bytes that a frame which has begun still lacks.
        """
        return max(self.limits.turn_bytes, min(missing, READ_CHUNK_BYTES))

    def charge(self, *, frames: int, size: int, work: float, now: float) -> float:
        """Something was read and acted on; the seconds for which nothing more may be read.

        Args:
            work: Seconds that it took.
        """
        return max(
            self._frames.charge(frames, now), self._bytes.charge(size, now), self._work.charge(work, now)
        )
