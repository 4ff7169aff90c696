"""How long until the next attempt to connect?"""

from __future__ import annotations

import attrs


@attrs.frozen
class Backoff:
    """Doubles from one failure to the next and spreads, so that many bots do not return in the same second."""

    first: float
    """Seconds before the first new attempt."""
    longest: float
    """Seconds that no wait exceeds."""

    def delay(self, failures: int, chance: float) -> float:
        """Seconds to wait after so many failures in a row.

        Args:
            failures: At least 1.
            chance: A random number from 0 to 1; the wait lies between half of its full length and all of it.
        """
        # The exponent is bounded because a float is: a server may be away for weeks.
        full = min(self.longest, self.first * 2.0 ** min(failures - 1, 60))
        return full * (0.5 + chance / 2.0)
