"""Who looks after all runners, once a second, from one task?

Reading a page wakes nobody, so the cost of a shard is a few microseconds a second. The task sleeps through the tick and
then lets every other task run that has something to read: what had arrived in time is handled before anybody is judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import trio

from .awake import AwakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PERIOD = 1.0
"""Seconds between two looks: the runners' beats have the same."""

LAG_GUARD = 0.5
"""Seconds that a look may be late before it counts as on time, when no shard says otherwise."""


class Watched(Protocol):
    """What is looked after: a shard."""

    def look(self, awake: float) -> None: ...


class Watchdog:
    """Looks at every shard.

    Args:
        shards: Gives those there are now.
        guard: Above this lag of the host's own, in seconds, no time passes for the runners.
        on_look: Called after each round, with the lag of this one in seconds.
    """

    def __init__(
        self,
        shards: Callable[[], Iterable[Watched]],
        *,
        guard: float = LAG_GUARD,
        on_look: Callable[[float], None] | None = None,
    ) -> None:
        self._shards = shards
        self._guard = guard
        self._on_look = on_look
        self.clock: AwakeClock | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        clock = self.clock = AwakeClock(PERIOD, self._guard, trio.current_time())
        while True:
            await trio.sleep(PERIOD)
            # One pass of the scheduler: whoever became readable together with this timer has read.
            await trio.lowlevel.checkpoint()
            awake = clock.tick(trio.current_time())
            for shard in tuple(self._shards()):
                shard.look(awake)
            if self._on_look is not None:
                self._on_look(clock.lag)
