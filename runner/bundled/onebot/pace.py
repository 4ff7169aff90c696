"""How fast may we talk?"""

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
