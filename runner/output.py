"""Whose is what arrives on this process's own standard output and standard error?

What a plugin prints through Python is named in ``logs.py``. What it or a library writes straight to descriptor 1 or 2
has no name, so the runner reads its own pipes: after each step of a task that runs plugin code, and at the end of each
call, it takes what is there and knows whose it is. Looking costs one system call.

A thread waits for what comes at other times (from a plugin's thread or child process) and pokes the loop. It takes data
itself only when a step of a plugin fills the pipe and would wait for ever for its own reader; below that everything
stays in the kernel, where the host still finds it when the process is dead.
"""

from __future__ import annotations

import array
import fcntl
import os
import select
import termios
import threading
from typing import TYPE_CHECKING

import trio

from .border import current_plugin
from .lines import Lines

if TYPE_CHECKING:
    from collections.abc import Callable

READ_BYTES = 64 * 1024
TAKE_BYTES = 256 * 1024
"""What one look takes at most: a child process that never stops writing must not keep the loop."""

MAX_OVERFLOW_BYTES = 256 * 1024
"""What the thread keeps of one pipe while the loop is blocked; the rest of a flood is dropped and counted."""

RELIEF = (0.005, 0.1)
"""Seconds between two looks of the thread while the loop is blocked with something in a pipe: first, and at most."""


class RawOutput(trio.abc.Instrument):
    """The reader of this process's own output. Use it as an async context manager inside the loop.

    Args:
        fds: The read ends of standard output and standard error. They are taken over and closed.
        emit: Called in the loop with the plugin's id ("" unknown), whether it is standard error, and a line.
    """

    def __init__(self, fds: tuple[int, int], emit: Callable[[str, bool, str], None]) -> None:
        self._pipes = [_Pipe(fd, _lines_to(emit, is_error=fd == fds[1])) for fd in fds]
        self._look = select.poll()
        for pipe in self._pipes:
            self._look.register(pipe.fd, select.POLLIN)
        self._last = ""
        self._has_read = False
        """Since the last end of a call: a line may be open."""
        self._is_relieved = False
        """The thread may have taken something out of a pipe."""
        self._token: trio.lowlevel.TrioToken | None = None
        self._taken = threading.Event()
        self._is_over = False
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._watch, name="raw output", daemon=True)

    async def __aenter__(self) -> RawOutput:
        self._token = trio.lowlevel.current_trio_token()
        trio.lowlevel.add_instrument(self)
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        trio.lowlevel.remove_instrument(self)
        self._is_over = True
        self._taken.set()
        os.write(self._wake_write, b"x")
        self._thread.join()
        self.take(self._last)
        for fd in (self._wake_read, self._wake_write, *(pipe.fd for pipe in self._pipes)):
            os.close(fd)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Trio calls this: name what the step of a plugin's task has left."""
        plugin_id = task.context.get(current_plugin)
        if plugin_id:
            self._last = plugin_id
            if self._look.poll(0) or self._is_relieved:
                self._read(plugin_id)

    def take(self, plugin_id: str) -> None:
        """Read what is there as this plugin's; it has finished, so an open line ends too."""
        if plugin_id:
            self._last = plugin_id
        if self._look.poll(0) or self._is_relieved:
            self._read(plugin_id)
        if self._has_read:
            self._has_read = False
            for pipe in self._pipes:
                if pipe.lines.is_open:
                    pipe.lines.end()

    def _read(self, plugin_id: str) -> None:
        self._is_relieved, self._has_read = False, True
        for pipe in self._pipes:
            data, dropped = pipe.read()
            if data:
                pipe.lines.feed(plugin_id, data)
            if dropped:
                pipe.lines.feed(
                    plugin_id, b"\n[%d bytes of output were dropped: too much at once]\n" % dropped
                )
            if pipe.has_ended:
                self._forget(pipe)

    def _forget(self, pipe: _Pipe) -> None:
        # A plugin closed descriptor 1 or 2 and nobody else has it: it would be readable for ever.
        try:
            self._look.unregister(pipe.fd)
        except KeyError:
            pass

    # --- the thread --------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        assert self._token is not None
        waiting = True
        while waiting:
            self._wait_for_output()
            self._taken.clear()
            if self._is_over:
                return
            try:
                self._token.run_sync_soon(self._take_late, idempotent=True)
            except trio.RunFinishedError:
                return
            waiting = self._relieve_until_taken()

    def _wait_for_output(self) -> None:
        wait = select.poll()
        wait.register(self._wake_read, select.POLLIN)
        for pipe in self._pipes:
            if not pipe.has_ended:
                wait.register(pipe.fd, select.POLLIN)
        wait.poll()

    def _relieve_until_taken(self) -> bool:
        pause = RELIEF[0]
        while not self._taken.wait(pause):
            self._is_relieved = (
                True  # before: whoever waits for room in the pipe may end its step before this goes on
            )
            relieved = [pipe.relieve() for pipe in self._pipes]
            self._is_relieved |= any(relieved)
            pause = RELIEF[0] if any(relieved) else min(2 * pause, RELIEF[1])
        return not self._is_over

    def _take_late(self) -> None:
        # Of a thread or a child process; the plugin that ran last is the best guess there is.
        self._read(self._last)
        self._taken.set()


def _lines_to(emit: Callable[[str, bool, str], None], *, is_error: bool) -> Lines:
    return Lines(lambda plugin_id, line: emit(plugin_id, is_error, line))


class _Pipe:
    """The read end of one pipe, read by the loop and, in need, by the thread, in the order of the bytes."""

    def __init__(self, fd: int, lines: Lines) -> None:
        self.fd = _private(fd)
        self.lines = lines
        self.overflow = bytearray()
        self.dropped = 0
        self.has_ended = False
        self._capacity = _capacity_of(self.fd)
        self._lock = threading.Lock()

    def read(self) -> tuple[bytes, int]:
        """What the thread had to take, then what is in the pipe, and how much was dropped."""
        with self._lock:
            data, dropped = bytes(self.overflow), self.dropped
            self.overflow.clear()
            self.dropped = 0
            left = TAKE_BYTES
            chunks = [data]
            while left > 0 and not dropped and (chunk := self._read_some()):
                chunks.append(chunk)
                left -= len(chunk)
            return b"".join(chunks), dropped

    def relieve(self) -> bool:
        """Empty the pipe if a writer is about to wait for us; True when it was."""
        if self.has_ended or _bytes_in(self.fd) <= self._capacity // 2:
            return False
        with self._lock:
            chunk = self._read_some()
            room = max(0, MAX_OVERFLOW_BYTES - len(self.overflow))
            self.overflow += chunk[:room]
            self.dropped += len(chunk[room:])
        return True

    def _read_some(self) -> bytes:
        try:
            chunk = os.read(self.fd, READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError:
            chunk = b""
        self.has_ended = not chunk
        return chunk


def _private(fd: int) -> int:
    """Our own non-blocking way into the pipe. The flag would change the host's copy too if we set it on this one."""
    try:
        own = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        os.set_blocking(fd, False)
        return fd
    os.close(fd)
    return own


def _capacity_of(fd: int) -> int:
    get_size = getattr(fcntl, "F_GETPIPE_SZ", None)
    return fcntl.fcntl(fd, get_size) if get_size is not None else 16 * 1024


def _bytes_in(fd: int) -> int:
    count = array.array("i", [0])
    fcntl.ioctl(fd, termios.FIONREAD, count)
    return count[0]
