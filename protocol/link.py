"""How does a session run over a real socket? Here, and in the files named below, the protocol knows an event loop.

A link owns its socket and three tasks: one reads (``reader.py``), one waits for a peer that is slow to read, one looks at
deadlines while something is pending. The reader never awaits a write: two peers whose readers wait for their own writers
dead-lock as soon as both socket buffers are full. Frames that are sent during one pass of the scheduler leave in one ``send``
at its end (``flusher.py``), or before that when they have become many, so that the peer has something to do meanwhile.

The textbook shape (a nursery, an event and a cancel scope a call) was measured and costs 1.7 times the round trip, so
a caller is woken through its own task, and one coarse sweep stands for all deadlines.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio

from .errors import ConnectionLost, RookeryError
from .flusher import flusher
from .limits import DEADLINE_SWEEP, EARLY_FLUSH_BYTES, WRITE_BUFFER_BYTES
from .methods import METHODS
from .paced_reader import PacedReader
from .reader import Reader
from .slot import Slot
from .state import State

if TYPE_CHECKING:
    import socket

    from .flusher import Flusher
    from .methods import Method
    from .pace import Pace
    from .reader import TakeHere
    from .received import Pending
    from .request import Request
    from .session import Session

Payload = dict[str, Any]
OnDone = Callable[[Payload | RookeryError], None]


@attrs.frozen
class Closed:
    """Why a link ended."""

    kind: str
    """``eof`` the peer went · ``closed`` this side closed · ``protocol`` the peer broke a rule · ``stuck`` the peer does
    not read."""
    reason: str


class Link:
    """A session driven over a stream socket that the link owns and closes.

    Args:
        sock: A connected stream socket; it is made non-blocking.
        session: A fresh session.
        on_request: Called synchronously, in the order of arrival, for each request of the peer. It must not raise, and
            must see to it that the request is answered once.
        on_broadcast: The same for broadcasts: ``(method, plugin_id, payload)``. ``None`` ignores them.
        on_taken: Called with the highest id that has been taken from the socket, when that has changed.
        pace: Of a peer that is not trusted; None reads as fast as it comes.
        max_unwritten: Bytes that may wait for the peer to read; more end the link. None is what is enough for whoever reads.
    """

    def __init__(
        self,
        sock: socket.socket,
        session: Session,
        *,
        on_request: Callable[[Request], None],
        on_broadcast: Callable[[Method, str, Payload], None] | None = None,
        on_taken: Callable[[int], None] | None = None,
        pace: Pace | None = None,
        max_unwritten: int | None = None,
    ) -> None:
        sock.setblocking(False)
        self.session = session
        session.set_wall_clock(_wall_clock_ms)
        self._sock = sock
        self.pace = pace
        self._max_unwritten = WRITE_BUFFER_BYTES if max_unwritten is None else max_unwritten
        reader = Reader if pace is None else partial(PacedReader, pace)
        self._reader = reader(self, sock, on_request=on_request, on_broadcast=on_broadcast, on_taken=on_taken)
        self._work = trio.Event()
        self._waiting: trio.Event | None = None
        """Of the sweep, while nothing is pending."""
        self._written = trio.Event()
        self._writing = False
        self._flusher: Flusher | None = None
        """Known while it runs."""
        self._is_queued = False
        """The end of this pass writes."""
        self.is_batching = True
        """False writes at once. Nothing else changes, which is what tests compare."""
        self._scope = trio.CancelScope()
        self._closed: Closed | None = None
        self._end: Closed | None = None
        self._in_hand = 0
        """Bytes that the writer has taken, and the kernel has not."""
        self.bytes_written = 0
        """What the kernel has taken, in all."""

    def __repr__(self) -> str:
        return f"<Link {self._end.reason if self._end else 'running'} over {self.session!r}>"

    @property
    def is_closed(self) -> bool:
        """True from the moment the link has ended; nothing can be sent any more."""
        return self._end is not None

    @property
    def unwritten(self) -> int:
        """Bytes that wait for the peer to read."""
        return self.session.bytes_out + self._in_hand

    @property
    def pending_count(self) -> int:
        return len(self.session.pending)

    # --- running -----------------------------------------------------------------------------------------------

    async def run(self) -> Closed:
        """Pump until the peer goes, a rule is broken or ``close`` is called; say why it ended.

        When it returns, or is cancelled, the socket is closed and every pending request has been settled. It raises
        nothing that the peer could cause.
        """
        self._flusher = flusher()
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write)
                    nursery.start_soon(self._sweep)
                    await self._reader.run()
                    nursery.cancel_scope.cancel()
        finally:
            end = self._closed or Closed("closed", "this side closed the connection")
            self._finish(end)
        return end

    def close(self, reason: str = "this side closed the connection") -> None:
        """End the link from this side at the next opportunity; ``run`` then returns."""
        self.note("closed", reason)
        self._scope.cancel()

    def lend(self, nursery: trio.Nursery) -> None:
        """Read in tasks of this nursery, which lives longer. To be called before ``run``; see ``take_here``."""
        self._reader.nursery = nursery

    def take_here(self, take: TakeHere | None) -> None:
        """From now on requests are worked on in the task that has read them; with ``None`` not any more.

        Args:
            take: Called for each, instead of ``on_request``, when all that came with it has been read. Work that has to wait
                for something is what it returns, and keeps that task of the nursery.
        """
        self._reader.take_here = take

    def drain_nowait(self, most: int | None = None) -> None:
        """Handle what the kernel still holds, until it would block or so many bytes are read; of a peer with a pace, one turn.

        For the moment after the peer's death was proved otherwise: what it had written counts.
        """
        if not self._reader.drain_nowait(most):
            self._scope.cancel()  # the reader may never find out: a grandchild can hold the peer's end

    async def drain(self) -> None:
        """The same until it would block, with turns for the others between those of a peer with a pace."""
        if not await self._reader.drain():
            self._scope.cancel()

    async def flush(self, timeout: float) -> bool:
        """Wait until everything sent so far is in the kernel; False when that took longer than
        ``timeout`` seconds or the link ended first."""
        with trio.move_on_after(timeout):
            while not self.is_closed and self.has_unwritten:
                self.flush_nowait()
                if self.has_unwritten:
                    await self._written.wait()
        return not self.has_unwritten

    @property
    def has_unwritten(self) -> bool:
        """True while something waits for the peer to read."""
        return self._writing or self.session.bytes_out > 0

    def flush_nowait(self) -> None:
        """Write what can be written without waiting, now. For the last words before something that may never return."""
        if not self._write_some():
            self._work.set()

    def flush_at_end_of_pass(self) -> None:
        """The same for the flusher, in whose place nothing may be scheduled."""
        self._is_queued = False
        if not self._write_some():
            trio.lowlevel.current_trio_token().run_sync_soon(self._work.set)

    # --- speaking ----------------------------------------------------------------------------------------------

    async def call(
        self,
        method: str,
        payload: Payload | None = None,
        *,
        plugin_id: str = "",
        timeout: float | None = None,
    ) -> Payload:
        """Ask the peer and wait for the answer's payload. A checkpoint; a cancel gives the request up.

        Args:
            timeout: Seconds; ``None`` takes the method's own.

        Raises:
            RemoteError: The peer answered with an error.
            RequestTimedOut: No answer in time.
            ConnectionLost: The peer went, or was gone before.
            CannotEncode, FrameTooLarge, LocalProtocolError: It could not be sent.
        """
        slot: Slot[Payload | RookeryError] = Slot()
        if timeout is None:
            timeout = METHODS[method].timeout if method in METHODS else 0.0  # send() refuses unknown methods
        deadline = trio.current_time() + timeout
        told = payload or {}
        request_id = self.send(method, told, plugin_id=plugin_id, deadline=deadline, on_done=slot.settle)
        try:
            outcome = await slot.wait()
        except (trio.Cancelled, KeyboardInterrupt):
            self.forget(request_id)
            raise
        if isinstance(outcome, RookeryError):
            raise outcome
        return outcome

    def send(
        self, method: str, payload: Payload, *, plugin_id: str = "",
        deadline: float, on_done: OnDone, tag: object = None, parts: int = 0,
    ) -> int:  # fmt: skip
        """Ask the peer without waiting; return the request's id.

        ``on_done`` is called exactly once with the answer's payload or the error, synchronously from the link's tasks,
        unless ``forget`` comes first. It must not raise.

        Args:
            deadline: Absolute, on trio's clock.
            tag: What it is for; kept with the pending request.
            parts: See ``Session.request``.

        Raises:
            ConnectionLost, CannotEncode, FrameTooLarge, LocalProtocolError: It was not sent and ``on_done`` will not be
                called.
        """
        if self._end is not None:
            raise ConnectionLost("the connection is closed", maybe_executed=False)
        if self._waiting is not None:
            self._waiting.set()
        timeout_ms = (
            max(1, int((deadline - trio.current_time()) * 1000)) if deadline != float("inf") else 2**31 - 1
        )
        request_id = self.session.request(
            method, payload, plugin_id=plugin_id,
            timeout_ms=timeout_ms, deadline=deadline, on_done=on_done, tag=tag, parts=parts,
        )  # fmt: skip
        self.wake_writer()
        return request_id

    def broadcast(self, method: str, payload: Payload, *, plugin_id: str = "") -> None:
        """Tell the peer something; does nothing when the connection has gone.

        Raises:
            CannotEncode, FrameTooLarge, LocalProtocolError: It was not sent.
        """
        # A refused hello ends the session before the socket; nobody may speak on it any more.
        if not self.is_closed and self.session.state is not State.CLOSED:
            self.session.broadcast(method, payload, plugin_id=plugin_id)
            self.wake_writer()

    def expect(self, pending: Pending) -> None:
        """Wait for an answer under an id that was used up before; see ``Session.expect``."""
        if self._waiting is not None:
            self._waiting.set()
        self.session.expect(pending)

    def forget(self, request_id: int) -> bool:
        """Give a request up: its ``on_done`` will not be called. False when it has settled already."""
        return self.session.forget(request_id) is not None

    def wake_writer(self) -> None:
        """Called after every change of what waits to be sent."""
        if self._flusher is None:
            self._work.set()
        elif not self.is_batching:
            self.flush_nowait()
        elif not self._is_queued:
            self._is_queued = True
            self._flusher.add(self)
        elif self.session.bytes_out > EARLY_FLUSH_BYTES:
            self.flush_nowait()
        if self.session.bytes_out + self._in_hand > self._max_unwritten:
            self.note("stuck", f"the peer left {self.unwritten} bytes unread")
            self._scope.cancel()

    # --- inside ------------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        while True:
            if not self.session.bytes_out:  # what came while it wrote was left to this task
                await self._work.wait()
            self._work = trio.Event()
            self._writing = True
            data = memoryview(self.session.data_to_send())
            while data:
                self._in_hand = len(data)
                try:
                    self.bytes_written += (sent := self._sock.send(data))
                    data = data[sent:]
                except BlockingIOError:
                    await trio.lowlevel.wait_writable(self._sock)
                except OSError as error:
                    # The peer went, or has only stopped reading for good; then the reader would never find out.
                    self.drain_nowait()
                    self.note("eof", f"the peer went away ({error.strerror})")
                    self._scope.cancel()
                    return
            self._writing = False
            self._in_hand = 0
            self._written.set()
            self._written = trio.Event()

    async def _sweep(self) -> None:
        while True:
            if self.session.pending:
                await trio.sleep(DEADLINE_SWEEP)
                for settled in self.session.expire(trio.current_time()):
                    settled.pending.on_done(settled.outcome)
            else:
                # No timer while nothing waits: an idle runner must cost nothing.
                self._waiting = trio.Event()
                await self._waiting.wait()
                self._waiting = None

    def _write_some(self) -> bool:
        """Write what the kernel takes; False when something is left and nobody sees to it."""
        if self._writing or self._end is not None or not self.session.bytes_out:
            return True
        data = self.session.data_to_send()
        try:
            sent = self._sock.send(data)
        except OSError:
            sent = 0  # full, or the peer has gone: the writer finds out
        self.bytes_written += sent
        if sent == len(data):
            return True
        self.session.put_back(data[sent:])
        return False

    def note(self, kind: str, reason: str) -> None:
        """Why it ends, as ``Closed`` has it. The first reason is the cause, later ones follow from it."""
        self._closed = self._closed or Closed(kind, reason)

    def _finish(self, end: Closed) -> None:
        if self._end is not None:
            return
        self._end = end
        over = self.session.close(end.reason)
        trio.lowlevel.notify_closing(self._sock)
        self._sock.close()
        self._written.set()
        for settled in over:
            settled.pending.on_done(settled.outcome)


def _wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000
