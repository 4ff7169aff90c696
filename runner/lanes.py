"""Who of one plugin and conversation is next?

Calls with one ordering key run one after the other, in the order in which they came. One task runs them all, which is
cheaper than one for each.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import trio

from rookery.protocol import ErrorCode

from .calls import NOT_STARTED
from .invoke import deadline_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from rookery.protocol import Request

    from .invoke import Asked
    from .scope import PluginScope

Lane = tuple[str, str]
"""A plugin and an ordering key."""


class Lanes:
    """The calls that wait for their turn.

    Args:
        scopes: Of the plugins that are here.
        answer: Runs a call and answers it.
        refuse: Answers a call whose plugin is not here, or keeps it until that is.
        park: Keeps a call whose plugin is being exchanged; False when it is not.
    """

    def __init__(
        self,
        scopes: Mapping[str, PluginScope],
        answer: Callable[[Request], Awaitable[None]],
        *,
        refuse: Callable[[Request], None],
        park: Callable[[Request], bool],
    ) -> None:
        self._scopes = scopes
        self._answer = answer
        self._refuse = refuse
        self._park = park
        self._lanes: dict[Lane, deque[Request]] = {}

    def __contains__(self, lane: Lane) -> bool:
        """Whether a call of it runs, or waits."""
        return lane in self._lanes

    def take(self, request: Request, key: str) -> None:
        """Run a call behind the others of the same plugin and key."""
        lane = (request.plugin_id, key)
        others = self._lanes.get(lane)
        if others is not None:
            others.append(request)
        else:
            self._start(lane, deque([request]))

    def hold(self, plugin_id: str, key: str) -> Callable[[], None]:
        """A handler that has begun goes on: calls of its plugin and key wait until what is returned is called."""
        requests = self._lanes[lane := (plugin_id, key)] = deque()

        def release() -> None:
            if self._lanes.get(lane) is not requests:
                return  # it did not end, and those behind it went on
            del self._lanes[lane]
            if requests:
                self._start(lane, requests, refuse=self._give_back)

        return release

    def pass_by(self, request: Asked) -> None:
        """The handler of this call does not end: those behind it go on without it, or the chat would be dead."""
        key = request.payload.get("ordering_key")
        lane = (request.plugin_id, key if type(key) is str else "")
        requests = self._lanes.pop(lane, None)
        if requests:
            others = deque(requests)
            requests.clear()
            self._start(lane, others)

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

    # --- inside ------------------------------------------------------------------------------------------------

    def _start(
        self, lane: Lane, requests: deque[Request], *, refuse: Callable[[Request], None] | None = None
    ) -> None:
        scope = self._scopes.get(lane[0])
        if scope is not None and scope.start_call(self._run, lane, requests, scope):
            self._lanes[lane] = requests
        else:
            for request in requests:
                (refuse or self._refuse)(request)

    def _give_back(self, request: Request) -> None:
        """It does not begin here, because its plugin goes."""
        if not self._park(request):
            text = f"{request.plugin_id} is being unloaded"
            request.refuse(ErrorCode.E_SHUTTING_DOWN, text, NOT_STARTED)

    async def _run(self, lane: Lane, requests: deque[Request], scope: PluginScope) -> None:
        try:
            # What is left when newer code has taken over runs there: the old one is to end.
            while requests and self._scopes.get(lane[0]) is scope:
                request = requests.popleft()
                await self._answer(request)
                if requests:
                    request.link.flush_nowait()  # what has ended is not to be lost with the next
        finally:
            if self._lanes.get(lane) is requests:
                del self._lanes[lane]
                if requests and self._scopes.get(lane[0]) not in (None, scope):
                    self._start(lane, requests)
                    requests = deque()
            for request in requests:
                self._give_back(request)

    def _take_out(self, is_meant: Callable[[Request], bool]) -> list[Request]:
        found = []
        for requests in self._lanes.values():
            for request in [each for each in requests if is_meant(each)]:
                requests.remove(request)
                found.append(request)
        return found
