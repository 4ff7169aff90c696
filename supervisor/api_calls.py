"""How does a plugin call what another one offers, so that nobody works for a caller that has gone, and no circle goes on?

A call inherits the time of whoever makes it. Which call of the host's a plugin was working on when it made another is what
its runner says; that this one is still open, on the same connection and for the same plugin, is what the host knows. So a
runner can hide where its calls come from, and then has only so many of them, and can claim no time or place that is not its
own.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs
import trio

from rookery.protocol import PLUGIN_INVOKE_API, ErrorCode, Link, Slot

from .api_table import ApiRefused
from .call import Call
from .fate import DispatchFailed, Fate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .api_table import ApiTable, OfferedApi
    from .call import Outcome
    from .component import Api
    from .dispatch import Dispatcher

MAX_DEPTH = 16
"""Calls within each other. Honest plugins stay below five."""

MAX_OPEN = 1_000
"""Calls of one plugin that have not ended: more than an honest burst has. Beyond it is a circle that its runner does not
tell of, or a flood."""

TIMEOUT = 60.0
"""Seconds for an API that says nothing of its own, if its caller has that long."""

MARGIN = 0.1
"""Seconds, or a tenth of what is left if that is less, that the caller keeps: it is to hear how the call has ended."""

CHAIN_SHOWN = 8


class CallNotAllowed(ApiRefused):
    """The operator does not let this plugin call that one; its nearest neighbour is about what the other plugin offers."""


@attrs.frozen(kw_only=True)
class Origin:
    """Where a call comes from."""

    plugin_id: str
    link: Link | None = None
    """The connection that it came by; None for the host itself."""
    within: int = 0
    """The request of the host's that the plugin was working on, as its runner says; 0 for none."""


@attrs.define(eq=False)
class _Open:
    """A call that has not ended."""

    name: str
    """Of the API."""
    caller: str
    parent: _Open | None
    call: Call | None = None
    depth: int = 1
    circle: str = ""
    """Why a call within this one was refused that went too deep; "" for none."""

    def chain(self) -> Iterator[str]:
        """From the first caller on."""
        if self.parent is None:
            yield self.caller
        else:
            yield from self.parent.chain()
        yield self.name


class ApiCalls:
    """Calls APIs, wherever their plugins live.

    Args:
        refuse: Why a plugin may not call an API that it can see; "" when it may.
    """

    def __init__(
        self, table: ApiTable, dispatcher: Dispatcher, refuse: Callable[[str, Api], str] = lambda *_: ""
    ) -> None:
        self.table = table
        self._refuse = refuse
        self._dispatcher = dispatcher
        self._serving: dict[str, dict[_Open, None]] = {}
        """By the plugin that is called."""
        self._made: Counter[str] = Counter()
        """By the plugin that calls."""

    @property
    def open_calls(self) -> int:
        return sum(map(len, self._serving.values()))

    async def call(
        self, origin: Origin, name: str, version: str, args: dict[str, Any], *, deadline: float
    ) -> Any:
        """Call an API and return its result. A checkpoint; cancelled, it cancels the call.

        Args:
            name, version: As of ``ApiTable.find``.
            deadline: Of the caller, on trio's clock; the call ends before it.

        Raises:
            ApiRefused: There is no such API for this caller, or it calls too deep or too often.
            CallNotAllowed: The operator does not let it.
            DispatchFailed: It failed, or could not be asked in time.
        """
        offered = self.table.find(name, version, origin.plugin_id)
        if refusal := self._refuse(origin.plugin_id, offered.api):
            raise CallNotAllowed(refusal, ErrorCode.E_CAPABILITY_DENIED)
        parent = self._parent(origin)
        now = trio.current_time()
        left = min(deadline, self._deadline_of(origin, parent)) - now
        timeout = min(left - min(MARGIN, left / 10), offered.api.timeout or TIMEOUT)
        opened = self._open(origin, offered, parent)
        try:
            return await self._run(offered, told(offered, args), opened, now + timeout)
        except DispatchFailed as failure:
            if opened.circle and failure.fate is Fate.HANDLER_ERROR:
                # Said by each plugin of the circle in turn, the reason would be lost in its own repetitions.
                raise ApiRefused(opened.circle, ErrorCode.E_BACK_PRESSURE) from None
            raise
        finally:
            self._close(opened, offered)

    async def _run(self, offered: OfferedApi, args: dict[str, Any], opened: _Open, deadline: float) -> Any:
        slot: Slot[Outcome] = Slot()
        call = opened.call = self._dispatcher.submit(
            offered.component, PLUGIN_INVOKE_API, args, slot.settle, deadline=deadline
        )
        try:
            outcome = await slot.wait()
        except (trio.Cancelled, KeyboardInterrupt):
            self._dispatcher.withdraw(call)
            raise
        if isinstance(outcome, DispatchFailed):
            raise outcome
        if outcome.get("success") is False:
            raise DispatchFailed(Fate.HANDLER_ERROR, str(outcome.get("result")), maybe_executed=True)
        return outcome.get("result")

    # --- which calls are open ----------------------------------------------------------------------------------

    def _parent(self, origin: Origin) -> _Open | None:
        if not origin.within or origin.link is None:
            return None
        for opened in self._serving.get(origin.plugin_id, ()):
            call = opened.call
            if call is not None and call.request_id == origin.within and call.link is origin.link:
                return opened
        return None

    def _deadline_of(self, origin: Origin, parent: _Open | None) -> float:
        """Of what the caller is working on."""
        if parent is not None and parent.call is not None:
            return parent.call.deadline
        if not origin.within or origin.link is None:
            return float("inf")
        pending = origin.link.session.pending.get(origin.within)
        if pending is None or pending.plugin_id != origin.plugin_id:
            return float("inf")  # it has ended, or was never there
        return pending.deadline

    def _open(self, origin: Origin, offered: OfferedApi, parent: _Open | None) -> _Open:
        name, caller = offered.api.full_name, origin.plugin_id
        opened = _Open(name, caller, parent, depth=1 if parent is None else parent.depth + 1)
        if opened.depth > MAX_DEPTH:
            text = f"APIs call each other too deep, more than {MAX_DEPTH} times: {_shown(opened)}"
            while parent is not None:
                parent.circle, parent = text, parent.parent
            raise ApiRefused(text, ErrorCode.E_BACK_PRESSURE)
        if self._made[caller] >= MAX_OPEN:
            text = f"{MAX_OPEN} calls of APIs by {caller} have not ended, {self._most_called(caller)}"
            raise ApiRefused(text, ErrorCode.E_BACK_PRESSURE)
        self._serving.setdefault(offered.plugin_id, {})[opened] = None
        self._made[caller] += 1
        return opened

    def _close(self, opened: _Open, offered: OfferedApi) -> None:
        serving = self._serving[offered.plugin_id]
        del serving[opened]
        if not serving:
            del self._serving[offered.plugin_id]
        self._made[opened.caller] -= 1
        if not self._made[opened.caller]:
            del self._made[opened.caller]

    def _most_called(self, caller: str) -> str:
        names = Counter(
            opened.name for serving in self._serving.values() for opened in serving if opened.caller == caller
        )
        return "most of them of " + ", ".join(name for name, _ in names.most_common(3))


def told(offered: OfferedApi, args: dict[str, Any]) -> dict[str, Any]:
    """One function of a plugin may stand behind several dynamic APIs: it is told which one is meant, whatever the caller says."""
    if not offered.is_dynamic:
        return args
    api = offered.api
    return {
        **args,
        "__maibot_api_name__": api.name,
        "__maibot_api_full_name__": api.full_name,
        "__maibot_api_version__": api.version,
    }


def _shown(opened: _Open) -> str:
    names = list(opened.chain())
    if len(names) > CHAIN_SHOWN:
        half = CHAIN_SHOWN // 2
        names = [*names[:half], "…", *names[-half:]]
    return " → ".join(names)
