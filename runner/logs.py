"""How does what plugins log and print get to the host: named, in batches, without ever stopping a plugin?

Every record of the standard ``logging`` module and every line that Python code prints becomes an entry. Entries wait in
a bounded buffer; a task sends them once a pass of the loop. Warnings, and everything while a plugin is being loaded, go
out at once: they may be the last that this process says.
"""

from __future__ import annotations

import io
import logging
import os
import threading
from collections import Counter, deque
from typing import TYPE_CHECKING, Any

import trio

from rookery.protocol import (
    RUNNER_LOG_BATCH,
    CannotEncode,
    Link,
    LocalProtocolError,
    LogBatch,
    LogEntry,
    limits,
    sendable,
    shown,
    unstructure,
)

from .border import PluginFailed, call_guarded, current_plugin
from .last_words import say_last_words
from .lines import Lines

if TYPE_CHECKING:
    from collections.abc import Iterable

RUNNER_LOGGER = "rookery.runner"

MAX_ENTRIES = 2000
MAX_WAITING_CHARS = limits.MIB
"""What waits at most for a host that does not read, or within one step of a plugin that floods."""

BATCH_ENTRIES = 200
BATCH_CHARS = 128 * limits.KIB

MAX_UNSENT_BYTES = 256 * limits.KIB
"""With more than this on its way the link is left to the calls; entries wait in the buffer."""

URGENT_AT_ONCE = 20
"""Entries that may go out with a system call each before the loop has had its turn; a flood must not cost one each."""


def logger_name_of(plugin_id: str) -> str:
    """The name of the logger that belongs to a plugin; "" is nobody's and gets the runner's own."""
    return f"plugin.{plugin_id}" if plugin_id else RUNNER_LOGGER


class LogShipper(logging.Handler):
    """The buffer between the ``logging`` module, whichever thread it is called in, and a link."""

    def __init__(self) -> None:
        super().__init__()
        self._guard = threading.RLock()
        self.is_loading = False
        """True while what is logged may be the last thing that this process says."""
        self._link: Link | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._loop_thread = 0
        self._work = trio.Event()
        self._entries: deque[LogEntry] = deque()
        self._chars = 0
        self._dropped: Counter[str] = Counter()
        self._urgent_left = URGENT_AT_ONCE
        self._tracebacks = logging.Formatter()

    def note_loading(self, begins: bool) -> None:
        """Between the two calls everything that is logged goes out at once."""
        self.is_loading = begins
        root = logging.getLogger()
        if self not in root.handlers:
            root.addHandler(self)  # a plugin that configures logging for itself takes all handlers away

    # --- taking ------------------------------------------------------------------------------------------------

    def handle(self, record: logging.LogRecord) -> bool:
        """Take a record that passes the filters; whether it did.

        Without the lock of the standard one: formatting runs code of plugins, and one that blocks must not block the
        others.
        """
        passed: Any = self.filter(record)  # since Python 3.12 a filter may put another record in its place
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        """Called by ``logging``, in any thread."""
        entry = self._entry_of(record)
        with self._guard:
            self._keep(entry)

    def _keep(self, entry: LogEntry) -> None:
        size = len(entry.message) + len(entry.exception_text)
        if len(self._entries) >= MAX_ENTRIES or self._chars + size > MAX_WAITING_CHARS:
            self._dropped[entry.logger_name] += 1
            return
        self._entries.append(entry)
        self._chars += size
        if self._link is None:
            return
        is_urgent = self.is_loading or entry.level >= logging.WARNING
        if is_urgent and self._urgent_left > 0 and threading.get_ident() == self._loop_thread:
            self._urgent_left -= 1
            self._send()
            self._link.flush_nowait()
        self._wake()

    def _entry_of(self, record: logging.LogRecord) -> LogEntry:
        plugin_id = current_plugin.get()
        name = record.name
        message = _message_of(record, plugin_id)
        if plugin_id and not name.startswith(("plugin.", RUNNER_LOGGER)):
            # The log of a library says nothing about who called it; the host goes by the logger's name.
            name, message = logger_name_of(plugin_id), f"{name}: {message}"
        trace = (
            self._tracebacks.formatException(record.exc_info) if record.exc_info else record.exc_text or ""
        )
        if record.stack_info:
            trace = f"{trace}\n{record.stack_info}".strip()
        return LogEntry(
            timestamp_ms=int(record.created * 1000),
            level=record.levelno if type(record.levelno) is int else logging.INFO,
            logger_name=sendable(name),
            message=sendable(message),
            exception_text=sendable(
                trace[-limits.MAX_ERROR_CHARS :]
            ),  # the end of a traceback says what happened
        )

    def _wake(self) -> None:
        if self._token is not None:
            try:
                self._token.run_sync_soon(self._note_work, idempotent=True)
            except trio.RunFinishedError:
                pass  # a thread that outlived the loop

    def _note_work(self) -> None:
        self._work.set()

    # --- sending -----------------------------------------------------------------------------------------------

    def attach(self, link: Link) -> None:
        """From now on entries go to this link. It has to be open."""
        self._link = link
        self._token = trio.lowlevel.current_trio_token()
        self._loop_thread = threading.get_ident()
        self._work.set()

    def detach(self) -> None:
        """The link is another process's: for a forked child. Nothing is sent any more."""
        self._link = self._token = None
        self._entries = deque()

    async def run(self) -> None:
        """Send what comes in, until cancelled. Costs nothing while nothing is logged."""
        while True:
            await self._work.wait()
            self._work = trio.Event()
            self._urgent_left = URGENT_AT_ONCE
            self.send_nowait()
            while self._entries and self._link is not None and not self._link.is_closed:
                await self._link.flush(60.0)  # the host is behind
                self.send_nowait()

    def send_nowait(self) -> None:
        """Hand the link as much as it should hold."""
        with self._guard:
            self._send()

    async def send_all(self, timeout: float) -> None:
        """Get everything to the kernel, as far as ``timeout`` seconds allow."""
        with trio.move_on_after(timeout):
            while self._link is not None and not self._link.is_closed:
                self.send_nowait()
                await self._link.flush(timeout)
                if not self._entries and not self._dropped:
                    return

    def _send(self) -> None:
        link = self._link
        if link is None:
            return
        while self._entries and not link.is_closed and link.session.bytes_out < MAX_UNSENT_BYTES:
            _broadcast(link, self._next_batch())
        if self._dropped and not self._entries:
            dropped, self._dropped = self._dropped, Counter()
            _broadcast(link, [_told(name, count) for name, count in sorted(dropped.items())])

    def _next_batch(self) -> list[LogEntry]:
        batch: list[LogEntry] = []
        chars = 0
        while self._entries and len(batch) < BATCH_ENTRIES and chars < BATCH_CHARS:
            entry = self._entries.popleft()
            chars += len(entry.message) + len(entry.exception_text)
            batch.append(entry)
        self._chars -= chars
        return batch


def _broadcast(link: Link, entries: Iterable[LogEntry]) -> None:
    try:
        link.broadcast(RUNNER_LOG_BATCH, unstructure(LogBatch(entries=list(entries))))
    except (CannotEncode, LocalProtocolError) as error:
        say_last_words(f"{RUNNER_LOGGER}: log entries could not be sent: {error}\n")


def _told(logger_name: str, count: int) -> LogEntry:
    record = logging.LogRecord(logger_name, logging.WARNING, "", 0, "", None, None)
    text = f"{count} log entries were dropped here: too many at once"
    return LogEntry(
        timestamp_ms=int(record.created * 1000), level=record.levelno, logger_name=logger_name, message=text
    )


def _message_of(record: logging.LogRecord, plugin_id: str) -> str:
    if type(record.msg) is str and not record.args:
        return record.msg
    try:
        return str(call_guarded(plugin_id, record.getMessage))  # formatting runs code of whoever logs
    except PluginFailed as error:
        return f"{shown(record.msg)} (cannot be formatted: {error.reason})"


class PrintStream(io.TextIOBase):
    """What ``sys.stdout`` and ``sys.stderr`` are in a runner: printed lines become log entries of the plugin that prints.

    Args:
        fd: The descriptor that it stands for. Bytes written to ``buffer`` go there and are read back as raw output.
    """

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, fd: int, level: int) -> None:
        self._fd = fd
        self._level = level
        self._lock = threading.RLock()
        self.lines: dict[str, Lines] = {}
        """By plugin, those that have printed and not finished."""
        self.buffer = io.FileIO(fd, "w", closefd=False)

    def write(self, text: str) -> int:
        data = text.encode("utf-8", "backslashreplace")
        plugin_id = current_plugin.get()
        with self._lock:
            lines = self.lines.get(plugin_id)
            if lines is None:
                lines = self.lines[plugin_id] = Lines(self._log)
            lines.feed(plugin_id, data)
        return len(text)

    def end_line(self, plugin_id: str) -> None:
        """The plugin has finished: what it printed without a line end is a line too."""
        if plugin_id in self.lines:
            with self._lock:
                self.lines.pop(plugin_id).end()

    def _log(self, plugin_id: str, line: str) -> None:
        if line:
            logging.getLogger(logger_name_of(plugin_id)).log(self._level, "%s", line)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return os.isatty(self._fd)
