"""What is one call of one component on its way?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rookery.protocol import PLUGIN_INVOKE_LLM_PROVIDER, session_id_of

from .fate import DispatchFailed

if TYPE_CHECKING:
    from rookery.protocol import Link

    from .component import Component
    from .gate import Lane, Line

Payload = dict[str, Any]
Outcome = Payload | DispatchFailed
OnSettled = Callable[[Outcome], None]


class Call:
    """One call of one component on its way."""

    __slots__ = (
        "attempts",
        "component",
        "deadline",
        "is_settled",
        "is_waiting",
        "lane",
        "line",
        "link",
        "method",
        "number",
        "on_settled",
        "payload",
        "request_id",
    )

    def __init__(
        self,
        component: Component,
        method: str,
        args: Payload,
        deadline: float,
        on_settled: OnSettled,
        number: int = 0,
    ) -> None:
        self.component = component
        self.method = method
        self.payload: Payload = {"component_name": component.name, "args": args}
        if method == PLUGIN_INVOKE_LLM_PROVIDER:  # its arguments are the payload, as protocol 1.0.0 has it
            self.payload = {"component_name": component.name, "args": {}, **args}
        self.deadline = deadline
        self.on_settled = on_settled
        self.is_settled = False
        self.is_waiting = False
        """It is in the dispatcher's ``Waiting``."""
        self.lane: Lane | None = None
        self.line: Line | None = None
        """Where it waits."""
        self.number = number
        """In the order in which calls were made."""
        self.attempts = 0
        """How often it had begun when its runner ended."""
        self.link: Link | None = None
        """Where it was sent; None while it waits."""
        self.request_id = 0

    @property
    def is_unheard(self) -> bool:
        """Nobody waits for what becomes of it."""
        return self.on_settled is _ignore

    def forget(self) -> None:
        """Nobody wants to know any more what becomes of it."""
        self.on_settled = _ignore

    @property
    def too_late(self) -> str:
        """What is said when it could not begin in time."""
        return f"{self.component.full_name} in shard {self.component.shard!r} could not begin in time"

    @property
    def event_id(self) -> str:
        """Of the message that it is about; "" when it is about none."""
        found = self._message.get("message_id")
        return found if type(found) is str else ""

    @property
    def session_id(self) -> str:
        """Of the conversation that it belongs to; "" outside of all."""
        message = self._message
        if not message:
            return ""
        try:
            return session_id_of(message)
        except (KeyError, TypeError, AttributeError):
            return ""

    @property
    def _message(self) -> dict[str, Any]:
        message = self.payload["args"].get("message")
        return message if isinstance(message, dict) else {}


def _ignore(_: Outcome) -> None:
    """For a call that nobody waits for."""
