"""How does one connection live: reading, writing, watching for silence, and one reason why it ended?

Every byte goes out through one task. A task that is cancelled in the middle of a write leaves half a line behind,
and whoever sends here (a handler with a deadline) may be cancelled at any time.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import trio

from rookery.protocol import Bucket

from .errors import NotConnected, RegistrationRefused
from .line import command
from .liveness import Liveness
from .received import Received, ServerClosed, Welcomed
from .session import IrcSession
from .settings import Settings
from .stream import describe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

REGISTRATION_TIMEOUT = 60.0  # seconds; servers that look up names and idents are slow to welcome
WRITE_TIMEOUT = 30.0  # seconds for bytes that the server does not take
QUIT_TIMEOUT = 2.0  # seconds for our last words
LAST_READ = 1.0  # seconds to read what is still under way when writing has failed
_READ_BYTES = 65536


@attrs.frozen(eq=False)
class _Post:
    data: bytes
    settled: trio.Event = attrs.field(factory=trio.Event)  # written, or it never will be


@attrs.define(eq=False)
class Connection:
    """One connection, from the first line to the reason of its end."""

    settings: Settings
    session: IrcSession
    lost: str = ""
    """Why it ended; empty while it lives."""
    welcomed: trio.Event = attrs.Factory(trio.Event)
    """Set when the server has let us in."""
    _stream: trio.abc.Stream = attrs.field(kw_only=True)
    _posts: trio.MemorySendChannel[_Post] = attrs.field(init=False)
    _to_write: trio.MemoryReceiveChannel[_Post] = attrs.field(init=False)
    _liveness: Liveness = attrs.field(init=False)
    _bucket: Bucket = attrs.field(init=False)
    _unsettled: set[_Post] = attrs.Factory(set)
    _ended: trio.Event = attrs.Factory(trio.Event)  # nothing can be sent any more
    _scope: trio.CancelScope = attrs.Factory(trio.CancelScope)

    def __attrs_post_init__(self) -> None:
        # Unbounded, because what enters is bounded: lines wait for the bucket first, the rest answers the server.
        self._posts, self._to_write = trio.open_memory_channel[_Post](math.inf)
        self._liveness = Liveness(self.settings.ping_interval, self.settings.ping_patience)
        self._bucket = Bucket.full(self.settings.flood_rate, self.settings.flood_burst, trio.current_time())

    async def run(self, handle: Callable[[Received], None], wait_room: Callable[[], Awaitable[None]]) -> str:
        """Live until the server goes, is silent for too long, or :meth:`lose` is called; return why.

        Args:
            handle: Told what happens, in order. It does not wait, so nothing that was read is lost by a cancel.
            wait_room: While it waits, nothing more is read.
        """
        self._liveness.heard(trio.current_time())
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write)
                    nursery.start_soon(self._watch)
                    nursery.start_soon(self._await_welcome)
                    try:
                        await self._read(handle, wait_room)
                    except RegistrationRefused as error:
                        self.lose(f"registration refused: {error}")
        finally:
            self.lose("cancelled")
            self._posts.close()
            self._to_write.close()
            await trio.aclose_forcefully(self._stream)
        return self.lost

    async def send(self, line: bytes) -> None:
        """Wait for the flood control and then until the line is written.

        A cancel while it waits for the flood control sends nothing; after that the whole line is sent anyway.

        Raises:
            NotConnected: The connection ended before the line was written.
        """
        with trio.move_on_after(self._bucket.wait(trio.current_time())):
            await self._ended.wait()
        self._bucket.charge(1, trio.current_time())
        post = self._post(line)
        await post.settled.wait()
        if post in self._unsettled:
            raise NotConnected(f"the connection was lost: {self.lost}")

    async def quit(self, reason: str) -> None:
        """Say good-bye; the server then closes the connection, or it ends shortly after."""
        with trio.move_on_after(QUIT_TIMEOUT):
            await self._post(command("QUIT", reason)).settled.wait()
        self.lose("we left", grace=QUIT_TIMEOUT)

    def lose(self, reason: str, *, grace: float = 0.0) -> None:
        """End the connection; only the first reason counts.

        Args:
            grace: Seconds for which what the server still sends is read.
        """
        self.lost = self.lost or reason
        self._scope.deadline = min(self._scope.deadline, trio.current_time() + grace)
        self._ended.set()
        for post in self._unsettled:
            post.settled.set()

    def _post(self, data: bytes) -> _Post:
        post = _Post(data)
        self._unsettled.add(post)
        if self.lost:
            post.settled.set()
        else:
            self._posts.send_nowait(post)
        return post

    async def _read(
        self, handle: Callable[[Received], None], wait_room: Callable[[], Awaitable[None]]
    ) -> None:
        self._post(self.session.data_to_send())
        while data := await self._receive():
            self._liveness.heard(trio.current_time())
            received = self.session.receive(data)
            # Answers go out before anything waits: a PONG must not depend on a slow host.
            if answers := self.session.data_to_send():
                self._post(answers)
            for occurrence in received:
                match occurrence:
                    case Welcomed():
                        self.welcomed.set()
                    case ServerClosed(reason):
                        self.lose(f"the server said: {reason}")
                handle(occurrence)
            await wait_room()
        self.lose("the server closed the connection")

    async def _receive(self) -> bytes:
        try:
            return bytes(await self._stream.receive_some(_READ_BYTES))
        except trio.BrokenResourceError as error:
            self.lose(f"reading failed: {describe(error)}")
            return b""

    async def _write(self) -> None:
        async for post in self._to_write:
            try:
                with trio.move_on_after(WRITE_TIMEOUT) as patience:
                    await self._stream.send_all(post.data)
            except trio.BrokenResourceError as error:
                self.lose(f"writing failed: {describe(error)}", grace=LAST_READ)
                return
            if patience.cancelled_caught:
                self.lose(f"the server took nothing for {WRITE_TIMEOUT:g} s")
                return
            self._unsettled.discard(post)
            post.settled.set()

    async def _watch(self) -> None:
        while True:
            # Also within the patience: the PONG that ends it does not wake this task.
            pause = trio.current_time() + self.settings.ping_interval
            await trio.sleep_until(min(pause, self._liveness.next_look()))
            now = trio.current_time()
            if self._liveness.is_gone(now):
                self.lose(f"no answer to a PING for {self.settings.ping_patience:g} s")
                return
            if self._liveness.should_ask(now):
                self._liveness.asked(now)
                self._post(command("PING", "rookery"))

    async def _await_welcome(self) -> None:
        with trio.move_on_after(REGISTRATION_TIMEOUT):
            await self.welcomed.wait()
            return
        self.lose(f"no welcome within {REGISTRATION_TIMEOUT:g} s")
