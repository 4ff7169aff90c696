"""Where does a runner write what its host must know also when the runner cannot speak any more?

The layout, and why the slots need no clearing, is in ``rookery.protocol.page``. Everything here is one store into memory
that host and runner share: about 40 nanoseconds, no system call, nothing to wait for.
"""

from __future__ import annotations

import mmap
import os
from collections import deque

from rookery.protocol import page as layout

_LOOP, _THREAD, _READ, _CRUMB, _PID, _TURNS, _STARTED = (
    offset // 8
    for offset in (
        layout.LOOP_BEATS_AT,
        layout.THREAD_BEATS_AT,
        layout.READ_AT,
        layout.CRUMB_AT,
        layout.PID_AT,
        layout.TURNS_AT,
        layout.STARTED_AT,
    )
)


class OwnPage:
    """This runner's end of the page. Kept mapped until the process ends: the last store may be the telling one.

    Args:
        cells: The page as numbers of 64 bits.
        slots: How many started slots it has.
    """

    def __init__(self, cells: memoryview, slots: int) -> None:
        self._cells = cells
        self._free = deque(range(_STARTED, _STARTED + slots))
        self._kept = slots * 2 // 3
        """A slot is used again only after so many others: its answer has to be in the kernel by then."""
        self._turns = 2
        cells[_PID] = os.getpid()

    def beat_loop(self) -> None:
        """The loop runs: it has heard all that a thread has heard."""
        self._cells[_LOOP] = self._cells[_THREAD]

    def beat_thread(self, questions: int) -> None:
        """A thread runs, the interpreter is not held: it has heard so many more questions of the host."""
        self._cells[_THREAD] += questions

    def note_waiting(self, timeout: float) -> None:
        """The loop is about to wait. Taken as it is for a hook of trio's, which gives the argument."""
        self._turns += 2
        self._cells[_TURNS] = self._turns + 1

    def note_running(self, timeout: float) -> None:
        """The loop has something to do."""
        self._cells[_TURNS] = self._turns

    def note_taken(self, request_id: int) -> None:
        """Everything up to this id has been taken from the socket."""
        self._cells[_READ] = request_id

    def note_crumb(self, crumb: int) -> None:
        """Say what is on the CPU; see ``pack_crumb``."""
        self._cells[_CRUMB] = crumb

    def begin(self, request_id: int) -> int | None:
        """Mark a request as started; the slot, to be given back, or None when there is none free."""
        if len(self._free) <= self._kept:
            return None
        slot = self._free.popleft()
        self._cells[slot] = request_id
        return slot

    def move(self, slot: int, request_id: int) -> None:
        """Another request has begun instead, in the same slot."""
        self._cells[slot] = request_id

    def end(self, slot: int) -> None:
        """The answer stands in the send buffer: the slot may be used again, after all others."""
        self._free.append(slot)


def open_own_page(descriptor: int | None) -> OwnPage:
    """Map the page that the host has named; the descriptor is closed.

    Without one, or with one that is no page of this layout, everything is written to memory that nobody reads.
    """
    if descriptor is None:
        return _unread_page()
    try:
        size = os.fstat(descriptor).st_size
        slots = layout.slots_of(os.pread(descriptor, size, 0))
        if slots is None:
            return _unread_page()
        mapped = mmap.mmap(descriptor, layout.page_bytes(slots))
    except (OSError, ValueError):  # a pipe, a socket, memory that must not be written
        return _unread_page()
    finally:
        os.close(descriptor)
    return OwnPage(memoryview(mapped).cast("Q"), slots)


def _unread_page() -> OwnPage:
    return OwnPage(memoryview(bytearray(layout.new_page(0))).cast("Q"), 0)
