"""For how long has the host been able to look: a clock that leaves out the time in which the host itself stood still."""

from __future__ import annotations

import attrs


@attrs.define
class AwakeClock:
    """Advances from look to look. Whoever was not seen while the host stood still cannot be blamed for that time.

    Attributes:
        awake: Seconds in which somebody was looking; starts at 0.
        lag: By how much the latest look was late, in seconds.
        largest_lag: The same, of all looks.
    """

    period: float
    """Seconds between two looks, as planned."""
    guard: float
    """A look that is later than this has missed something: it counts as if it had been on time."""
    _last: float
    awake: float = 0.0
    lag: float = 0.0
    largest_lag: float = 0.0

    def tick(self, now: float) -> float:
        """Take the time of a look; return the awake time."""
        passed = max(0.0, now - self._last)
        self._last = now
        self.lag = max(0.0, passed - self.period)
        self.largest_lag = max(self.largest_lag, self.lag)
        self.awake += passed if self.lag <= self.guard else self.period
        return self.awake
