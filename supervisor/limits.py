"""How much may one runner use before it is replaced, or killed?"""

from __future__ import annotations

import attrs

from .ranges import Clash, Range, Size

KIB = 1024
MIB = 1024 * KIB


@attrs.frozen(kw_only=True)
class ShardLimits:
    """What a runner may use. 0 is no limit.

    Raises:
        ValueError: A value is out of range or two contradict each other.
    """

    rss_soft: int = attrs.field(default=768 * MIB, validator=Size())
    """Bytes of resident memory above which the runner is replaced in an orderly way, as nothing is lost by it."""
    rss_hard: int = attrs.field(default=1536 * MIB, validator=Size())
    """Bytes of resident memory above which it is killed. Looked at once a second; in a control group the kernel watches."""
    nofile: int = attrs.field(default=1024, validator=Range(0, 1_048_576))
    """Open descriptors."""
    pids: int = attrs.field(default=256, validator=Range(0, 1_048_576))
    """Processes and threads together, where there is a control group to count them."""
    max_dispatches: int = attrs.field(default=0, validator=Range(0))
    """Calls after which the runner is replaced, give or take a tenth."""
    max_age: float = attrs.field(default=0.0, validator=Range(0))
    """Seconds of being ready after which it is replaced, give or take a tenth."""

    log_line_bytes: int = attrs.field(default=8 * KIB, validator=Range(80, MIB))
    """Bytes of a line in the log; a longer one is cut."""
    log_rate: int = attrs.field(default=MIB, validator=Size())
    """Bytes a second that it may write into the log in the long run; above it lines are dropped and counted."""
    log_burst: int = attrs.field(default=4 * MIB, validator=Size())
    """Bytes that it may write at once after a quiet time."""
    log_ring: int = attrs.field(default=MIB, validator=Size())
    """Bytes of its newest lines that are kept in memory for `rookery logs`; with 0 the newest line."""

    def __attrs_post_init__(self) -> None:
        if self.rss_soft and self.rss_hard and self.rss_soft >= self.rss_hard:
            raise Clash(
                "rss_soft",
                "rss_hard",
                given=f"{self.rss_soft}",
                expected=f"less than rss_hard ({self.rss_hard}): a runner is asked to leave before it is killed",
                advice="lower rss_soft, or set it to 0",
            )
