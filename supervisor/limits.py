"""How much may one runner use before it is replaced, or killed?"""

from __future__ import annotations

import attrs

from .ranges import Range

MIB = 1024 * 1024


@attrs.frozen(kw_only=True)
class ShardLimits:
    """What a runner may use. 0 is no limit.

    Raises:
        ValueError: A value is out of range or two contradict each other.
    """

    rss_soft: int = attrs.field(default=768 * MIB, validator=Range(0))
    """Bytes of resident memory above which the runner is replaced in an orderly way, as nothing is lost by it."""
    rss_hard: int = attrs.field(default=1536 * MIB, validator=Range(0))
    """Bytes of resident memory above which it is killed. Looked at once a second; in a control group the kernel watches."""
    nofile: int = attrs.field(default=1024, validator=Range(0, 1_048_576))
    """Open descriptors."""
    pids: int = attrs.field(default=256, validator=Range(0, 1_048_576))
    """Processes and threads together, where there is a control group to count them."""
    max_dispatches: int = attrs.field(default=0, validator=Range(0))
    """Calls after which the runner is replaced, give or take a tenth."""
    max_age: float = attrs.field(default=0.0, validator=Range(0))
    """Seconds of being ready after which it is replaced, give or take a tenth."""

    def __attrs_post_init__(self) -> None:
        if self.rss_soft and self.rss_hard and self.rss_soft >= self.rss_hard:
            raise ValueError(
                f"rss_soft is {self.rss_soft}, expected less than rss_hard ({self.rss_hard}): a runner is asked to leave"
                " before it is killed; lower rss_soft, or set it to 0"
            )
