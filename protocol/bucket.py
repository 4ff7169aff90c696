"""May it be done now, when it may be done so often in the long run?"""

from __future__ import annotations

import attrs


@attrs.define
class Bucket:
    """Holds some leave, which comes back in time.

    Attributes:
        rate: Of leave that comes back a second; 0 is no limit at all.
        size: The most that it holds, and what it begins with.
    """

    rate: float
    size: float
    level: float
    """Below 0 while something is owed that was done without leave."""
    at: float
    """Of the level, in seconds of the caller's clock."""

    @classmethod
    def full(cls, rate: float, size: float, now: float) -> Bucket:
        return cls(rate, size, size, now)

    def wait(self, now: float, amount: float = 1.0) -> float:
        """Seconds until there is so much. Takes nothing; more than its size there never is."""
        if not self.rate:
            return 0.0
        self._refill(now)
        return max(0.0, (amount - self.level) / self.rate)

    def take(self, now: float, amount: float = 1.0) -> float:
        """Take so much; the seconds until there is so much when there is not, which takes nothing."""
        delay = self.wait(now, amount)
        if self.rate and not delay:
            self.level -= amount
        return delay

    def charge(self, amount: float, now: float) -> float:
        """Take so much, which has been done already; the seconds until nothing is owed any more."""
        if not self.rate:
            return 0.0
        self._refill(now)
        self.level -= amount
        return -self.level / self.rate if self.level < 0 else 0.0

    def _refill(self, now: float) -> None:
        self.level = min(self.size, self.level + (now - self.at) * self.rate)
        self.at = now
