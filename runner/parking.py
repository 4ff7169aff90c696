"""Where does a call wait whose plugin is just being exchanged for newer code?

Here, and not at its plugin: the old one takes no more and the new one is not there. When the new one is known, or the old
one is back, they are taken as if they came only now, in the order in which the host has sent them. Refusing them was the
alternative: then each reload costs what comes while the old plugin finishes, which may be seconds of a conversation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from .invoke import deadline_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from rookery.protocol import Request


class Parking:
    """Calls that wait for a plugin to be there again.

    Args:
        away: The plugins that are being exchanged, and what is set when each is there, or will not be.
        nursery: Where somebody waits for that.
        take: What to do with a call then.
    """

    def __init__(
        self, away: Mapping[str, trio.Event], nursery: trio.Nursery, take: Callable[[Request], None]
    ) -> None:
        self._away = away
        self._nursery = nursery
        self._take = take
        self._calls: dict[str, list[Request]] = {}
        """By plugin."""

    def park(self, request: Request) -> bool:
        """Keep a call; False when its plugin is not being exchanged and nothing of it waits here."""
        calls = self._calls.get(request.plugin_id)
        if calls is None:
            back = self._away.get(request.plugin_id)
            if back is None:
                return False
            calls = self._calls[request.plugin_id] = []
            self._nursery.start_soon(self._wait_back, request.plugin_id, back)
        calls.append(request)
        return True

    def holds(self, plugin_id: str) -> bool:
        """Whether the plugin is being exchanged, or something of it waits here."""
        return plugin_id in self._away or plugin_id in self._calls

    def take_out(self, request_ids: Collection[int]) -> list[Request]:
        """Those of these that wait here; they do no more."""
        return self._take_out(lambda request: request.request_id in request_ids)

    def take_late(self) -> list[Request]:
        """Those whose time is over; they wait no more."""
        now = trio.current_time()
        return self._take_out(lambda request: now >= deadline_of(request))

    def take_all(self) -> list[Request]:
        """Everything; nothing waits any more."""
        return self._take_out(lambda _: True)

    async def _wait_back(self, plugin_id: str, back: trio.Event) -> None:
        await back.wait()
        # One that had waited in the line of a conversation came here later than those that were sent after it.
        for request in sorted(self._calls.pop(plugin_id), key=lambda each: each.request_id):
            self._take(request)

    def _take_out(self, is_meant: Callable[[Request], bool]) -> list[Request]:
        found = [request for calls in self._calls.values() for request in calls if is_meant(request)]
        for request in found:
            self._calls[request.plugin_id].remove(request)
        return found
