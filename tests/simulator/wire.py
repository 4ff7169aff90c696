"""What lies between a host and one runner: a stream socket whose kernel is a seed's.

The host's end is what a link needs of a socket. Bytes that a runner wrote are the host's, whatever becomes of the runner;
they may be noticed late and in pieces. Bytes that the host wrote lie in a buffer of a certain size until the runner reads,
and are gone when it dies. A full buffer blocks, a write may be taken in part.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

import attrs
import trio

from tests.simulator.world import World


@attrs.define(kw_only=True)
class Weather:
    """How the kernel and the scheduler treat one connection. Times are seconds."""

    latency: float = 0.0005
    """The most that either side takes to notice that there is something."""
    tear: float = 0.0
    """How probable it is that a write is cut in two."""
    buffer: int = 200_000
    """Bytes that the runner may leave unread."""


class Wire:
    """One connection, and the host's end of it.

    Attributes:
        take: What the runner does with what it reads.
        may_read: Whether the runner reads now.
        is_broken: The runner has written what no host can read; nothing after it counts.
    """

    def __init__(self, world: World, weather: Weather) -> None:
        self._world = world
        self._weather = weather
        self.take: Callable[[bytes], None] = lambda data: None
        self.may_read: Callable[[], bool] = lambda: False
        self.is_broken = False
        self.is_closed = False
        """By the host."""
        self.has_ended = False
        """The runner's end is closed."""
        self.is_held = False
        """The runner is dead, and a grandchild has its end."""
        self._inbox = bytearray()
        self._arriving: list[bytes] = []
        self._outbox = bytearray()
        self._arrives_at = 0.0
        self._readable = trio.Event()
        self._writable = trio.Event()
        self._is_reading = False
        self._is_reset = False

    # --- the host's end: what a link asks of a socket ----------------------------------------------------------

    def setblocking(self, flag: bool) -> None:
        assert not flag

    def recv(self, size: int) -> bytes:
        if self.is_closed:
            raise OSError(errno.EBADF, "the host has closed it")
        if self._inbox:
            data = bytes(self._inbox[:size])
            del self._inbox[:size]
            return data
        if self._is_reset:
            self._is_reset = False
            raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
        if self.has_ended:
            return b""
        raise BlockingIOError

    def send(self, data: memoryview) -> int:
        if self.is_closed:
            raise OSError(errno.EBADF, "the host has closed it")
        if self.has_ended:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        size = min(len(data), self._weather.buffer - len(self._outbox))
        if size <= 0:
            raise BlockingIOError
        if size > 1 and self._world.happens(self._weather.tear):
            size = self._world.random.randrange(1, size)
        self._outbox += data[:size]
        self.wake_runner()
        return size

    def close(self) -> None:
        self.is_closed = True
        self._readable.set()
        self._writable.set()

    async def wait_readable(self) -> None:
        if self._inbox or self.is_closed or self.has_ended:
            await trio.lowlevel.checkpoint()
        else:
            self._readable = trio.Event()
            await self._readable.wait()
        if self.is_closed:
            raise trio.ClosedResourceError

    async def wait_writable(self) -> None:
        if self.is_closed or self.has_ended or len(self._outbox) < self._weather.buffer:
            await trio.lowlevel.checkpoint()
        else:
            self._writable = trio.Event()
            await self._writable.wait()
        if self.is_closed:
            raise trio.ClosedResourceError

    # --- the runner's end --------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Into the kernel: from here on it is the host's, which notices it after a while."""
        if self.has_ended or self.is_closed:
            return
        cut = len(data)
        if cut > 1 and self._world.happens(self._weather.tear):
            cut = self._world.random.randrange(1, cut)
        for piece in (data[:cut], data[cut:]):
            if piece:
                self._arriving.append(piece)
                delay = self._world.between(0.0, self._weather.latency)
                self._arrives_at = max(self._arrives_at, self._world.now + delay)
                self._world.at(self._arrives_at - self._world.now, self._arrive)

    def wake_runner(self) -> None:
        """There may be something to read, and the runner may be able to."""
        if not self._is_reading and self._outbox:
            self._is_reading = True
            self._world.at(self._world.between(0.0, self._weather.latency), self._read)

    def settle(self) -> None:
        """All that the runner has written is there."""
        while self._arriving:
            self._inbox += self._arriving.pop(0)
        # The host may hear of the death before it hears of this.
        self._world.at(self._world.random.choice((0.0, self._weather.latency)), self._readable_now)

    def end(self) -> None:
        """The runner's end is closed. What it had not read is gone, and the kernel tells the host that it is."""
        if not self.has_ended:
            self.settle()
            self.has_ended = True
            self._is_reset = bool(self._outbox)
            self._outbox.clear()
            self._writable.set()

    @property
    def unread(self) -> int:
        """Bytes that the runner has left."""
        return len(self._outbox)

    # --- inside ------------------------------------------------------------------------------------------------

    def _readable_now(self) -> None:
        self._readable.set()

    def _arrive(self) -> None:
        if self._arriving:
            self._inbox += self._arriving.pop(0)
            self._readable.set()

    def _read(self) -> None:
        self._is_reading = False
        if self.has_ended or self.is_held or not self._outbox or not self.may_read():
            return
        data = bytes(self._outbox)
        self._outbox.clear()
        self._writable.set()
        self.take(data)


async def wait_readable(original: Callable[..., object], what: object) -> None:
    """``trio.lowlevel.wait_readable`` for wires and for everything else."""
    if isinstance(what, Wire):
        await what.wait_readable()
    else:
        await original(what)  # type: ignore[misc]


async def wait_writable(original: Callable[..., object], what: object) -> None:
    """``trio.lowlevel.wait_writable`` for wires and for everything else."""
    if isinstance(what, Wire):
        await what.wait_writable()
    else:
        await original(what)  # type: ignore[misc]


def notify_closing(original: Callable[[object], None], what: object) -> None:
    """``trio.lowlevel.notify_closing``: whoever waits for a wire hears of its close from the wire."""
    if not isinstance(what, Wire):
        original(what)
