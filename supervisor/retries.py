"""May a call that was cut off be made again?

At most once is the rule: what had begun may have done its work. Only a handler whose author says that it may run again is
called again, a few times, and only as long as such calls stay a small part of the traffic: when everything fails, calling
everything again is what keeps it failing.
"""

from __future__ import annotations

import attrs

MAX_ATTEMPTS = 3
"""Of one call, the first included; the number that job queues have settled on for a job that takes its worker along."""

SHARE = 0.2
"""Retries for each call of the traffic, at most."""

LEAST = 3.0
"""Retries that are there in any case, and how many come back in ``REFILL`` without any traffic."""

REFILL = 60.0
"""Seconds."""

MOST = 100.0
"""Retries that are saved up at most."""


@attrs.define
class RetryBudget:
    """How many calls may be made again now. Pure: the time is told."""

    left: float = LEAST
    """Starts at ``LEAST``."""
    _at: float = 0.0

    def earn(self, count: int = 1) -> None:
        """So many calls were made for the first time."""
        if self.left < MOST:
            self.left = min(self.left + count * SHARE, MOST + SHARE)

    def take(self, now: float) -> bool:
        """Take one retry; False when there is none left.

        Args:
            now: Seconds on a clock that does not go back.
        """
        self.left = min(MOST, max(self.left, min(LEAST, self.left + (now - self._at) * LEAST / REFILL)))
        self._at = now
        if self.left < 1.0:
            return False
        self.left -= 1.0
        return True
