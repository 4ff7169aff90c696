"""How does a hook ask its handlers, and what becomes of the arguments?

Blocking handlers run one after the other in the total order; each sees what the one before left. What a handler returns
*updates* the arguments it names, and keys that it leaves out stay. Observers get the final arguments, all at once, each
its own copy, and can change nothing. An abort ends the flow and is seen by no observer. A handler whose circuit is open
(`breaker.py`) cannot be asked, which means what the hook says that it means. A handler for certain chats is asked for those,
as far as the arguments tell.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio

from rookery.protocol import PLUGIN_INVOKE_HOOK, SILENCE, Slot

from .breaker import PLAIN, Breaker, Ticket
from .call import Call
from .component import ErrorPolicy, HookHandler, HookMode
from .conversation import conversation_of
from .fate import DispatchFailed, Fate
from .hook_spec import HookSpec, Unavailable
from .neighbours import Neighbours, Order
from .segment import Segment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .call import Outcome
    from .dispatch import Dispatcher
    from .hook_specs import HookSpecs
    from .registry import Registry


_SILENT = dict(SILENCE[PLUGIN_INVOKE_HOOK])


@attrs.frozen(kw_only=True)
class HookResult:
    """How a hook went."""

    hook_name: str
    kwargs: dict[str, Any]
    """The arguments as the last handler left them."""
    aborted: bool = False
    stopped_by: str | None = None
    """The full name of the handler that aborted, or whose failure did."""
    custom_results: tuple[Any, ...] = ()
    errors: tuple[str, ...] = ()
    """One line a failure or a thing that was not allowed, with the handler's name."""
    skipped: tuple[str, ...] = ()
    """Handlers that could not be asked and were passed over."""


_Orders = tuple[Order[HookHandler], Order[HookHandler]]
"""Of the handlers that are asked in turn, and of those that only see what came of it."""


@attrs.define(kw_only=True, eq=False)
class Flow:
    """A hook on its way."""

    spec: HookSpec
    kwargs: dict[str, Any]
    on_done: Callable[[HookResult], None]
    blocking: Order[HookHandler]
    observers: Order[HookHandler]
    key: str | None
    place: int = 0
    """Of the blocking handler that is asked next."""
    call: Call | Segment | None = None
    """What is waited for now."""
    probe: tuple[HookHandler, Ticket] | None = None
    """The one that is asked now, if that is to show whether it is well again."""
    is_over: bool = False
    """Nobody waits for the result any more."""
    stopped_by: str | None = None
    custom_results: list[Any] = attrs.Factory(list)
    errors: list[str] = attrs.Factory(list)
    skipped: list[str] = attrs.Factory(list)

    def result(self) -> HookResult:
        return HookResult(
            hook_name=self.spec.name,
            kwargs=self.kwargs,
            aborted=self.stopped_by is not None,
            stopped_by=self.stopped_by,
            custom_results=tuple(self.custom_results),
            errors=tuple(self.errors),
            skipped=tuple(self.skipped),
        )


MAX_CHOSEN = 1000
"""Sets of handlers of one hook that are remembered, where they differ from chat to chat."""


class _Listeners:
    """The handlers of one hook, as long as they are the same.

    Args:
        found: As the registry has them.
        generation: Of the specs.
        order: Makes the orders of the two modes.
    """

    def __init__(
        self,
        found: tuple[HookHandler, ...],
        generation: int,
        order: Callable[[Sequence[HookHandler]], _Orders],
    ) -> None:
        self.found = found
        self.generation = generation
        self._order = order
        self._enabled = tuple(handler for handler in found if handler.enabled)
        self._all = None if any(not each.is_everywhere for each in self._enabled) else order(self._enabled)
        self._chosen: dict[tuple[HookHandler, ...], _Orders] = {}

    def orders(self, kwargs: Mapping[str, Any]) -> _Orders:
        """Those that are asked in turn, and those that only see what came of it, for these arguments."""
        if self._all is not None:
            return self._all
        conversation = conversation_of(kwargs)
        served = tuple(handler for handler in self._enabled if handler.serves_in(conversation))
        known = self._chosen.get(served)
        if known is None:
            if len(self._chosen) >= MAX_CHOSEN:
                self._chosen.clear()
            known = self._chosen[served] = self._order(served)
        return known


class Hooks:
    """Fires hooks.

    Args:
        timeout: Seconds for a handler when neither it nor the hook names a time.
        breaker: The circuits of the handlers; ``None`` makes some that only these hooks know.
    """

    def __init__(
        self,
        registry: Registry,
        dispatcher: Dispatcher,
        specs: HookSpecs,
        *,
        timeout: float = 30.0,
        breaker: Breaker | None = None,
    ) -> None:
        self._registry = registry
        self._dispatcher = dispatcher
        self._timeout = timeout
        self._breaker = breaker or Breaker()
        self.specs = specs
        self._known: dict[str, _Listeners] = {}

    def has_handlers(self, name: str) -> bool:
        """Whether firing this hook would ask anybody."""
        return bool(self._registry.hook_handlers(name))

    async def invoke(self, name: str, /, **kwargs: Any) -> HookResult:
        """Ask every handler of a hook in order. A checkpoint only where there are blocking handlers.

        A hook that nobody has made known has no handlers of plugins, and may be invoked all the same.

        A handler that fails, or cannot be asked, never raises here: its error policy and the hook's
        ``on_unavailable`` say what it means. A cancel ends the flow where it is.
        """
        slot: Slot[HookResult] = Slot()
        flow = self.start(name, kwargs, slot.settle)
        try:
            return await slot.wait()
        except (trio.Cancelled, KeyboardInterrupt):
            flow.is_over = True
            self._dispatcher.segments.precedence.leave(flow.key, flow)
            if flow.call is not None:
                self._dispatcher.withdraw(flow.call)
            if flow.probe is not None:
                self._breaker.give_back(*flow.probe)
            raise

    def start(
        self,
        name: str,
        kwargs: dict[str, Any],
        on_done: Callable[[HookResult], None],
        *,
        key: str | None = None,
    ) -> Flow:
        """The same without a task: ``on_done`` is called once, here and now where nobody has to be asked.

        Args:
            key: For one key a plugin is asked in the order of the starts; ``None`` keeps no order.
        """
        if not name.strip():
            raise ValueError("a hook has a name; an empty one cannot be invoked")
        blocking, observers = self._orders(name, kwargs)
        flow = Flow(
            spec=self.specs.get(name),
            kwargs=kwargs,
            on_done=on_done,
            blocking=blocking,
            observers=observers,
            key=key,
        )
        if len(blocking):
            self._dispatcher.segments.precedence.enter(key, flow)
        self._go_on(flow)
        return flow

    def _orders(self, name: str, kwargs: Mapping[str, Any]) -> _Orders:
        handlers = self._registry.hook_handlers(name)
        known = self._known.get(name)
        if known is None or known.found is not handlers or known.generation != self.specs.generation:
            order = partial(self._order, self.specs.get(name))
            known = self._known[name] = _Listeners(handlers, self.specs.generation, order)
        return known.orders(kwargs)

    def _order(self, spec: HookSpec, handlers: Sequence[HookHandler]) -> _Orders:
        blocking, observers = (
            Order([each for each in handlers if each.mode is mode], lambda each: self._seconds(each, spec))
            for mode in (HookMode.BLOCKING, HookMode.OBSERVE)
        )
        return blocking, observers

    def _go_on(self, flow: Flow) -> None:
        """Ask the next handler; at the end show the observers what came of it."""
        while flow.stopped_by is None and flow.place < len(flow.blocking):
            if self._ask(flow):
                return
        self._dispatcher.segments.precedence.leave(flow.key, flow)
        if flow.stopped_by is None:
            for group in flow.observers.groups:
                self._show(group, flow)
        flow.on_done(flow.result())

    def _ask(self, flow: Flow) -> bool:
        """Ask the next handler, and its neighbours; False when it cannot be asked and the flow goes on at once."""
        spec, start = flow.spec, flow.place
        neighbours = flow.blocking.neighbours(start)
        handler = neighbours.handlers[0]
        flow.place += 1
        if spec.on_unavailable is not Unavailable.WAIT and not self._dispatcher.is_open(handler.shard):
            failure = DispatchFailed(Fate.UNAVAILABLE, f'shard "{handler.shard}" is not up')
            self._unavailable(handler, flow, failure)
            return False

        ticket = PLAIN
        if self._breaker.watched:
            asked = self._breaker.ask(handler, trio.current_time(), neighbours.timeouts[0])
            if asked is None:
                self._pass_over(handler, flow)
                return False
            if asked is not PLAIN:
                ticket, flow.probe = asked, (handler, asked)

        def settled(place: int, outcome: Outcome) -> None:
            if type(outcome) is not dict or self._breaker.watched:
                # Those before it in a segment have had nothing to say, and nobody told us of them.
                self._note(neighbours.handlers[: place + 1], ticket, outcome)
            if not flow.is_over:
                flow.call = flow.probe = None
                flow.place = start + place + 1
                self._take(neighbours.handlers[place], flow, outcome)
                self._go_on(flow)

        args = {"hook_name": spec.name, **flow.kwargs}
        segment = None
        if not self._breaker.watches_any(neighbours.handlers):
            segment = self._dispatcher.segments.send(
                neighbours, PLUGIN_INVOKE_HOOK, args, settled, key=flow.key, flow=flow
            )
        flow.call = segment or self._dispatcher.submit(
            handler,
            PLUGIN_INVOKE_HOOK,
            args,
            partial(settled, 0),
            deadline=trio.current_time() + neighbours.timeouts[0],
            key=flow.key,
        )
        return True

    def _pass_over(self, handler: HookHandler, flow: Flow) -> None:
        self._dispatcher.tally.counters.skipped += 1
        why = "it has not come back in time again and again, and is not asked for a while"
        self._unavailable(handler, flow, DispatchFailed(Fate.UNAVAILABLE, why))

    def _note(self, handlers: Sequence[HookHandler], ticket: Ticket, outcome: Outcome) -> None:
        """The last of these has come to an outcome, those before it to nothing."""
        now = trio.current_time()
        for handler in handlers[:-1]:
            self._breaker.note(handler, PLAIN, _SILENT, now)
        self._breaker.note(handlers[-1], ticket, outcome, now)

    def _take(self, handler: HookHandler, flow: Flow, answer: Outcome) -> None:
        if isinstance(answer, DispatchFailed):
            if answer.is_loss or answer.fate is Fate.TIMEOUT:
                self._unavailable(handler, flow, answer)
            else:
                self._failed(handler, flow, str(answer))
            return
        if answer.get("custom_result") is not None:
            flow.custom_results.append(answer["custom_result"])
        if answer.get("success") is False:
            self._failed(handler, flow, str(answer.get("error_message") or "it failed"))
            return
        self._merge(handler, flow, answer.get("modified_kwargs"))
        if str(answer.get("action", "continue")).lower() == "abort":
            self._abort(handler, flow)

    def _show(self, group: Neighbours[HookHandler], flow: Flow) -> None:
        def settled(place: int, outcome: Outcome, ticket: Ticket = PLAIN) -> None:
            if type(outcome) is not dict or self._breaker.watched:
                self._note((group.handlers[place],), ticket, outcome)

        # Encoding makes the copy: every observer decodes its own.
        args = {"hook_name": flow.spec.name, **flow.kwargs}
        segments, now = self._dispatcher.segments, trio.current_time()
        if not self._breaker.watches_any(group.handlers) and segments.send(
            group, PLUGIN_INVOKE_HOOK, args, settled, on_silent=_ignore_count
        ):
            return
        for place, (handler, seconds) in enumerate(zip(group.handlers, group.timeouts, strict=True)):
            ticket = self._breaker.ask(handler, now, seconds) if self._breaker.watched else PLAIN
            if ticket is None:
                self._dispatcher.tally.counters.skipped += 1
                continue
            done = partial(settled, place, ticket=ticket)
            self._dispatcher.submit(handler, PLUGIN_INVOKE_HOOK, args, done, deadline=now + seconds)

    def _merge(self, handler: HookHandler, flow: Flow, changes: Any) -> None:
        if type(changes) is not dict or not changes:
            return
        changes.pop("hook_name", None)
        if not flow.spec.allow_mutation:
            flow.errors.append(f"{handler.full_name} may not change the arguments of {flow.spec.name}")
            return
        for name in sorted(changes.keys() & flow.spec.read_only):
            flow.errors.append(f"{handler.full_name} may not change {name!r} of {flow.spec.name}")
        allowed = {name: value for name, value in changes.items() if name not in flow.spec.read_only}
        flow.kwargs = {**flow.kwargs, **allowed}

    def _abort(self, handler: HookHandler, flow: Flow) -> None:
        if flow.spec.allow_abort:
            flow.stopped_by = handler.full_name
        else:
            flow.errors.append(f"{handler.full_name} may not abort {flow.spec.name}")

    def _failed(self, handler: HookHandler, flow: Flow, reason: str) -> None:
        flow.errors.append(f"{handler.full_name}: {reason}")
        if handler.error_policy is ErrorPolicy.ABORT and flow.spec.allow_abort:
            flow.stopped_by = handler.full_name

    def _unavailable(self, handler: HookHandler, flow: Flow, failure: DispatchFailed) -> None:
        flow.errors.append(f"{handler.full_name}: {failure}")
        flow.skipped.append(handler.full_name)
        closed = flow.spec.on_unavailable is Unavailable.ABORT or handler.error_policy is ErrorPolicy.ABORT
        if closed and flow.spec.allow_abort:
            flow.stopped_by = handler.full_name

    def _seconds(self, handler: HookHandler, spec: HookSpec) -> float:
        return handler.timeout or spec.default_timeout or self._timeout


def _ignore_count(_: int) -> None:
    """Those that had nothing to say."""
