"""What is kept of a runner that died, for whoever asks why later?

One file for each death that nobody had planned. The line for people, how it came to it, and all evidence there is: the
crumb, the calls that had begun, the stacks, the last words. Writing must never cost a runner or the host anything, so it
happens in a thread, from a short queue, and a disk that is full is said once.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

import trio

from .exit_report import signal_name
from .observers import RunnerDied, ShardMoved

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .exit_report import ExitReport

_LOG = logging.getLogger(__name__)

CRASH_DIRECTORY = "crashes"
KEPT = 100
"""Files; the oldest go first. Seven megabytes at the very most."""

QUEUE = 32
"""Reports that wait to be written; more at once are a disk that hangs, and are dropped and counted."""

MAX_MOVES = 100
"""Of one runner: one that is suspect again and again has the latest ones told."""

LAST_WRITING = 2.0
"""Seconds that the host's own end waits for what is left to be written."""

MIB = 1024 * 1024

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def render(report: ExitReport, moves: Iterable[ShardMoved], *, following: str = "") -> str:
    """The text of one file. It has nothing in it that a terminal would obey.

    Args:
        moves: Those of this runner, in order.
        following: What the shard did next.
    """
    parts = [
        report.describe(),
        *([f"what followed: {following}"] if following else []),
        "",
        *_facts(report),
        "",
        f"calls that {'had' if report.knows_started else 'may have'} begun: {len(report.started)}",
        *(f"  {_call(call.describe(), call.session_id, call.request_id)}" for call in report.started),
        f"calls that wait for the next runner: {report.put_back}",
        "",
        "what happened",
        *(
            f"  {move.at - report.started_at:+10.3f} s  {move.old.value} -> {move.new.value}: {move.reason}"
            for move in moves
        ),
    ]
    if report.dump:
        parts += ["", "stacks", report.dump.rstrip("\n")]
    parts += ["", "the end of its standard error", report.stderr_tail.rstrip("\n") or "  (nothing)", ""]
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", "\n".join(parts))


def _facts(report: ExitReport) -> list[str]:
    status = f"exit code {report.code}" if report.code is not None else "unknown"
    if report.signal is not None:
        by = "the host" if report.sent_signal else "not by the host"
        status = (
            f"{signal_name(report.signal)}, sent {by}"
            if report.sent_signal
            else f"{signal_name(report.signal)}, {by}"
        )
    facts = {
        "kind": report.kind.value,
        "reason": report.reason,
        "status": status,
        "state before": report.state.value,
        "lived": f"{report.ended_at - report.started_at:.3f} s, {report.ready_for:.3f} s of it ready",
        "processor": "" if report.cpu is None else f"{report.cpu:.3f} s",
        "memory": "" if report.max_rss is None else f"{report.max_rss / MIB:.0f} MiB at most",
        "loading": report.loading,
        "hang": "" if report.hang is None else f"{report.hang.value}: {report.hang.explanation}",
        "crumb": _crumb(report),
        "place": "" if report.place is None else f"{report.place.plugin_id}, {report.place.describe()}",
        "thread": "" if report.is_loop_thread else "another than the loop's",
        "plugins": ", ".join(report.plugins),
    }
    return [f"{name + ':':<14}{' '.join(value.split())}" for name, value in facts.items() if value]


def _crumb(report: ExitReport) -> str:
    crumb = report.crumb
    if crumb is None:
        return "none"
    text = crumb.phase.name.lower()
    if report.crumb_plugin:
        text += f" of {report.crumb_plugin}"
    return f"{text}, request {crumb.request_id}" if crumb.request_id else text


def _call(text: str, session_id: str, request_id: int) -> str:
    session = f"session {session_id}, " if session_id else ""
    return " ".join(f"{text} ({session}request {request_id})".split())


class CrashReports:
    """Writes a file for each unplanned death: add ``observe`` to the observers and let ``run`` run.

    Args:
        directory: Made when it is needed, readable by nobody else.
        kept: How many files stay.

    Attributes:
        dropped: Reports that were never written.
        problem: Why the last one could not be; "" when it could.
    """

    def __init__(self, directory: Path, *, kept: int = KEPT) -> None:
        self._directory = directory
        self._kept = kept
        self._moves: dict[str, deque[ShardMoved]] = {}
        self._queue: deque[tuple[str, str]] = deque()
        self._work = trio.Event()
        self._disk = threading.Lock()
        """Held by the thread that writes, from taking a report out of the queue on."""
        self._results: deque[tuple[str, str]] = deque()
        """The name of what a thread has tried to write, and the problem with that, or ""; also of one that nobody waits for."""
        self.dropped = 0
        self.problem = ""

    def observe(self, record: object) -> None:
        """Take any record; a death is rendered now, with what is known now."""
        if isinstance(record, ShardMoved):
            moves = self._moves.setdefault(record.shard, deque(maxlen=MAX_MOVES))
            if moves and moves[-1].incarnation != record.incarnation:
                moves.clear()
            moves.append(record)
        elif isinstance(record, RunnerDied) and not record.report.planned and record.report.pid is not None:
            self._take(record)

    async def run(self) -> None:
        """Write until cancelled, and then what is left."""
        try:
            while True:
                await self._work.wait()
                self._work = trio.Event()
                await self._write_all()
        finally:
            with trio.move_on_after(LAST_WRITING, shield=True):
                await self._write_next()  # also waits for a thread that the cancel has left to itself
                await self._write_all()

    def _take(self, record: RunnerDied) -> None:
        if len(self._queue) >= QUEUE:
            self.dropped += 1
            return
        report = record.report
        now = time.time()
        moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
        shard = _UNSAFE.sub("_", report.shard)[:64]
        moves = [move for move in self._moves.get(report.shard, ()) if move.incarnation == report.incarnation]
        text = f"{moment}\n{render(report, moves, following=record.next)}"
        self._queue.append((f"{moment}-{shard}-{report.incarnation}.txt", text))
        self._work.set()

    async def _write_all(self) -> None:
        while self._queue:
            await self._write_next()

    async def _write_next(self) -> None:
        """Does nothing when there is none."""
        await trio.to_thread.run_sync(self._take_and_write, abandon_on_cancel=True)
        while self._results:
            self._note(*self._results.popleft())

    def _note(self, name: str, problem: str) -> None:
        if problem:
            self.dropped += 1
            if not self.problem:
                _LOG.warning(
                    "the crash report %s cannot be written to %s: %s; this is not said again until one can",
                    name, self._directory, problem,
                )  # fmt: skip
        self.problem = problem

    def _take_and_write(self) -> None:
        """In a thread."""
        with self._disk:
            try:
                name, text = self._queue.popleft()
            except IndexError:
                return
            self._results.append((name, self._write(self._directory / name, text)))

    def _write(self, path: Path, text: str) -> str:
        """The problem, or ""."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                _write_private(path, text.encode("utf-8", "backslashreplace"))
            except OSError:
                path.unlink(missing_ok=True)  # half a report takes room and tells nothing
                raise
            for old in sorted(self._directory.glob("*.txt"))[: -self._kept]:
                old.unlink(missing_ok=True)
        except OSError as error:
            return error.strerror or str(error)
        return ""


def _write_private(path: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    with open(os.open(path, flags, 0o600), "wb") as file:
        file.write(data)
