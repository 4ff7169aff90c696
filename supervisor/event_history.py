"""What have the handlers of an event made of it lately, for whoever has asked to have that kept?

It is off until it is turned on for a type, and then costs a record for each handler and event. Messages are not kept, because
a hundred of them may hold a hundred pictures.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

import attrs

from .fate import DispatchFailed

if TYPE_CHECKING:
    from .call import Outcome
    from .component import Component

MAX_KEPT = 100
"""Records of one type; the oldest go first."""


@attrs.frozen(kw_only=True)
class HandlerRecord:
    """What one handler made of one event."""

    handler: str
    """By its full name."""
    shard: str
    success: bool
    continues: bool
    """False when it stopped the event."""
    changed: bool
    """Whether it returned another message."""
    custom_result: Any = None
    error: str = ""
    """Why it has no answer; "" when it has one."""
    at: float
    """Unix seconds of its end."""


class EventHistory:
    """The newest records of those types for which it is on.

    Attributes:
        kept: By type; empty while nothing is kept of any.
    """

    def __init__(self) -> None:
        self.kept: dict[str, deque[HandlerRecord]] = {}

    def enable(self, event_type: str) -> None:
        """Keep records of a type from now on."""
        self.kept.setdefault(event_type, deque(maxlen=MAX_KEPT))

    def disable(self, event_type: str) -> None:
        """Keep none, and forget those there are."""
        self.kept.pop(event_type, None)

    def is_on(self, event_type: str) -> bool:
        return event_type in self.kept

    def get(self, event_type: str) -> tuple[HandlerRecord, ...]:
        """What is kept of a type, the oldest first."""
        return tuple(self.kept.get(event_type, ()))

    def clear(self, event_type: str | None = None) -> None:
        """Forget what is kept, of one type or of all; later events are kept again."""
        for kept in self.kept.values() if event_type is None else [self.kept.get(event_type)]:
            if kept is not None:
                kept.clear()

    def note(self, event_type: str, handler: Component, outcome: Outcome) -> None:
        """A handler has had an event."""
        kept = self.kept.get(event_type)
        if kept is None:
            return
        failure = outcome if isinstance(outcome, DispatchFailed) else None
        answer = outcome if isinstance(outcome, dict) else {}
        kept.append(
            HandlerRecord(
                handler=handler.full_name,
                shard=handler.shard,
                success=failure is None and answer.get("success") is not False,
                continues=answer.get("continue_processing") is not False,
                changed=bool(answer.get("modified_message")),
                custom_result=answer.get("custom_result"),
                error="" if failure is None else str(failure),
                at=time.time(),
            )
        )
