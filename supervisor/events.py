"""How does an event reach its handlers, and what may they do to it?

Intercepting handlers run one after the other in the total order; each sees the message as the one before left it, and
may change or stop it. What a handler changes counts even if it also stops the event. The others then get the final
message, all at once, each its own copy, and can change nothing. A handler whose circuit is open (`breaker.py`) is passed over.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio

from rookery.protocol import PLUGIN_EMIT_EVENT, SILENCE, BadPayload, MessageMap, Slot, validate_message

from .breaker import PLAIN, Breaker, Ticket
from .call import Call
from .component import EventHandler
from .event_history import EventHistory
from .fate import DispatchFailed
from .neighbours import Neighbours, Order
from .segment import Segment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .call import Outcome
    from .counters import Counters
    from .dispatch import Dispatcher
    from .handler_index import Audience
    from .registry import Registry

_SILENT = dict(SILENCE[PLUGIN_EMIT_EVENT])

Serves = Callable[["EventHandler"], bool]


@attrs.frozen(kw_only=True)
class EventResult:
    """What the intercepting handlers made of an event. It unpacks into ``continues`` and ``message``."""

    continues: bool
    """False when a handler stopped it."""
    message: MessageMap | None
    """As the last handler left it."""
    stopped_by: str | None = None
    errors: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    """Intercepting handlers that were passed over, because they had failed again and again."""
    observers: int = 0
    """How many handlers run on."""

    def __iter__(self) -> Iterator[Any]:
        yield self.continues
        yield self.message


@attrs.define(kw_only=True, eq=False)
class Passing:
    """An event on its way through its intercepting handlers."""

    event_type: str
    message: MessageMap | None
    """As the last of them left it."""
    extra: dict[str, Any]
    key: str | None
    interceptors: Order[EventHandler]
    observers: Order[EventHandler]
    on_intercepted: Callable[[Passing], None]
    place: int = 0
    """Of the interceptor that is asked next."""
    call: Call | Segment | None = None
    """What is waited for now."""
    stopped_by: str | None = None
    errors: list[str] = attrs.Factory(list)
    skipped: list[str] = attrs.Factory(list)
    probe: tuple[EventHandler, Ticket] | None = None
    """The one that is asked now, if that is to show whether it is well again."""
    is_over: bool = False
    """Nobody waits for the result any more."""

    @property
    def args(self) -> dict[str, Any]:
        return {"event_type": self.event_type, "message": self.message, **self.extra}


class Events:
    """Dispatches events.

    Args:
        timeout: Seconds for a handler that names none.
        breaker: The circuits of the handlers; ``None`` makes some that only these events know.

    Attributes:
        history: What handlers have made of events, for types of which that is to be kept.
    """

    def __init__(
        self,
        registry: Registry,
        dispatcher: Dispatcher,
        counters: Counters,
        *,
        timeout: float = 30.0,
        breaker: Breaker | None = None,
    ) -> None:
        self._registry = registry
        self._dispatcher = dispatcher
        self._counters = counters
        self._timeout = timeout
        self._breaker = breaker or Breaker()
        self.history = EventHistory()

    def has_handlers(self, event_type: str) -> bool:
        """Whether dispatching an event of this type may ask anybody."""
        return self._registry.has_audience(event_type)

    async def dispatch(
        self,
        event_type: str,
        message: MessageMap | None = None,
        extra_args: dict[str, Any] | None = None,
        *,
        key: str | None = None,
        serves: Serves | None = None,
        on_observer_settled: Callable[[Outcome], None] | None = None,
    ) -> EventResult:
        """Show an event to its handlers. Returns when every intercepting one has had it; the others run on.

        A cancel ends the event where it is: handlers that have not seen it do not.

        Args:
            message: Not to be changed by the caller while they do: who waits for a shard gets it later.
            key: For one key a plugin sees events in the order of dispatch. ``None`` takes the message's session.
            serves: Whether a handler may have this event, of those whose filter it fits; ``None`` takes them all.
            on_observer_settled: Called once for each handler that runs on, when it has ended.
        """
        slot: Slot[Passing] = Slot()
        passing = self.start(event_type, message, extra_args, slot.settle, key=key, serves=serves)
        try:
            await slot.wait()
        except (trio.Cancelled, KeyboardInterrupt):
            passing.is_over = True
            self._dispatcher.segments.precedence.leave(passing.key, passing)
            if passing.call is not None:
                self._dispatcher.withdraw(passing.call)
            if passing.probe is not None:
                self._breaker.give_back(*passing.probe)
            raise
        return self.show(passing, on_observer_settled or _ignore)

    def start(
        self,
        event_type: str,
        message: MessageMap | None,
        extra_args: dict[str, Any] | None,
        on_intercepted: Callable[[Passing], None],
        *,
        key: str | None = None,
        serves: Serves | None = None,
    ) -> Passing:
        """The first half without a task: the intercepting handlers. ``show`` is the other.

        Args:
            on_intercepted: Called once, when they have had it; here and now where there are none.
        """
        self._counters.events += 1
        if key is None and message is not None:
            key = message.get("session_id")
        audience = self._registry.audience(event_type, message)
        if serves is not None:
            audience = audience.chosen(serves)
        passing = Passing(
            event_type=event_type,
            message=message,
            extra=extra_args or {},
            key=key,
            interceptors=self._order(audience, "interceptors"),
            observers=self._order(audience, "observers"),
            on_intercepted=on_intercepted,
        )
        if audience.interceptors:
            self._dispatcher.segments.precedence.enter(key, passing)
        self._go_on(passing)
        return passing

    def show(self, passing: Passing, on_settled: Callable[[Outcome], None]) -> EventResult:
        """The second half: those who only see it, unless it was stopped. ``on_settled`` is called once for each."""
        args, count = passing.args, 0
        if passing.stopped_by is None:
            count = len(passing.observers)
            for group in passing.observers.groups:
                count -= self._show_group(group, args, passing, on_settled)
        return EventResult(
            continues=passing.stopped_by is None,
            message=passing.message,
            stopped_by=passing.stopped_by,
            errors=tuple(passing.errors),
            skipped=tuple(passing.skipped),
            observers=count,
        )

    def _order(self, audience: Audience, half: str) -> Order[EventHandler]:
        found: Order[EventHandler] | None = audience.notes.get(half)
        if found is None:
            found = Order(getattr(audience, half), lambda handler: handler.timeout or self._timeout)
            audience.notes[half] = found
        return found

    def _go_on(self, passing: Passing) -> None:
        while passing.stopped_by is None and passing.place < len(passing.interceptors):
            if self._ask(passing):
                return
        self._dispatcher.segments.precedence.leave(passing.key, passing)
        passing.on_intercepted(passing)

    def _ask(self, passing: Passing) -> bool:
        """Ask the next interceptor, and its neighbours; False when it is passed over and the event goes on at once."""
        start, args = passing.place, passing.args
        neighbours = passing.interceptors.neighbours(start)
        ticket = PLAIN
        if self._breaker.watched:
            handler = neighbours.handlers[0]
            asked = self._breaker.ask(handler, trio.current_time(), neighbours.timeouts[0])
            if asked is None:
                self._counters.skipped += 1
                passing.skipped.append(handler.full_name)
                passing.place += 1
                return False
            if asked is not PLAIN:
                ticket, passing.probe = asked, (handler, asked)

        def settled(place: int, outcome: Outcome) -> None:
            if type(outcome) is not dict or self._breaker.watched or self.history.kept:
                # Those before it in a segment have had nothing to say, and nobody told us of them.
                self._note(passing.event_type, neighbours.handlers[: place + 1], ticket, outcome)
            if not passing.is_over:
                passing.call = passing.probe = None
                passing.place = start + place + 1
                self._take(neighbours.handlers[place], passing, outcome)
                self._go_on(passing)

        segment = None
        if not self._breaker.watched or not self._breaker.watches_any(neighbours.handlers):
            segment = self._dispatcher.segments.send(
                neighbours, PLUGIN_EMIT_EVENT, args, settled, key=passing.key, flow=passing
            )
        passing.call = segment or self._submit(neighbours.handlers[0], args, passing.key, partial(settled, 0))
        return True

    def _show_group(
        self,
        group: Neighbours[EventHandler],
        args: dict[str, Any],
        passing: Passing,
        on_settled: Callable[[Outcome], None],
    ) -> int:
        """Ask those of one shard; return how many of them were passed over."""

        def one(place: int, outcome: Outcome) -> None:
            settled(place, PLAIN, outcome)

        def settled(place: int, ticket: Ticket, outcome: Outcome) -> None:
            if type(outcome) is not dict or self._breaker.watched or self.history.kept:
                self._note(passing.event_type, (group.handlers[place],), ticket, outcome)
            on_settled(outcome)

        def silent(count: int) -> None:
            for _ in range(count):
                on_settled(_SILENT)

        segments, watched = self._dispatcher.segments, self._breaker.watched
        # A segment does not say who had nothing to say, which matters to a history and to a circuit.
        is_noted = (watched or self.history.kept) and (
            self.history.is_on(passing.event_type) or self._breaker.watches_any(group.handlers)
        )
        if not is_noted and segments.send(
            group, PLUGIN_EMIT_EVENT, args, one, on_silent=silent, key=passing.key
        ):
            return 0
        skipped = 0
        for place, handler in enumerate(group.handlers):
            ticket = PLAIN
            if watched:
                asked = self._breaker.ask(handler, trio.current_time(), group.timeouts[place])
                if asked is None:
                    self._counters.skipped += 1
                    skipped += 1
                    continue
                ticket = asked
            self._submit(handler, args, passing.key, partial(settled, place, ticket))
        return skipped

    def _note(
        self, event_type: str, handlers: Sequence[EventHandler], ticket: Ticket, outcome: Outcome
    ) -> None:
        """The last of these has come to an outcome, those before it to nothing."""
        now = trio.current_time()
        for handler in handlers[:-1]:
            self._breaker.note(handler, PLAIN, _SILENT, now)
            self.history.note(event_type, handler, _SILENT)
        self._breaker.note(handlers[-1], ticket, outcome, now)
        self.history.note(event_type, handlers[-1], outcome)

    def _take(self, handler: EventHandler, passing: Passing, answer: Outcome) -> None:
        if isinstance(answer, DispatchFailed):
            passing.errors.append(f"{handler.full_name}: {answer}")
            return
        if answer.get("success") is False:
            passing.errors.append(f"{handler.full_name}: it failed")
        passing.message = self._changed(handler, answer, passing.message, passing.errors)
        if answer.get("continue_processing") is False:
            passing.stopped_by = handler.full_name

    def _submit(
        self,
        handler: EventHandler,
        args: dict[str, Any],
        key: str | None,
        on_settled: Callable[[Outcome], None],
    ) -> Call:
        deadline = trio.current_time() + (handler.timeout or self._timeout)
        return self._dispatcher.submit(
            handler, PLUGIN_EMIT_EVENT, args, on_settled, deadline=deadline, key=key
        )

    def _changed(
        self, handler: EventHandler, answer: dict[str, Any], message: MessageMap | None, errors: list[str]
    ) -> MessageMap | None:
        changed = answer.get("modified_message")
        if not changed:
            return message
        try:
            validate_message(changed)
        except BadPayload as error:
            self._counters.errors += 1
            errors.append(f"{handler.full_name} returned a message that is none: {error}")
            return message
        kept: MessageMap = dict(changed)
        if message is not None and "session_id" in message:
            kept["session_id"] = message["session_id"]
        return kept


def _ignore(_: Outcome) -> None:
    """What a handler that only sees an event answers changes nothing; failures are counted by the dispatcher."""
