"""A link to a scripted runner without a socket, so that its time may be a fake one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import attrs
import trio

from rookery.protocol import (
    ConnectionLost,
    RequestTimedOut,
    RookeryError,
    decode_value,
    encode_value,
)
from rookery.protocol.limits import DEADLINE_SWEEP

Answer = dict[str, Any] | RookeryError


@attrs.define(eq=False)
class Sent:
    """One request as the runner got it."""

    number: int
    method: str
    plugin_id: str
    payload: dict[str, Any]
    """A copy, as the wire makes one."""
    deadline: float
    at: float
    on_done: Callable[[Answer], None]
    is_done: bool = False

    @property
    def component(self) -> str:
        name: str = self.payload["component_name"]
        return name

    @property
    def args(self) -> dict[str, Any]:
        args: dict[str, Any] = self.payload["args"]
        return args

    def settle(self, answer: Answer) -> None:
        """Say how it ended, once; later answers are late and dropped, as the session does."""
        if not self.is_done:
            self.is_done = True
            self.on_done(answer)


@attrs.frozen
class Late:
    """An answer that comes some seconds later."""

    seconds: float
    answer: Answer


Script = Callable[[Sent], Answer | Late | None]
"""What the runner answers; ``None`` leaves that to the test."""


class FakeLink:
    """As much of a link as the dispatcher uses, with its promises: ``on_done`` once, and never inside ``send``.

    Args:
        orders: The runner runs calls of one plugin and ordering key one after the other.
    """

    def __init__(self, script: Script | None = None, *, orders: bool = False) -> None:
        self.script = script
        self._free_at: dict[tuple[str, str], float] | None = {} if orders else None
        self.sent: list[Sent] = []
        self.told: list[tuple[str, dict[str, Any]]] = []
        """Broadcasts."""
        self.is_closed = False
        self.most_pending = 0
        self._live: list[Sent] = []
        self._due: list[tuple[float, int, Sent, Answer]] = []
        self._changed = trio.Event()

    @property
    def pending(self) -> list[Sent]:
        self._live = [sent for sent in self._live if not sent.is_done]
        return self._live[:]

    @property
    def components(self) -> list[str]:
        """The names of the components that were asked, in order."""
        return [sent.component for sent in self.sent]

    def send(
        self,
        method: str,
        payload: dict[str, Any],
        *,
        plugin_id: str = "",
        deadline: float,
        on_done: Callable[[Answer], None],
        tag: object = None,
    ) -> int:
        if self.is_closed:
            raise ConnectionLost("the connection is closed", maybe_executed=False)
        copy = decode_value(encode_value(payload))
        sent = Sent(len(self.sent), method, plugin_id, copy, deadline, trio.current_time(), on_done)
        self.sent.append(sent)
        self._live.append(sent)
        self.most_pending = max(self.most_pending, len(self.pending))
        if self.script is not None:
            answer = self.script(sent)
            late = answer if isinstance(answer, Late) or answer is None else Late(0.0, answer)
            at = self._end_of(sent, late.seconds if late is not None else math.inf)
            if late is not None and at <= deadline:
                self._due.append((at, sent.number, sent, late.answer))
        self._changed.set()
        return sent.number

    def _end_of(self, sent: Sent, seconds: float) -> float:
        """When the call has run; a runner ends it at its deadline, and goes on with the next of its lane."""
        now = trio.current_time()
        key = sent.payload.get("ordering_key")
        if self._free_at is None or not key:
            return now + seconds
        begins = max(now, self._free_at.get((sent.plugin_id, key), 0.0))
        ends = begins + seconds
        self._free_at[sent.plugin_id, key] = max(begins, min(ends, sent.deadline))
        return ends

    def broadcast(self, method: str, payload: dict[str, Any], *, plugin_id: str = "") -> None:
        self.told.append((method, payload))

    def die(self, *, started: Callable[[Sent], bool] = lambda _: True) -> None:
        """The runner has died and that was proved: everything pending is lost.

        Args:
            started: Which of the calls had begun.
        """
        self.is_closed = True
        for sent in self.pending:
            sent.settle(ConnectionLost("the runner died", maybe_executed=started(sent)))

    def expire(self) -> None:
        """End what is past its deadline."""
        now = trio.current_time()
        for sent in self.pending:
            if sent.deadline <= now:
                sent.settle(RequestTimedOut(f"{sent.method} was not answered in time"))

    async def run(self) -> None:
        """Give the answers of the script when they are due, and keep the deadlines."""
        while True:
            self._changed = trio.Event()
            now = trio.current_time()
            moments = [at for at, *_ in self._due]
            moments += [max(sent.deadline, now) + DEADLINE_SWEEP for sent in self.pending]
            with trio.move_on_at(min(moments, default=float("inf"))):
                await self._changed.wait()
            self._give_answers()
            self.expire()

    def _give_answers(self) -> None:
        now = trio.current_time()
        due = sorted((each for each in self._due if each[0] <= now), key=lambda each: each[:2])
        self._due = [each for each in self._due if each[0] > now]
        for _, _, sent, answer in due:
            sent.settle(answer)
