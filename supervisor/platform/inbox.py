"""When is a message taken in, and who waits for it?

A gateway's request is answered when its message is admitted, not when it is done. At most ``max_inflight`` messages are
in flight; above that the answer waits, which is the gateway's back-pressure. Messages of one session are processed one
after the other, sessions in parallel.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import attrs
import trio

from .inbound import Inbound

if TYPE_CHECKING:
    from ..counters import Counters
    from .dedupe import Deduplicator

Answer = Callable[[bool], None]


@attrs.define(eq=False)
class Passage:
    """A message in flight: it is done when everything that was begun for it has ended."""

    inbound: Inbound
    _inbox: Inbox
    _open: int = 1

    def hold(self, count: int = 1) -> None:
        """Something more has begun for this message."""
        self._open += count

    def release(self) -> None:
        """Something that had begun has ended."""
        self._open -= 1
        if not self._open:
            self._inbox.leave(self)


Process = Callable[[Passage], Awaitable[None]]


class Inbox:
    """Admits messages and runs ``process`` for each, in the order of its session.

    Args:
        process: Returns when the session's next message may follow; what it leaves running it has to ``hold``.
        max_inflight: Messages that may be in flight.
    """

    def __init__(
        self, process: Process, deduplicator: Deduplicator, counters: Counters, *, max_inflight: int
    ) -> None:
        self._process = process
        self._deduplicator = deduplicator
        self._counters = counters
        self._max_inflight = max_inflight
        self._passages: dict[str, Passage] = {}
        self._in_flight = 0
        self._waiting: deque[tuple[Inbound, Answer]] = deque()
        self._lanes: dict[str, deque[Passage]] = {}
        self._new_lanes: deque[str] = deque()
        self._work = trio.Event()
        self._idle = trio.Event()
        self._idle.set()
        self._open = trio.Event()
        self.is_closed = False

    @property
    def in_flight(self) -> int:
        return self._in_flight + len(self._waiting)

    @property
    def is_open(self) -> bool:
        """True once messages are processed."""
        return self._open.is_set()

    def open(self) -> None:
        """Begin to process. What came before waited: the handlers it was meant for were not there yet."""
        self._open.set()

    def close(self) -> None:
        """Admit nothing more; what waits for admission is refused."""
        self.is_closed = True
        while self._waiting:
            inbound, answer = self._waiting.popleft()
            self._deduplicator.forget(inbound.dedupe_key)
            self._counters.refused += 1
            answer(False)
        self._note_idle()

    def offer(self, inbound: Inbound, answer: Answer) -> None:
        """A message has come in; ``answer`` is called once, now or later, with whether it was accepted."""
        if self.is_closed:
            self._counters.refused += 1
            answer(False)
        elif not self._deduplicator.is_new(inbound.dedupe_key, inbound.arrived_at):
            self._counters.deduplicated += 1
            answer(False)
        elif self._in_flight < self._max_inflight:
            self._admit(inbound, answer)
        else:
            self._waiting.append((inbound, answer))

    def arrival_of(self, message_id: str | None) -> float | None:
        """When a message that is still in flight arrived, on trio's clock."""
        passage = self._passages.get(message_id or "")
        return passage.inbound.arrived_at if passage else None

    async def wait_idle(self) -> None:
        """Return when no message is in flight or waiting."""
        while self.in_flight:
            await self._idle.wait()

    async def run(self) -> None:
        """Process messages until cancelled."""
        await self._open.wait()
        async with trio.open_nursery() as nursery:
            while True:
                while self._new_lanes:
                    nursery.start_soon(self._run_lane, self._new_lanes.popleft())
                self._work = trio.Event()
                await self._work.wait()

    def leave(self, passage: Passage) -> None:
        """Called by a passage that is done."""
        self._passages.pop(passage.inbound.message_id, None)
        self._in_flight -= 1
        if self._waiting:
            self._admit(*self._waiting.popleft())
        self._note_idle()

    def _admit(self, inbound: Inbound, answer: Answer) -> None:
        self._counters.accepted += 1
        self._in_flight += 1
        if self._idle.is_set():
            self._idle = trio.Event()
        passage = Passage(inbound, self)
        self._passages[inbound.message_id] = passage
        lane = self._lanes.get(inbound.session_id)
        if lane is None:
            self._lanes[inbound.session_id] = deque([passage])
            self._new_lanes.append(inbound.session_id)
            self._work.set()
        else:
            lane.append(passage)
        answer(True)

    async def _run_lane(self, session_id: str) -> None:
        lane = self._lanes[session_id]
        while lane:
            passage = lane.popleft()
            await self._process(passage)
            passage.release()
        del self._lanes[session_id]

    def _note_idle(self) -> None:
        if not self.in_flight:
            self._idle.set()
