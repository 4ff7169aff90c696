"""Which calls of the host run in this runner, and which of them does nobody want any more?

A call *begins* when its handler is about to run its first line: that is on the page, or said to the host and in the
kernel, before it does. From then on nobody may run it again as if it had never been. One that waits, in a lane, for an
``on_load`` or for a thread, has not begun.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from rookery.protocol import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container

    import trio

    from .invoke import Asked
    from .page import OwnPage

MAX_STUCK = 8
"""Handlers that go on although they were cancelled; with more of them the runner asks to be replaced."""

GIVE_UP_LOOKS = 2
"""Looks, one a second, at which a call was cancelled and still ran; it is then answered all the same."""

THREAD_LOOKS = 15
"""Looks after which a thread that nobody waits for is stuck, and not merely slow: nothing can interrupt it."""


NOT_STARTED = {"kind": "NotStarted"}
"""Told with the refusal of a call that has not begun: without it, the host takes the call for one that may have run."""


class Unwanted(Enum):
    """Why a call is not to go on, or not to begin."""

    CANCELLED = "nobody waits for the answer any more"
    RECALLED = "the host wants it run elsewhere"


class Run:
    """One call between its arrival at the border and its answer."""

    __slots__ = ("has_begun", "has_thread", "is_given_up", "looks", "request", "scope", "slot", "unwanted")

    def __init__(self, request: Asked, scope: trio.CancelScope) -> None:
        self.request = request
        self.scope = scope
        self.slot: int | None = None
        self.has_begun = False
        self.has_thread = False
        """A plain function has a thread, and keeps it until it returns."""
        self.unwanted: Unwanted | None = None
        """Why the host had it cancelled."""
        self.is_given_up = False
        """It was answered, and its handler goes on."""
        self.looks = 0
        """How often it went on although it was cancelled."""


class Calls:
    """The calls that run now.

    Args:
        say_started: Tells the host that a call begins, and has that in the kernel when it returns; ``None`` when the host
            does not want to know.
    """

    def __init__(self, page: OwnPage, say_started: Callable[[int], None] | None = None) -> None:
        self._page = page
        self.note_taken = page.note_taken
        """Say that everything up to this id has been taken from the socket."""
        self.move = page.move
        """Say that another part of a segment has begun instead, in the same slot."""
        self._say_started = say_started
        self._running: dict[int, Run] = {}
        self._unwanted: dict[int, Unwanted] = {}
        """Calls that have not come to the border yet, and are to be refused there."""
        self._given_up: set[Run] = set()
        """Answered calls whose handlers go on."""

    # --- of the invoker ----------------------------------------------------------------------------------------

    def refuses(self, request: Asked) -> bool:
        """Refuse a call that is not to begin; False when it is to."""
        if not self._unwanted:
            return False
        unwanted = self._unwanted.pop(request.request_id, None)
        if unwanted is not None:
            refuse_unwanted(request, unwanted)
        return unwanted is not None

    def enter(self, request: Asked, scope: trio.CancelScope) -> Run:
        """A call has come to the border. Give what is returned to ``begin`` and ``end``.

        Args:
            scope: Around the handler.
        """
        run = self._running[request.request_id] = Run(request, scope)
        return run

    def begin(self, run: Run) -> None:
        """The next thing that happens is the handler's first line."""
        run.has_begun = True
        run.slot = self.note(None, run.request.request_id)

    def note(self, slot: int | None, request_id: int) -> int | None:
        """Say of a part of a segment what ``begin`` says of a call; the slot, for the next part, if there is one.

        Args:
            slot: What the last part has returned; ``None`` for the first.
        """
        if slot is not None:
            self._page.move(slot, request_id)
            return slot
        slot = self._page.begin(request_id)
        if slot is None and self._say_started is not None:
            self._say_started(request_id)
        return slot

    def free(self, slot: int | None) -> None:
        """The answer about what was noted in this slot stands in the send buffer."""
        if slot is not None:
            self._page.end(slot)

    def end(self, run: Run) -> None:
        """It has been answered, and its handler has ended or was left to its thread."""
        if run.slot is not None:
            self._page.end(run.slot)
        if not run.is_given_up:
            del self._running[run.request.request_id]
            if run.has_thread:
                run.is_given_up = True
                self._given_up.add(run)
        elif not run.has_thread:
            self._given_up.discard(run)

    def end_thread(self, run: Run) -> None:
        """The thread of a plain function is free again."""
        run.has_thread = False
        self._given_up.discard(run)

    # --- of the desk -------------------------------------------------------------------------------------------

    def cancel(self, request_ids: Collection[int]) -> None:
        """Cancel those of these that run."""
        for request_id in self._running.keys() & set(request_ids):
            self._interrupt(self._running[request_id], Unwanted.CANCELLED)

    def drop(self, request_ids: Collection[int], unwanted: Unwanted) -> None:
        """See to it that these do not begin; all of them are owed an answer, and those that have begun go on."""
        for request_id in set(request_ids):
            run = self._running.get(request_id)
            if run is None:
                self._unwanted[request_id] = unwanted
            elif not run.has_begun:
                self._interrupt(run, unwanted)

    def _interrupt(self, run: Run, unwanted: Unwanted) -> None:
        run.unwanted = run.unwanted or unwanted
        run.scope.cancel()

    # --- once a second -----------------------------------------------------------------------------------------

    @property
    def lingers(self) -> bool:
        """Whether a handler goes on that nobody waits for."""
        return bool(self._given_up)

    def give_up(self, owed: Container[int]) -> list[Asked]:
        """Answer what was cancelled some looks ago and goes on all the same; return those requests.

        Args:
            owed: The ids of all requests that are not answered.
        """
        late = [run for run in self._running.values() if run.scope.cancel_called]
        for run in (*late, *self._given_up):
            run.looks += 1
        over = [run for run in late if run.looks >= GIVE_UP_LOOKS]
        for run in over:
            self._give_up(run, ErrorCode.E_TIMEOUT, "it was cancelled, and the handler goes on")
        if self._unwanted:
            self._unwanted = {each: why for each, why in self._unwanted.items() if each in owed}
        return [run.request for run in over]

    def count_stuck(self) -> tuple[int, int]:
        """How many handlers go on in the loop although they were cancelled, and how many threads nobody waits for."""
        threads = [run for run in self._given_up if run.has_thread]
        lasting = [run for run in threads if run.looks >= THREAD_LOOKS]
        return len(self._given_up) - len(threads), len(lasting)

    def give_up_all(self) -> None:
        """Answer whatever has no answer, because the process ends."""
        for run in list(self._running.values()):
            text = "this runner ends, and the handler went on" if run.has_begun else "this runner ends"
            self._give_up(run, ErrorCode.E_SHUTTING_DOWN, text)

    def _give_up(self, run: Run, code: ErrorCode, text: str) -> None:
        del self._running[run.request.request_id]
        run.is_given_up = True
        self._given_up.add(run)
        run.request.refuse(code, text, None if run.has_begun else NOT_STARTED)


def refuse_unwanted(request: Asked, unwanted: Unwanted) -> None:
    """Answer a call that has not begun and is not to."""
    if unwanted is Unwanted.RECALLED:
        request.refuse(ErrorCode.E_SHUTTING_DOWN, unwanted.value, {"kind": "Recalled"})
    else:
        request.refuse(ErrorCode.E_TIMEOUT, unwanted.value, NOT_STARTED)


def refuse_late(request: Asked) -> None:
    """Answer a call whose time was over before its turn came."""
    text = f"{request.plugin_id} had no time for it"
    request.refuse(ErrorCode.E_TIMEOUT, text, NOT_STARTED)
