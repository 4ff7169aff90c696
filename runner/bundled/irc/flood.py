"""How long must the next line wait, so that the server does not throw us out for flooding?"""

from __future__ import annotations

import attrs


@attrs.define
class TokenBucket:
    """Lets a burst through and then a steady rate. Knows no clock: every call is told the time."""

    burst: float
    """How many lines may go at once; at least 1."""
    rate: float
    """Lines a second after that; 0 means without a limit."""
    _level: float = attrs.field(init=False)
    _at: float = attrs.field(init=False, default=float("-inf"))

    def __attrs_post_init__(self) -> None:
        self._level = self.burst

    def delay(self, now: float) -> float:
        """Seconds until one line may go; 0.0 if it may go now. Takes nothing."""
        if self.rate <= 0:
            return 0.0
        return max(0.0, (1.0 - self._level_at(now)) / self.rate)

    def take(self, now: float) -> None:
        """Account for a line that goes now, whether or not it should have waited."""
        self._level = self._level_at(now) - 1.0
        self._at = now

    def _level_at(self, now: float) -> float:
        # Time that runs backwards fills nothing.
        return min(self.burst, self._level + max(0.0, now - self._at) * self.rate)
