"""How fast may we talk, and how long until the next attempt to connect?"""

from __future__ import annotations

import attrs


@attrs.define
class Pace:
    """Lets a burst go at once, and then a steady number a second. Seconds are of any clock that only grows."""

    rate: float
    """Actions a second; 0 is without a limit."""
    burst: int
    _free_at: float = float("-inf")
    """When the bucket would be full again."""

    def take(self, now: float) -> float:
        """Take a turn; how many seconds to wait for it."""
        if self.rate <= 0:
            return 0.0
        self._free_at = max(self._free_at, now) + 1.0 / self.rate
        return max(0.0, self._free_at - now - self.burst / self.rate)


@attrs.frozen
class Backoff:
    """Doubles from one failure to the next and spreads, so that many bots do not return in the same second."""

    first: float
    longest: float

    def delay(self, failures: int, chance: float) -> float:
        """Seconds to wait after so many failures in a row, at least 1.

        Args:
            chance: A random number from 0 to 1; the wait is from half of its length to all of it.
        """
        full = min(self.longest, self.first * 2.0 ** min(failures - 1, 60))
        return full * (0.5 + chance / 2.0)
