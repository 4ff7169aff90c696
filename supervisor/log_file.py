"""How do lines get into a file that rotates, without the host ever waiting for the disk or ending with it?

A thread writes, whole batches at once. What a full or slow disk does not take waits in memory, up to a bound; above it lines are
counted, and the count stands in the file where they are missing. `logging` has a rotating handler: it writes in the caller's
thread, a line at a time, and answers each failure with a traceback on standard error.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MAX_WAITING_BYTES = 4 * 1024 * 1024
"""What waits at most for the disk."""

RETRY_PERIOD = 1.0
"""Seconds between two attempts while the disk takes nothing."""

CLOSE_GRACE = 1.0
"""Seconds that the end waits for the disk."""

_MODE = 0o600


@attrs.frozen(kw_only=True)
class LogState:
    """How the file is."""

    degraded: bool = False
    """Whether lines are not being written now."""
    reason: str = ""
    """Why not."""
    lost: int = 0
    """Lines since the start that are in no file."""


class LogFile:
    """A text stream for ``logging.StreamHandler``. Never blocks the caller, never raises.

    Args:
        on_change: Called in the writing thread when the file cannot be written any more, with the reason, and with ""
            when it can again.
        max_bytes: At this size a new file is begun.
        kept: Older files, called ``NAME.1`` (the youngest) and so on.
    """

    def __init__(self, path: Path, on_change: Callable[[str], None], *, max_bytes: int, kept: int) -> None:
        self.path = path
        self._on_change = on_change
        self._max_bytes = self._full_at = max_bytes
        self._kept = kept
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._reason = ""
        self._lost = 0
        self._untold = 0
        self._changed = threading.Condition()
        self._is_closing = False
        self._descriptor: int | None = None
        # A daemon: a disk that never answers must not keep a finished program alive.
        self._thread = threading.Thread(target=self._run, name="rookery log file", daemon=True)
        self._thread.start()

    @property
    def state(self) -> LogState:
        """How it is now."""
        with self._changed:
            return LogState(degraded=bool(self._reason), reason=self._reason, lost=self._lost)

    def write(self, text: str) -> None:
        """Keep lines; they are written soon."""
        data = text.encode("utf-8", "backslashreplace")
        with self._changed:
            if self._is_closing or self._size + len(data) > MAX_WAITING_BYTES:
                self._lost += 1
                self._untold += 1
                return
            if self._untold and not self._reason:
                self._mark_gap()
            self._waiting.append(data)
            self._size += len(data)
            self._changed.notify()

    def flush(self) -> None:
        """Nothing: the thread does it."""

    def close(self) -> None:
        """Write what waits, for a second at most."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(CLOSE_GRACE)

    # --- the thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while data := self._take():
                while data:
                    try:
                        data = data[self._write_some(data) :]
                        self._note("")
                    except OSError as error:
                        self._close_descriptor()  # another file may have its name when there is room again
                        self._note(error.strerror or str(error))
                        if not self._wait_to_retry():
                            self._give_up(data)
                            return
        finally:
            self._close_descriptor()

    def _take(self) -> bytes:
        """Everything that waits, as soon as there is something; nothing at the end."""
        with self._changed:
            while not self._waiting and not self._is_closing:
                self._changed.wait()
            data = b"".join(self._waiting)
            self._waiting.clear()
            self._size = 0
            return data

    def _write_some(self, data: bytes) -> int:
        """Write the beginning of it, as much as the disk takes at once."""
        if self._descriptor is None:
            self._descriptor = os.open(
                self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE
            )
        size = os.fstat(self._descriptor).st_size
        if size and size + len(data) > self._full_at:
            self._rotate(size)
            return 0
        return os.write(self._descriptor, data)

    def _rotate(self, size: int) -> None:
        self._close_descriptor()
        self._full_at = self._max_bytes
        try:
            for number in range(self._kept - 1, 0, -1):
                older = self._called(number)
                if older.exists():
                    os.replace(older, self._called(number + 1))
            os.replace(self.path, self._called(1))
        except OSError:
            self._full_at = size + self._max_bytes  # a file that is too long is better than none

    def _called(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _close_descriptor(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            try:
                os.close(descriptor)
            except OSError:
                pass  # what was written may be lost by a network's disk; the next write says what is wrong

    def _note(self, reason: str) -> None:
        with self._changed:
            before, self._reason = self._reason, reason
            if not reason and self._untold:
                self._mark_gap()
        if bool(before) != bool(reason):
            self._on_change(reason)

    def _mark_gap(self) -> None:
        """Behind what waits: that is where lines are missing."""
        mark = b"[%d lines are missing here: the disk did not take them]\n" % self._untold
        self._untold = 0
        self._waiting.append(mark)
        self._size += len(mark)

    def _wait_to_retry(self) -> bool:
        """False when there is no time for another attempt."""
        with self._changed:
            return not self._changed.wait_for(lambda: self._is_closing, RETRY_PERIOD)

    def _give_up(self, data: bytes) -> None:
        with self._changed:
            self._lost += data.count(b"\n") + len(self._waiting)
            self._waiting.clear()
