"""How do lines for people reach standard error without stopping the host or spoiling a chat on the same terminal?

A terminal that was stopped with Ctrl-S, or a pipe that nobody reads, makes a write wait for good. So a thread writes;
what it cannot keep up with is dropped and counted.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .terminal import CLEAR_LINE, coloured, printable, wants_colour

if TYPE_CHECKING:
    from collections.abc import Iterator


MAX_WAITING = 1000
"""Lines that wait for a slow terminal."""

CLOSE_GRACE = 1.0
"""Seconds that the end waits for lines still to be written."""


class Screen:
    """Prints whole lines, each by one write; never blocks the caller, never raises."""

    def __init__(self, descriptor: int, *, colour: bool, over_prompt: bool) -> None:
        """Begin to write.

        Args:
            colour: Warnings and errors get one.
            over_prompt: Somebody may be typing on the same terminal: clear the line first.
        """
        self._descriptor = descriptor
        self._colour = colour
        self._start = CLEAR_LINE if over_prompt else ""
        self._waiting: deque[bytes] = deque()
        self._dropped = 0
        self._changed = threading.Condition()
        self._closing = False
        # A daemon: a terminal that is stopped for good must not keep the process from ending.
        self._thread = threading.Thread(target=self._write, name="rookery screen", daemon=True)
        self._thread.start()

    def show(self, text: str, level: int = logging.INFO) -> None:
        """Print a line, soon."""
        line = printable(text)
        data = f"{self._start}{coloured(line, level) if self._colour else line}\n".encode(errors="replace")
        with self._changed:
            if len(self._waiting) >= MAX_WAITING:
                self._dropped += 1
                return
            self._waiting.append(data)
            self._changed.notify()

    def close(self) -> None:
        """Write what waits, for a second at most."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(CLOSE_GRACE)

    def _write(self) -> None:
        while (data := self._next()) is not None:
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(self._descriptor, view) :]
            except OSError:
                pass  # the terminal is gone; the log file has the lines

    def _next(self) -> bytes | None:
        with self._changed:
            while not self._waiting and not self._dropped and not self._closing:
                self._changed.wait()
            if self._waiting:
                return self._waiting.popleft()
            dropped, self._dropped = self._dropped, 0
            return f"{self._start}({dropped} lines were not shown)\n".encode() if dropped else None


@contextmanager
def open_screen(*, over_prompt: bool) -> Iterator[Screen]:
    """A screen on standard error."""
    sys.stderr.flush()
    screen = Screen(2, colour=wants_colour(sys.stderr), over_prompt=over_prompt)
    try:
        yield screen
    finally:
        screen.close()
