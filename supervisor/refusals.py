"""Which plugins and which events are not dispatched for now, and why?"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from .fate import Fate

if TYPE_CHECKING:
    from .call import Call

MAX_EVENTS = 1000
"""Events that are remembered; the oldest are let go. They do not come again, as a rule."""


class Refusals:
    """What is refused at the gate.

    Attributes:
        any: Whether there is anything to ask for: the one look that a call costs while all is well.
    """

    def __init__(self) -> None:
        self.any = False
        self._plugins: dict[str, str] = {}
        self._events: OrderedDict[str, str] = OrderedDict()

    def block_plugin(self, plugin_id: str, reason: str) -> None:
        """The plugin is in quarantine."""
        self._plugins[plugin_id] = reason
        self.any = True

    def unblock_plugin(self, plugin_id: str) -> None:
        """It may be called again; harmless when it was never blocked."""
        self._plugins.pop(plugin_id, None)
        self._note()

    def block_event(self, event_id: str, reason: str) -> None:
        """The event has ended several runners."""
        self._events[event_id] = reason
        self._events.move_to_end(event_id)
        while len(self._events) > MAX_EVENTS:
            self._events.popitem(last=False)
        self.any = True

    def unblock_event(self, event_id: str) -> None:
        """It may be dispatched again; harmless when it was never blocked."""
        self._events.pop(event_id, None)
        self._note()

    def of(self, call: Call) -> tuple[Fate, str] | None:
        """Why a call is refused; None when it is not."""
        reason = self._plugins.get(call.component.plugin_id)
        if reason is not None:
            return Fate.QUARANTINED, reason
        reason = self._events.get(call.event_id) if self._events else None
        return None if reason is None else (Fate.DEAD_LETTERED, reason)

    def _note(self) -> None:
        self.any = bool(self._plugins or self._events)
