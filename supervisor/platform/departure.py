"""Who may change or stop a message before it leaves, and who is told of it when it has left?

A message that the host composes itself is shown to ``send_service.after_build_message`` first. Every message then passes, in
this order, the event ``post_send_pre_process``, the hook ``send_service.before_send`` and the event ``post_send``; when the
gateway has it, or has failed, come the hook ``send_service.after_send`` and, if it went out, the event ``after_send``. None of
them costs anything while nobody listens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from rookery.protocol import BadPayload, MessageMap, message_text, validate_message

from ..event_names import AFTER_SEND, POST_SEND, POST_SEND_PRE_PROCESS
from ..hook_catalogue import SEND_AFTER, SEND_AFTER_BUILD, SEND_BEFORE

if TYPE_CHECKING:
    from ..counters import Counters
    from ..events import Events
    from ..hooks import Hooks


KEPT = ("platform", "session_id", "message_id")
"""What nobody changes on the way: where a message goes, and what the host knows it by."""


@attrs.frozen(kw_only=True)
class Sending:
    """What is said of a message that goes out, beside the message itself."""

    typing: bool = False
    """Whether the other side is to see that somebody types."""
    set_reply: bool = False
    """Whether it answers a message."""
    reply_message_id: str = ""
    """Which one."""
    storage_message: bool = True
    """Whether the store keeps it."""
    show_log: bool = True
    enabled_only: bool = True
    """False uses a gateway that is switched off as well."""

    @property
    def flags(self) -> dict[str, Any]:
        """As hooks are told."""
        names = ("typing", "set_reply", "storage_message", "show_log")
        return {name: getattr(self, name) for name in names}


@attrs.frozen
class Passed:
    """A message that may leave, or who has stopped it."""

    message: MessageMap
    stopped_by: str = ""


class Departure:
    """Asks everybody who has a say in a message that leaves.

    Args:
        events: ``None`` shows it to hooks only.
    """

    def __init__(self, hooks: Hooks, events: Events | None, counters: Counters) -> None:
        self._hooks = hooks
        self._events = events
        self._counters = counters

    async def built(self, message: MessageMap, session_id: str, sending: Sending) -> Passed:
        """A message was composed for a session."""
        if not self._hooks.has_handlers(SEND_AFTER_BUILD):
            return Passed(message)
        return await self._hook(
            SEND_AFTER_BUILD,
            message,
            stream_id=session_id,
            processed_plain_text=message_text(message),
            **sending.flags,
        )

    async def before(self, message: MessageMap, sending: Sending) -> Passed:
        """It is about to leave."""
        passed = await self._event(POST_SEND_PRE_PROCESS, message)
        if not passed.stopped_by and self._hooks.has_handlers(SEND_BEFORE):
            told = {"reply_message_id": sending.reply_message_id, **sending.flags}
            passed = await self._hook(SEND_BEFORE, passed.message, **told)
        if not passed.stopped_by:
            passed = await self._event(POST_SEND, passed.message)
        return passed

    async def after(self, message: MessageMap, sending: Sending, *, sent: bool) -> None:
        """A gateway has it, or nobody has."""
        if self._hooks.has_handlers(SEND_AFTER):
            told = {"reply_message_id": sending.reply_message_id, **sending.flags}
            await self._hooks.invoke(SEND_AFTER, message=message, sent=sent, **told)
        if sent and self._events is not None and self._events.has_handlers(AFTER_SEND):
            await self._events.dispatch(AFTER_SEND, message)

    async def _hook(self, name: str, message: MessageMap, **told: Any) -> Passed:
        result = await self._hooks.invoke(name, message=message, **told)
        if result.aborted:
            return Passed(message, result.stopped_by or name)
        return Passed(self._changed(message, result.kwargs["message"]))

    async def _event(self, event_type: str, message: MessageMap) -> Passed:
        if self._events is None or not self._events.has_handlers(event_type):
            return Passed(message)
        result = await self._events.dispatch(event_type, message)
        if not result.continues:
            return Passed(message, result.stopped_by or event_type)
        return Passed(self._changed(message, result.message))

    def _changed(self, message: MessageMap, changed: Any) -> MessageMap:
        """What somebody made of a message; which conversation it goes to stays as it was, and which message it is."""
        try:
            if changed is not message:
                validate_message(changed)
        except BadPayload:
            self._counters.errors += 1
            return message
        kept = {name: message[name] for name in KEPT if name in message}
        return {**dict(changed), **kept}
