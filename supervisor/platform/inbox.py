"""When is a message taken in, and who waits for it?

A gateway's request is answered when its message is admitted, not when it is done. At most ``max_inflight`` messages are
in flight; above that the answer waits, which is the gateway's back-pressure. No message has a task of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from .passage import Flow, Passage, Stage

if TYPE_CHECKING:
    from ..counters import Counters
    from .dedupe import Deduplicator
    from .inbound import Inbound

Answer = Callable[[bool], None]


class Inbox:
    """Admits messages and takes each through its flow, in the order of its session.

    Args:
        flow: What is done with each message.
        max_inflight: Messages that may be in flight.
    """

    def __init__(
        self, flow: Flow, deduplicator: Deduplicator, counters: Counters, *, max_inflight: int
    ) -> None:
        self._flow = flow
        self._deduplicator = deduplicator
        self._counters = counters
        self._max_inflight = max_inflight
        self._passages: dict[str, Passage] = {}
        self._latest: dict[str, Passage] = {}
        """By session, while it is in its way through the flow."""
        self._in_flight = 0
        self._waiting: deque[tuple[Inbound, Answer]] = deque()
        self._is_admitting = False
        self._changed: deque[Passage] = deque()
        self._is_advancing = False
        self._early: list[Passage] | None = []
        self._opened_at = 0.0
        self._idle = trio.Event()
        self._idle.set()
        self.is_closed = False

    @property
    def in_flight(self) -> int:
        """Messages that are on their way or wait for admission."""
        return self._in_flight + len(self._waiting)

    @property
    def is_open(self) -> bool:
        """True once messages are processed."""
        return self._early is None

    def open(self) -> None:
        """Begin to process. What came before waited: the handlers it was meant for were not there yet."""
        early, self._early = self._early or [], None
        self._opened_at = trio.current_time()
        for passage in early:
            self._flow.prepare(passage)

    def close(self) -> None:
        """Admit nothing more; what waits for admission is refused."""
        self.is_closed = True
        while self._waiting:
            inbound, answer = self._waiting.popleft()
            self._settle(inbound, taken=False)
            self._counters.refused += 1
            answer(False)
        self._note_idle()

    def offer(self, inbound: Inbound, answer: Answer) -> None:
        """A message has come in; ``answer`` is called once, now or later, with whether it was accepted."""
        if self.is_closed:
            self._counters.refused += 1
            answer(False)
        elif not self._deduplicator.begin(inbound.dedupe_key, inbound.arrived_at):
            self._counters.deduplicated += 1
            answer(False)
        elif self._in_flight < self._max_inflight:
            self._admit(inbound, answer)
        else:
            self._waiting.append((inbound, answer))

    def arrival_of(self, message_id: str | None) -> float | None:
        """When a message that is still in flight arrived, on trio's clock; not before the inbox was open."""
        passage = self._passages.get(message_id or "")
        return max(passage.inbound.arrived_at, self._opened_at) if passage else None

    async def wait_idle(self) -> None:
        """Return when no message is in flight or waiting."""
        while self.in_flight:
            await self._idle.wait()

    # --- for passages ------------------------------------------------------------------------------------------

    def advance(self, passage: Passage) -> None:
        """The passage has changed: it and those behind it may go on."""
        self._changed.append(passage)
        if self._is_advancing:
            return  # A flow that is ready within `start` comes here again: a long row must not become a deep stack.
        self._is_advancing = True
        while self._changed:
            following: Passage | None = self._changed.popleft()
            while following is not None and self._moves(following):
                following = following.after
        self._is_advancing = False

    def leave(self, passage: Passage) -> None:
        """Everything that was begun for the passage has ended."""
        message_id = passage.inbound.message_id
        self._settle(passage.inbound, taken=not passage.has_failed)
        if self._passages.get(message_id) is passage:
            del self._passages[message_id]
        self._in_flight -= 1
        self._admit_waiting()
        self._note_idle()

    # --- inside ------------------------------------------------------------------------------------------------

    def _moves(self, passage: Passage) -> bool:
        """Take a passage as far as it may go; False when it has not moved."""
        moved = False
        if passage.may_start:
            moved = True
            if passage.goes_on:
                passage.stage = Stage.STARTED
                self._flow.start(passage)
            else:
                passage.stage = Stage.READY
        if passage.may_finish:
            moved = True
            passage.stage = Stage.FINISHED
            self._finish(passage)
        return moved

    def _finish(self, passage: Passage) -> None:
        session_id = passage.inbound.session_id
        if self._latest.get(session_id) is passage:
            del self._latest[session_id]
        if passage.after is not None:
            passage.after.before = None  # or a busy session would keep all its messages
        if passage.goes_on:
            self._flow.finish(passage)
        passage.release()

    def _admit(self, inbound: Inbound, answer: Answer) -> None:
        self._counters.accepted += 1
        self._in_flight += 1
        if self._idle.is_set():
            self._idle = trio.Event()
        before = self._latest.get(inbound.session_id)
        passage = Passage(inbound=inbound, message=inbound.message, inbox=self, before=before)
        if before is not None:
            before.after = passage
        self._passages[inbound.message_id] = self._latest[inbound.session_id] = passage
        answer(True)
        if self._early is not None:
            self._early.append(passage)
        else:
            self._flow.prepare(passage)

    def _admit_waiting(self) -> None:
        # Not from within itself: a message that nobody wants passes at once and makes room for the next.
        if self._is_admitting:
            return
        self._is_admitting = True
        while self._waiting and self._in_flight < self._max_inflight:
            self._admit(*self._waiting.popleft())
        self._is_admitting = False

    def _settle(self, inbound: Inbound, *, taken: bool) -> None:
        self._deduplicator.settle(inbound.dedupe_key, trio.current_time(), taken=taken)

    def _note_idle(self) -> None:
        if not self.in_flight:
            self._idle.set()
