"""How does an event reach its handlers, and what may they do to it?

Intercepting handlers run one after the other in the total order; each sees the message as the one before left it, and
may change or stop it. What a handler changes counts even if it also stops the event. The others then get the final
message, all at once, each its own copy, and can change nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs
import trio

from rookery.protocol import PLUGIN_EMIT_EVENT, BadPayload, MessageMap, validate_message

from .fate import DispatchFailed

if TYPE_CHECKING:
    from .call import Outcome
    from .component import EventHandler
    from .counters import Counters
    from .dispatch import Dispatcher
    from .registry import Registry

Serves = Callable[["EventHandler"], bool]


@attrs.frozen(kw_only=True)
class EventResult:
    """What the intercepting handlers made of an event."""

    continues: bool
    """False when a handler stopped it."""
    message: MessageMap | None
    """As the last handler left it."""
    stopped_by: str | None = None
    errors: tuple[str, ...] = ()
    observers: int = 0
    """How many handlers run on."""


class Events:
    """Dispatches events.

    Args:
        timeout: Seconds for a handler that names none.
    """

    def __init__(
        self, registry: Registry, dispatcher: Dispatcher, counters: Counters, *, timeout: float = 30.0
    ) -> None:
        self._registry = registry
        self._dispatcher = dispatcher
        self._counters = counters
        self._timeout = timeout

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

        Args:
            message: Not to be changed by the caller while they do: who waits for a shard gets it later.
            key: For one key a plugin sees events in the order of dispatch. ``None`` takes the message's session.
            serves: Whether a handler may have this event; ``None`` asks whether it is enabled.
            on_observer_settled: Called once for each handler that runs on, when it has ended.
        """
        self._counters.events += 1
        if key is None and message is not None:
            key = message.get("session_id")
        handlers = [
            handler
            for handler in self._registry.event_handlers(event_type)
            if (serves(handler) if serves else handler.enabled)
        ]
        extra = extra_args or {}
        errors: list[str] = []
        for handler in handlers:
            if not handler.intercepts:
                continue
            args = {"event_type": event_type, "message": message, **extra}
            answer = await self._ask(handler, args, key, errors)
            message = self._changed(handler, answer, message, errors)
            if answer.get("continue_processing") is False:
                return EventResult(
                    continues=False, message=message, stopped_by=handler.full_name, errors=tuple(errors)
                )
        args = {"event_type": event_type, "message": message, **extra}
        observers = [handler for handler in handlers if not handler.intercepts]
        for handler in observers:
            self._show(handler, args, key, on_observer_settled)
        return EventResult(continues=True, message=message, errors=tuple(errors), observers=len(observers))

    async def _ask(
        self, handler: EventHandler, args: dict[str, Any], key: str | None, errors: list[str]
    ) -> dict[str, Any]:
        try:
            answer = await self._dispatcher.call(
                handler, PLUGIN_EMIT_EVENT, args, timeout=handler.timeout or self._timeout, key=key
            )
        except DispatchFailed as failure:
            errors.append(f"{handler.full_name}: {failure}")
            return {}
        if answer.get("success") is False:
            errors.append(f"{handler.full_name}: it failed")
        return answer

    def _show(
        self,
        handler: EventHandler,
        args: dict[str, Any],
        key: str | None,
        on_settled: Callable[[Outcome], None] | None,
    ) -> None:
        deadline = trio.current_time() + (handler.timeout or self._timeout)
        self._dispatcher.submit(
            handler, PLUGIN_EMIT_EVENT, args, on_settled or _ignore, deadline=deadline, key=key
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
        if message is None or "session_id" not in message:
            return changed
        return {**changed, "session_id": message["session_id"]}


def _ignore(_: Outcome) -> None:
    """What a handler that only sees an event answers changes nothing; failures are counted by the dispatcher."""
