"""Which calls of the host run in this runner, and which of them does nobody want any more?

A call is *begun* when its handler is about to run its first line: that is on the page, or said to the host and in the
kernel, before it does. From then on nobody may run it again as if it had never been.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from rookery.protocol import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import trio

    from .invoke import Asked
    from .page import OwnPage

MAX_STUCK = 8
"""Handlers that go on although they were cancelled; with more of them the runner asks to be replaced."""


class Unwanted(Enum):
    """Why a call is not to begin."""

    CANCELLED = "nobody waits for the answer any more"
    RECALLED = "the host wants it run elsewhere"


class Calls:
    """The calls that run now.

    Args:
        say_started: Tells the host that a call begins, and has that in the kernel when it returns; ``None`` when the host
            does not want to know.
    """

    def __init__(self, page: OwnPage, say_started: Callable[[int], None] | None = None) -> None:
        self._page = page
        self._say_started = say_started
        self._running: dict[int, trio.CancelScope] = {}
        self._cancelled: set[int] = set()
        """Running calls that the host has cancelled."""
        self._unwanted: dict[int, Unwanted] = {}
        """Calls that have not begun and are not to."""
        self._late: frozenset[int] = frozenset()
        """Those that were cancelled already at the last look."""

    # --- of the invoker ----------------------------------------------------------------------------------------

    def refuses(self, request: Asked) -> bool:
        """Refuse a call that is not to begin; False when it is to."""
        if not self._unwanted:
            return False
        unwanted = self._unwanted.pop(request.request_id, None)
        if unwanted is not None:
            refuse_unwanted(request, unwanted)
        return unwanted is not None

    def begin(self, request_id: int, scope: trio.CancelScope) -> int | None:
        """The next thing that happens is the handler's first line. Give what is returned to ``end``.

        Args:
            scope: Around the handler.
        """
        self._running[request_id] = scope
        slot = self._page.begin(request_id)
        if slot is None and self._say_started is not None:
            self._say_started(request_id)
        return slot

    def end(self, request_id: int, slot: int | None) -> None:
        """It has been answered."""
        del self._running[request_id]
        if slot is not None:
            self._page.end(slot)
        if self._cancelled:
            self._cancelled.discard(request_id)

    def was_cancelled(self, request_id: int) -> bool:
        """Whether the host has cancelled a running call."""
        return request_id in self._cancelled

    # --- of the desk -------------------------------------------------------------------------------------------

    def cancel(self, request_ids: Collection[int]) -> None:
        """Cancel those of these that run."""
        for request_id in self._running.keys() & set(request_ids):
            self._cancelled.add(request_id)
            self._running[request_id].cancel()

    def drop(self, request_ids: Collection[int], unwanted: Unwanted) -> None:
        """See to it that these do not begin; all of them are owed an answer, and those that run go on."""
        for request_id in set(request_ids) - self._running.keys():
            self._unwanted[request_id] = unwanted

    # --- once a second -----------------------------------------------------------------------------------------

    def count_stuck(self) -> int:
        """How many handlers were cancelled at the last look and still run."""
        cancelled = frozenset(
            request_id for request_id, scope in self._running.items() if scope.cancel_called
        )
        stuck = cancelled & self._late
        self._late = cancelled
        return len(stuck)


def refuse_unwanted(request: Asked, unwanted: Unwanted) -> None:
    """Answer a call that has not begun and is not to."""
    if unwanted is Unwanted.RECALLED:
        request.refuse(ErrorCode.E_SHUTTING_DOWN, unwanted.value, {"kind": "Recalled"})
    else:
        request.refuse(ErrorCode.E_TIMEOUT, unwanted.value, {"kind": "NotStarted"})
