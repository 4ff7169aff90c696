"""Is the server still there, although it says nothing?"""

from __future__ import annotations

import attrs


@attrs.define
class Liveness:
    """Decides from silence whether to ask the server for a sign of life, or to give it up."""

    interval: float
    """Seconds of silence after which we ask."""
    patience: float
    """Seconds of silence after asking, after which the server counts as gone."""
    _heard_at: float = 0.0
    _asked_at: float | None = None

    def heard(self, now: float) -> None:
        """The server sent something, no matter what."""
        self._heard_at = now
        self._asked_at = None

    def asked(self, now: float) -> None:
        """We sent a PING."""
        self._asked_at = now

    def should_ask(self, now: float) -> bool:
        """Whether it is time for a PING."""
        return self._asked_at is None and now >= self._heard_at + self.interval

    def is_gone(self, now: float) -> bool:
        """Whether our PING was not answered in time."""
        return self._asked_at is not None and now >= self._asked_at + self.patience

    def next_look(self) -> float:
        """When to decide again."""
        if self._asked_at is None:
            return self._heard_at + self.interval
        return self._asked_at + self.patience
