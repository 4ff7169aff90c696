"""What is one request for several neighbours in the order of handlers, as its host remembers it?"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .call import Call, OnSettled, Outcome, Payload

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rookery.protocol import Link, Pending

    from .component import Component


class Segment:
    """Handlers of one shard that were asked by one request.

    Args:
        args: Not to be changed any more.
        timeouts: Seconds, one for each component.
        on_settled: Told the place of a component and what became of it. In turn it is told of one, the last that has begun,
            and those before it had nothing to say; else of each that had something to say, and of the others by
            ``on_silent``.
        number: Of the first; the others follow.
    """

    __slots__ = (
        "args",
        "call",
        "components",
        "in_turn",
        "is_over",
        "key",
        "link",
        "method",
        "number",
        "on_settled",
        "on_silent",
        "pending",
        "sent_at",
        "timeouts",
    )

    def __init__(
        self,
        components: Sequence[Component],
        method: str,
        args: Payload,
        timeouts: Sequence[float],
        on_settled: Callable[[int, Outcome], None],
        on_silent: Callable[[int], None] | None,
        *,
        key: str | None,
        number: int,
        sent_at: float,
    ) -> None:
        self.components = components
        self.method = method
        self.args = args
        self.timeouts = timeouts
        self.on_settled = on_settled
        self.on_silent = on_silent
        """Told how many had nothing to say, whenever that is known of some; ``None`` for those in turn."""
        self.in_turn = on_silent is None
        self.key = key
        self.number = number
        self.sent_at = sent_at
        self.pending: Pending | None = None
        self.link: Link | None = None
        """Where it was sent."""
        self.call: Call | None = None
        """In turn: the one that has to go on alone."""
        self.is_over = False
        """Nobody wants to know any more."""

    def call_of(self, place: int) -> Call:
        """The call of one component, as if it had been made alone."""
        component = self.components[place]
        settled: OnSettled = partial(self.on_settled, place)
        deadline = self.sent_at + self.timeouts[place]
        call = Call(component, self.method, self.args, deadline, settled, self.number + place)
        if self.key is not None:
            call.payload["ordering_key"] = self.key
        return call
