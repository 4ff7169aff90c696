"""Which calls wait to be sent, and who ends those whose time is over meanwhile?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import trio

if TYPE_CHECKING:
    from collections.abc import Callable

    from .call import Call
    from .gate import Gate

SWEEP = 0.05
"""Seconds between two looks at the deadlines; half of the 100 ms that an end may be late."""


class Waiting:
    """All calls that wait, in the order in which they began to.

    Args:
        time_out: Ends a call; it waits no longer afterwards.
    """

    def __init__(self, time_out: Callable[[Call], None]) -> None:
        self._time_out = time_out
        self._calls: dict[Call, None] = {}
        self._work = trio.Event()

    def __contains__(self, call: Call) -> bool:
        return call in self._calls

    def add(self, gate: Gate, call: Call) -> None:
        """The call waits for this gate."""
        if not self._calls:
            self._work.set()
        self._calls[call] = None
        call.is_waiting = True
        gate.waiting += 1

    def remove(self, gate: Gate, call: Call) -> None:
        """It does not wait any more; harmless when it did not."""
        if call in self._calls:
            del self._calls[call]
            call.is_waiting = False
            gate.waiting -= 1

    def all(self) -> list[Call]:
        return self._found(lambda _: True)

    def of_shard(self, name: str) -> list[Call]:
        return self._found(lambda call: call.component.shard == name)

    def of_plugin(self, plugin_id: str) -> list[Call]:
        return self._found(lambda call: call.component.plugin_id == plugin_id)

    def _found(self, is_meant: Callable[[Call], bool]) -> list[Call]:
        # As they were made: those that come back with a dead runner begin to wait newest first.
        return sorted(filter(is_meant, self._calls), key=lambda call: call.number)

    def move(self, call: Call, old: Gate, new: Gate) -> None:
        """The call waits for another gate: in its lane as before, or in the new gate's line by its number."""
        call.component = attrs.evolve(call.component, shard=new.shard)
        old.waiting -= 1
        new.waiting += 1
        if call.line is not None and (call.lane is None or call.line is not call.lane.line):
            call.line.remove(call)
            new.window_of(call.method).line.put_back(call)

    async def sweep(self) -> None:
        """End what waits past its deadline, until cancelled."""
        while True:
            if not self._calls:
                # No timer while nothing waits.
                self._work = trio.Event()
                await self._work.wait()
            await trio.sleep(SWEEP)
            for call in self._late(trio.current_time()):
                self._time_out(call)

    def _late(self, now: float) -> list[Call]:
        return self._found(lambda call: call.deadline <= now)
