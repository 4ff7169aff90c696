"""Where do calls of a plugin wait that is being exchanged in its runner, so that they take nobody's place there?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .gate import Line

if TYPE_CHECKING:
    from collections.abc import Callable

    from .call import Call
    from .gate import Gate
    from .waiting import Waiting


class Holding:
    """Holds back the calls of single plugins; those of others go on.

    Args:
        waiting: Where every call is that waits, for its deadline.
        enter: Lets a call go on to its shard.
        overload: Ends a call because too many wait.
        gate_of: The gate before a shard.

    Attributes:
        any: Whether anything is held: the one look that a call costs while nothing is.
    """

    def __init__(
        self,
        waiting: Waiting,
        enter: Callable[[Gate, Call], None],
        overload: Callable[[Gate, Call], None],
        gate_of: Callable[[str], Gate],
    ) -> None:
        self.any = False
        self._waiting = waiting
        self._enter = enter
        self._overload = overload
        self._gate_of = gate_of
        self._lines: dict[str, Line] = {}

    def hold(self, plugin_id: str) -> None:
        """Keep what comes for a plugin from now on, and what waits to be sent."""
        line = self._lines.setdefault(plugin_id, Line())
        self.any = True
        for call in self._waiting.of_plugin(plugin_id):
            if call.line is not None and (call.lane is None or call.line is not call.lane.line):
                call.line.remove(call)
                line.append(call)

    def release(self, plugin_id: str) -> None:
        """Let them go on, in their order; harmless when the plugin was not held."""
        line = self._lines.pop(plugin_id, None)
        self.any = bool(self._lines)
        while line is not None and (call := line.take()) is not None:
            self._enter(self._gate_of(call.component.shard), call)

    def keeps(self, gate: Gate, call: Call) -> bool:
        """Whether a call waits here from now on, or has ended because too many do."""
        line = self._lines.get(call.component.plugin_id)
        if line is None:
            return False
        if call not in self._waiting and gate.waiting >= gate.queue_limit:
            self._overload(gate, call)
            return True
        if call not in self._waiting:
            self._waiting.add(gate, call)
        line.append(call)
        return True
