"""How does each call that has ended count?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .fate import DispatchFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from .call import Call, Outcome
    from .counters import Counters, ShardCounters


class Tally:
    """Counts what becomes of calls.

    Args:
        on_lost: Told every call that failed by no doing of its plugin. It must not raise.
    """

    def __init__(
        self, counters: Counters, on_lost: Callable[[Call, DispatchFailed], None] | None = None
    ) -> None:
        self.counters = counters
        self._on_lost = on_lost
        self.listeners: dict[str, Callable[[Call, Outcome], None]] = {}
        """Told every call of a method that has ended, by the method. They must not raise."""

    def note(self, shard: ShardCounters, call: Call, outcome: Outcome) -> None:
        """A call of this shard has ended."""
        counters = self.counters
        counters.invocations += 1
        shard.invocations += 1
        listener = self.listeners.get(call.method)
        if listener is not None:
            listener(call, outcome)
        if not isinstance(outcome, DispatchFailed):
            is_error = outcome.get("success") is False
            counters.errors += is_error
            shard.errors += is_error
        elif outcome.is_loss:
            counters.lost += 1
            shard.lost += 1
            if self._on_lost is not None:
                self._on_lost(call, outcome)
        else:
            counters.errors += 1
            shard.errors += 1

    def note_silent(self, shard: ShardCounters, count: int) -> None:
        """So many calls have ended well."""
        self.counters.invocations += count
        shard.invocations += count
