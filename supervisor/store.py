"""Where do messages and plugins' rows stay: SQLite behind one writer thread, and a queue in order before it.

Reads go through the same queue as writes, so that whoever wrote a row reads it. What may wait is bounded by number and
by size; above it the store says so at once instead of filling the memory.
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import trio

from rookery.protocol import CannotEncode

from .messages import save_message
from .store_errors import OperationRefused, StoreError, StoreOverloaded
from .store_writer import Job, Writer

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from rookery.protocol import MessageMap

    Operation = Callable[[sqlite3.Connection], Any]

MAX_WAITING = 20_000
"""Operations that may wait for the writer, about a second of its work."""

MAX_WAITING_BYTES = 64 * 1024 * 1024
"""Bytes that waiting operations may hold: a full count of rows of the largest size would need gigabytes."""

CLOSE_TIMEOUT = 10.0
"""Seconds that closing waits for what was submitted before; then the rest is given up."""

INTERRUPT_TIMEOUT = 3.0
"""Seconds for an interrupted writer to leave: longer than it waits for a lock."""


class Store:
    """The open database. Made by ``open_store``; all methods are for the loop's thread.

    Attributes:
        path: The database's file.
        failures: Operations that failed by the store's doing, overload included; starts at 0 and only grows. A refused
            argument is not one.
        last_failure: The text of the last of them; "" before the first.
        waiting: Operations that are not settled yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failures = 0
        self.last_failure = ""
        self.waiting = 0
        self._waiting_bytes = 0
        self._token = trio.lowlevel.current_trio_token()
        self._opened = trio.Event()
        self._ended = trio.Event()
        self._open_error: StoreError | None = None
        self._is_open = False
        self._writer = Writer(
            path,
            on_opened=lambda error: self._soon(self._note_opened, error),
            on_batch=lambda batch: self._soon(self._deliver, batch),
            on_ended=lambda: self._soon(self._note_ended),
        )

    def __repr__(self) -> str:
        state = "open" if self._is_open else "closed"
        return f"<Store {str(self.path)!r} {state}, {self.waiting} waiting, {self.failures} failures>"

    def submit(
        self,
        operation: Operation,
        on_done: Callable[[Any], None] | None = None,
        *,
        size: int = 0,
    ) -> None:
        """Queue an operation; it runs in the writer thread, after all that were queued before.

        Args:
            operation: Gets the connection, inside a transaction that it must neither begin nor end. It may be run a
                second time when a neighbour failed, so it has no effect but on the database.
            on_done: Called once, in the loop, after the commit: with what the operation returned or with a
                ``StoreError``. It must not raise. ``None``: nobody waits; a failure is still counted.
            size: Bytes that the operation keeps in memory, when they are many.

        Raises:
            StoreError: The store is closed. ``on_done`` will not be called, here and below.
            StoreOverloaded: Too much waits.
        """
        if not self._is_open:
            raise self._count(StoreError(f"the store {self.path} is closed"))
        if self.waiting >= MAX_WAITING or self._waiting_bytes + size > MAX_WAITING_BYTES:
            raise self._count(
                StoreOverloaded(
                    f"the store is overloaded: {self.waiting} operations with {self._waiting_bytes} bytes wait"
                )
            )
        self.waiting += 1
        self._waiting_bytes += size
        self._writer.put(Job(operation, on_done, size))

    async def run(self, operation: Operation) -> Any:
        """Run an operation and return what it returns. A checkpoint; a cancel stops the waiting, not the operation.

        Raises:
            StoreError: As ``submit``, or what failed.
        """
        done = trio.Event()
        outcomes: list[Any] = []

        def note(outcome: Any) -> None:
            outcomes.append(outcome)
            done.set()

        self.submit(operation, note)
        await done.wait()
        if isinstance(outcomes[0], StoreError):
            raise outcomes[0]
        return outcomes[0]

    def save_message_nowait(
        self, message: MessageMap, session_id: str, *, direction: str, plugin_id: str = ""
    ) -> None:
        """Keep a message. The map may be changed by the caller afterwards.

        A message that cannot be kept is counted in ``failures``: the chat goes on without its record.

        Args:
            direction: ``in`` for a message from outside, ``out`` for one of the bot.
            plugin_id: Who sent it, of an ``out`` message; "" for the host itself.
        """
        try:
            operation, size = save_message(
                message, session_id, direction=direction, plugin_id=plugin_id, now=time.time()
            )
            self.submit(operation, size=size)
        except CannotEncode as error:
            self._count(StoreError(f"a message cannot be kept: {error}"))
        except StoreError:
            pass  # counted by submit

    # --- the thread's reports, in the loop -------------------------------------------------------------------------

    def _soon(self, function: Callable[..., None], *args: Any) -> None:
        try:
            self._token.run_sync_soon(function, *args)
        except trio.RunFinishedError:
            pass  # the loop ended without waiting for the thread: nobody is left to tell

    def _note_opened(self, error: StoreError | None) -> None:
        self._open_error = error
        self._is_open = error is None
        self._opened.set()

    def _note_ended(self) -> None:
        self._is_open = False
        self._give_up("its writer has ended")
        self._opened.set()
        self._ended.set()

    def _give_up(self, reason: str) -> None:
        left = self._writer.take_back()
        failure = StoreError(f"database {self.path}: {reason}; the operation was not run")
        for job in left:
            job.outcome = failure
        self._deliver(left)

    def _deliver(self, batch: list[Job]) -> None:
        left = iter(batch)
        try:
            for job in left:
                self.waiting -= 1
                self._waiting_bytes -= job.size
                if isinstance(job.outcome, StoreError):
                    self._count(job.outcome)
                if job.on_done is not None:
                    job.on_done(job.outcome)
        except BaseException:
            # A callback broke its promise, which ends the run; the others are still told.
            self._soon(self._deliver, list(left))
            raise

    def _count(self, error: StoreError) -> StoreError:
        if not isinstance(error, OperationRefused):
            self.failures += 1
            self.last_failure = str(error)
        return error

    # --- opening and closing ---------------------------------------------------------------------------------------

    async def _open(self) -> None:
        self._writer.start()
        await self._opened.wait()
        if self._open_error is not None:
            raise self._open_error

    async def _close(self) -> None:
        """Write what waits, in bounded time, and end the thread. A cancel does not shorten it."""
        self._is_open = False
        self._writer.stop()
        with trio.move_on_after(CLOSE_TIMEOUT, shield=True):
            await self._ended.wait()
        if not self._ended.is_set():
            self._give_up(f"closing took longer than {CLOSE_TIMEOUT:g} seconds")
            self._writer.interrupt()
            with trio.move_on_after(INTERRUPT_TIMEOUT, shield=True):
                await self._ended.wait()
        if self._ended.is_set():
            self._writer.join(1.0)  # it has said its last word: this takes microseconds
        else:
            self._count(
                StoreError(f"database {self.path}: the disk did not answer; its thread was left behind")
            )


@asynccontextmanager
async def open_store(path: Path) -> AsyncIterator[Store]:
    """Open the database at ``path``, make or migrate it if needed, and close it at the end.

    Everything that was submitted before the end of the block is written, and every ``on_done`` called, before the
    context ends. That takes at most some seconds more than the database needs, also when cancelled.

    Raises:
        StoreError: It cannot be opened: no directory, no right, locked, corrupt, newer than this program.
    """
    store = Store(path)
    try:
        await store._open()
        yield store
    finally:
        await store._close()
