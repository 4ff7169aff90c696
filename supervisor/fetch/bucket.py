"""May it be done now, when it may be done so often in the long run?"""

from __future__ import annotations

import attrs


@attrs.define
class Bucket:
    """Holds some leave, which comes back in time.

    Attributes:
        rate: Of leave that comes back a second.
        size: The most that it holds, and what it begins with.
    """

    rate: float
    size: float
    level: float
    at: float
    """Of the level, in seconds of the caller's clock."""

    @classmethod
    def full(cls, rate: float, size: float, now: float) -> Bucket:
        return cls(rate, size, size, now)

    def take(self, now: float) -> float:
        """Take one; the seconds until there is one when there is none, which takes nothing."""
        self.level = min(self.size, self.level + (now - self.at) * self.rate)
        self.at = now
        if self.level >= 1:
            self.level -= 1
            return 0.0
        return (1 - self.level) / self.rate
