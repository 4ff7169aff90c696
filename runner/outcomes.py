"""What can a handler of an event or of a hook want to happen next?"""

from __future__ import annotations

from typing import Any

import attrs

from rookery.protocol import shown

from .message import Message

_optional, _instance_of = attrs.validators.optional, attrs.validators.instance_of


@attrs.frozen(kw_only=True)
class EventOutcome:
    """What an event handler with ``intercept=True`` returns; ``None`` lets the event pass unchanged."""

    message: Message | None = attrs.field(default=None, validator=_optional(_instance_of(Message)))
    """What later handlers see; ``None`` leaves the message as it is."""
    continues: bool = True
    """False keeps the event from all later handlers."""
    result: Any = None
    """Anything for whoever dispatched the event."""

    @classmethod
    def change(cls, message: Message, *, result: Any = None) -> EventOutcome:
        """Let later handlers see another message, e.g. ``EventOutcome.change(message.with_text("…"))``."""
        if not isinstance(message, Message):
            raise TypeError(
                f"EventOutcome.change takes a Message, got {type(message).__name__} {shown(message)};"
                " write EventOutcome.change(message.with_text(…))"
            )
        return cls(message=message, result=result)

    @classmethod
    def stop(cls, *, result: Any = None) -> EventOutcome:
        """Keep the event from all later handlers."""
        return cls(continues=False, result=result)


@attrs.frozen(kw_only=True)
class HookOutcome:
    """What a hook handler returns; ``None`` lets the flow go on unchanged."""

    changes: dict[str, Any] | None = attrs.field(default=None, validator=_optional(_instance_of(dict)))
    """Arguments that later handlers, and the flow, see instead."""
    aborts: bool = False
    """True ends the flow here."""
    result: Any = None
    """Anything for whoever invoked the hook; the reason of an abort."""

    @classmethod
    def abort(cls, reason: str) -> HookOutcome:
        """End the flow, e.g. drop a message before anybody sees it."""
        return cls(aborts=True, result=reason)

    @classmethod
    def change(cls, **changes: Any) -> HookOutcome:
        """Go on with other arguments, named as the hook names them; those that are not named stay."""
        return cls(changes=changes)
