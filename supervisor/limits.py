"""How much may one runner use before it is replaced, or killed?"""

from __future__ import annotations

import attrs

from .ranges import Clash, Range, Size

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

LEAST_DATA = 2 * GIB
"""Bytes below which RLIMIT_DATA is never set: each thread reserves eight megabytes of it and uses few."""


@attrs.frozen(kw_only=True)
class ShardLimits:
    """What a runner may use. 0 is no limit.

    Raises:
        ValueError: A value is out of range or two contradict each other.
    """

    memory: int = attrs.field(default=0, validator=Size())
    """Bytes that the runner and all that descends from it may fill together, files that are only read not among them. It
    stands in the place of `rss_hard`, and four fifths of it in that of `rss_soft`."""
    rss_soft: int = attrs.field(
        default=attrs.Factory(lambda self: self.memory * 4 // 5 or 768 * MIB, takes_self=True),
        validator=Size(),
    )
    """Bytes of resident memory above which the runner is replaced in an orderly way, as nothing is lost by it."""
    rss_hard: int = attrs.field(
        default=attrs.Factory(lambda self: self.memory or 1536 * MIB, takes_self=True), validator=Size()
    )
    """Bytes of resident memory above which it is killed. Looked at once a second; in a control group the kernel watches."""
    nofile: int = attrs.field(default=1024, validator=Range(0, 1_048_576))
    """Open descriptors."""
    pids: int = attrs.field(default=256, validator=Range(0, 1_048_576))
    """Processes and threads of the runner and of all that descends from it, together. In a control group the kernel makes no
    more; elsewhere they are counted once a second, and a runner with more is killed."""
    file_size: int = attrs.field(default=GIB, validator=Size())
    """Bytes of the largest file that it may write; above it a write fails, and nothing ends."""
    disk: int = attrs.field(default=0, validator=Size())
    """Bytes that its directories may take on the disk: its plugins' data, and its own when it is confined. Measured from time
    to time; above it the runner is killed and the shard given up."""
    files: int = attrs.field(default=0, validator=Range(0))
    """Files and directories in there, to which the same happens."""
    cpu_weight: int = attrs.field(default=100, validator=Range(1, 10_000))
    """Its part of a processor for which there is a queue, as compared with the parts of others. In a control group the kernel's
    own weight; elsewhere it is the nicer the less it is below 100, and what is above does nothing."""
    max_dispatches: int = attrs.field(default=0, validator=Range(0))
    """Calls after which the runner is replaced, give or take a tenth."""
    max_age: float = attrs.field(default=0.0, validator=Range(0))
    """Seconds of being ready after which it is replaced, give or take a tenth."""

    calls_rate: float | None = attrs.field(default=None, validator=attrs.validators.optional(Range(0)))
    """Requests a second that each plugin may make of the host in the long run; above it they are refused, with the time after
    which another attempt is worth it. None goes by trust: none for a trusted shard, see `bounds.py` for the others."""
    calls_burst: float | None = attrs.field(default=None, validator=attrs.validators.optional(Range(1)))
    """Requests that it may make at once after a quiet time; None is those of two seconds."""
    frames_rate: float | None = attrs.field(default=None, validator=attrs.validators.optional(Range(0)))
    """Frames a second that the host reads from the runner in the long run; more wait in the runner. None goes by trust."""
    frames_burst: float | None = attrs.field(default=None, validator=attrs.validators.optional(Range(1)))
    """Frames that it may send at once after a quiet time; None is those of two seconds."""

    log_line_bytes: int = attrs.field(default=8 * KIB, validator=Range(80, MIB))
    """Bytes of a line in the log; a longer one is cut."""
    log_rate: int = attrs.field(default=MIB, validator=Size())
    """Bytes a second that it may write into the log in the long run; above it lines are dropped and counted."""
    log_burst: int = attrs.field(default=4 * MIB, validator=Size())
    """Bytes that it may write at once after a quiet time."""
    log_ring: int = attrs.field(default=MIB, validator=Size())
    """Bytes of its newest lines that are kept in memory for `rookery logs`; with 0 the newest line."""

    @property
    def data(self) -> int:
        """Bytes of memory of its own that the kernel lets it reserve: it stops what grows faster than anybody looks. 0 for no limit."""
        return max(LEAST_DATA, 2 * self.rss_hard) if self.rss_hard else 0

    def __attrs_post_init__(self) -> None:
        if self.memory and self.rss_hard != self.memory:
            raise Clash(
                "rss_hard",
                "memory",
                given=f"{self.rss_hard}",
                expected=f"nothing beside memory ({self.memory}), which is the hard limit of all its processes together",
                advice="leave one of them out",
            )
        if self.rss_soft and self.rss_hard and self.rss_soft >= self.rss_hard:
            hard = "memory" if self.memory else "rss_hard"
            raise Clash(
                "rss_soft",
                hard,
                given=f"{self.rss_soft}",
                expected=f"less than {hard} ({self.rss_hard}): a runner is asked to leave before it is killed",
                advice="lower rss_soft, or set it to 0",
            )
