"""What did a runner leave in its output pipes, and what does one write that cannot read its own?"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK_BYTES = 64 * 1024
TURN_BYTES = 4 * 1024
"""What is read of one that writes on, before others have their turn: forty lines may be a millisecond of the host's time."""
TAIL_BYTES = 64 * 1024
"""What is kept for the report of a death."""
REST_BYTES = 1024 * 1024
"""What is read at most of a dead runner's pipe: more than a pipe holds, and an end when a grandchild writes on."""


class OutputPipe:
    """The host's read end of one output pipe; the descriptor stays its owner's.

    Args:
        descriptor: Never blocks.
        on_lines: Gets whole lines, several at a time.
    """

    def __init__(self, descriptor: int, on_lines: Callable[[bytes], None]) -> None:
        self._descriptor = descriptor
        self._on_lines = on_lines
        self._unended = b""
        self._tail = b""
        self._is_pumped = False
        self._more = trio.Event()

    @property
    def tail(self) -> str:
        """The last that was read here, at most 64 KiB."""
        return self._tail.decode("utf-8", "replace")

    async def pump(self) -> None:
        """Read until nobody has the write end any more."""
        self._is_pumped = True
        try:
            while True:
                await trio.lowlevel.wait_readable(self._descriptor)
                if self._read(TURN_BYTES) == 0:
                    return
        finally:
            self._is_pumped = False

    async def listen(self, first: float, gap: float) -> None:
        """Take what comes until nothing comes any more, or the pipe ends. A pipe that is pumped is only listened to.

        Args:
            first: Seconds to wait for the first of it.
            gap: Seconds of silence after which it was all.
        """
        wait = first
        while True:
            with trio.move_on_after(wait) as patience:
                if not await self._wait_more():
                    return
            if patience.cancelled_caught:
                return
            wait = gap

    async def _wait_more(self) -> bool:
        """Wait until something was read; False at the end of the pipe."""
        if self._is_pumped:
            self._more = trio.Event()
            await self._more.wait()
            return True
        await trio.lowlevel.wait_readable(self._descriptor)
        return self._read() != 0

    def forget_tail(self) -> None:
        """What was read until now is no evidence of what comes."""
        self._tail = b""

    def read_rest(self) -> None:
        """Take what is there without waiting; an unended line counts as one."""
        left = REST_BYTES
        while left > 0 and (size := self._read()):
            left -= size
        if self._unended:
            self._on_lines(self._unended)
            self._unended = b""

    def _read(self, most: int = CHUNK_BYTES) -> int | None:
        """The bytes that were read; 0 at the end, None when there is nothing now."""
        try:
            data = os.read(self._descriptor, most)
        except BlockingIOError:
            return None
        self._tail = (self._tail + data)[-TAIL_BYTES:]
        self._more.set()
        whole, newline, rest = (self._unended + data).rpartition(b"\n")
        if newline:
            self._on_lines(whole)
        # A line without an end must not grow for ever: it is passed on in pieces.
        if len(rest) > CHUNK_BYTES:
            self._on_lines(rest)
            rest = b""
        self._unended = rest
        return len(data)
