"""How do operations reach the database: one thread, whatever waits in one transaction, one wake-up of the loop a batch.

Alternatives, as measured: a thread a call does a ninth of it. A savepoint around each operation makes three statements
of one, and each statement gives the interpreter lock away and has to fight for it with the loop. So a batch runs
plainly first. Only when an operation failed that may have written something, the whole batch is rolled back and run
again with savepoints; the failed one then harms no other.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from enum import Enum
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

import attrs

from .store_errors import OperationRefused, StoreError, explain, primary_code
from .store_schema import open_database

if TYPE_CHECKING:
    from pathlib import Path

    Operation = Callable[[sqlite3.Connection], Any]

MAX_BATCH = 500
"""Operations in one transaction: their callbacks run in one go, and may hold the loop for a few milliseconds."""

DOZE = 0.05
"""Seconds that a job which nobody waits for may lie, so that it shares a commit with others."""

INTERRUPT_STEPS = 100_000
"""Instructions of SQLite's machine between two looks at whether to break off: about a millisecond."""


@attrs.define(eq=False)
class Job:
    """One operation on its way through the thread."""

    operation: Operation
    on_done: Callable[[Any], None] | None
    size: int
    """Bytes that it holds in memory, about."""
    outcome: Any = None
    """What the operation returned, or the ``StoreError`` that ended it."""


class Writer:
    """The thread that owns the connection. Its methods are called from the loop's thread.

    Args:
        on_opened: Called in the thread, once: ``None``, or why the database could not be opened. Then the thread ends.
        on_batch: Called in the thread after each commit with the settled jobs.
        on_ended: Called in the thread as its last act; the connection is closed by then.
    """

    def __init__(
        self,
        path: Path,
        *,
        on_opened: Callable[[StoreError | None], None],
        on_batch: Callable[[list[Job]], None],
        on_ended: Callable[[], None],
    ) -> None:
        self._path = path
        self._on_opened = on_opened
        self._on_batch = on_batch
        self._on_ended = on_ended
        self._jobs: deque[Job] = deque()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._sleep = _Sleep.AWAKE
        self._stopping = False
        self._interrupted = False
        # A daemon: a disk that never answers must not keep a finished program alive.
        self._thread = threading.Thread(target=self._run, name=f"rookery store {path.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, job: Job) -> None:
        """Queue a job. A busy thread will find it by itself; only an idle one is woken, which costs a system call.

        A job that nobody waits for does not wake a thread that only dozes: it is written with the next one that
        somebody waits for, or at the end of the doze. So a message costs no commit of its own.
        """
        self._jobs.append(job)
        if self._sleep is _Sleep.ASLEEP or (self._sleep is _Sleep.DOZING and job.on_done is not None):
            self._sleep = _Sleep.AWAKE
            self._bell.put(None)

    def stop(self) -> None:
        """Let the thread end when everything that waits is done."""
        self._stopping = True
        self._bell.put(None)

    def take_back(self) -> list[Job]:
        """Remove and return what waits and has not begun."""
        jobs = []
        while self._jobs:
            try:
                jobs.append(self._jobs.popleft())
            except IndexError:
                break  # the thread was faster
        return jobs

    def interrupt(self) -> None:
        """Break off the statement that runs now, and every later one that takes long; its whole batch fails."""
        self._interrupted = True

    def join(self, timeout: float) -> bool:
        """Wait at most ``timeout`` seconds, blocking, for the thread's end; True when it has ended."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    # --- in the thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            try:
                connection = open_database(self._path)
            except StoreError as error:
                self._on_opened(error)
                return
            # Not Connection.interrupt(): it does nothing when it comes between two statements.
            connection.set_progress_handler(lambda: self._interrupted, INTERRUPT_STEPS)
            self._on_opened(None)
            try:
                while batch := self._take():
                    self._run_batch(connection, batch)
                    del batch  # do not keep the last rows alive while idle
            finally:
                connection.close()
        finally:
            self._on_ended()

    def _run_batch(self, connection: sqlite3.Connection, batch: list[Job]) -> None:
        try:
            run_batch(connection, self._path, batch)
        except BaseException as error:
            # A defect of this file; whoever waits is still told before the thread ends and the store with it.
            for job in batch:
                job.outcome = StoreError(
                    f"the writer of database {self._path} ended: {type(error).__name__}: {error}"
                )
            self._on_batch(batch)
            raise
        self._on_batch(batch)

    def _take(self) -> list[Job]:
        """Everything that waits, up to a batch; waits while there is nothing. Empty at the end."""
        jobs = self._jobs
        if not jobs and not self._stopping:
            self._rest(_Sleep.DOZING, DOZE)
        while not jobs:
            if self._stopping:
                return []
            self._rest(_Sleep.ASLEEP, None)
        batch: list[Job] = []
        while jobs and len(batch) < MAX_BATCH:
            try:
                batch.append(jobs.popleft())
            except IndexError:
                break  # `take_back` was faster
        return batch or self._take()

    def _rest(self, sleep: _Sleep, timeout: float | None) -> None:
        """Wait for the bell; a bell that rang for nothing only makes this return early."""
        # Say it first, look again after: `put` does it the other way round, so one of the two sees the other.
        self._sleep = sleep
        if not self._jobs and not self._stopping:
            try:
                self._bell.get(timeout=timeout)
            except Empty:
                pass
        self._sleep = _Sleep.AWAKE


class _Sleep(Enum):
    """How deep the thread sleeps: what wakes it."""

    AWAKE = "awake"
    DOZING = "dozing"
    """A job that somebody waits for, or a little time."""
    ASLEEP = "asleep"
    """Any job."""


def run_batch(connection: sqlite3.Connection, path: Path, batch: list[Job]) -> None:
    """Run all jobs in one transaction and settle each; never raises for what an operation or the database does."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        if not all(_run_plainly(connection, path, job) for job in batch):
            connection.execute("ROLLBACK")
            connection.execute("BEGIN IMMEDIATE")
            for job in batch:
                _run_in_savepoint(connection, path, job)
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        failure = explain(path, error)
        for job in batch:
            job.outcome = failure
        if connection.in_transaction:
            _roll_back(connection)


def _run_plainly(connection: sqlite3.Connection, path: Path, job: Job) -> bool:
    """False when the operation failed and may have left something half done."""
    changes = connection.total_changes
    job.outcome = _attempt(connection, path, job)
    if not isinstance(job.outcome, StoreError):
        return True
    return isinstance(job.outcome, OperationRefused) and connection.total_changes == changes


def _run_in_savepoint(connection: sqlite3.Connection, path: Path, job: Job) -> None:
    connection.execute("SAVEPOINT operation")
    job.outcome = _attempt(connection, path, job)
    if isinstance(job.outcome, StoreError):
        connection.execute("ROLLBACK TO operation")
    connection.execute("RELEASE operation")


def _attempt(connection: sqlite3.Connection, path: Path, job: Job) -> Any:
    outcome: Any
    try:
        outcome = job.operation(connection)
    except StoreError as error:
        outcome = error
    except sqlite3.Error as error:
        if not connection.in_transaction or primary_code(error) == sqlite3.SQLITE_INTERRUPT:
            raise  # SQLite gave the whole transaction up (full, out of memory, the disk failed), or we do
        outcome = explain(path, error)
    except Exception as error:  # an operation may be the embedding host's code; the thread has to outlive it
        outcome = StoreError(f"an operation on database {path} failed: {type(error).__name__}: {error}")
    if not connection.in_transaction:
        raise sqlite3.OperationalError("an operation ended the transaction that it shares with others")
    return outcome


def _roll_back(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("ROLLBACK")
    except sqlite3.Error:
        pass  # the failure is told already; the next BEGIN says if it lasts
