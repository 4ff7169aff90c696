"""What happens with the bytes that a link's peer has sent?

The reader tries ``recv`` first and waits only when the kernel has nothing; it takes 64 KiB at a time and handles every frame
in it synchronously.

Where it was lent a nursery, a request is worked on in the task that has read it: a task a call and a pass of the scheduler
less. Work that has to wait for something keeps that task, and another one of that nursery reads on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, assert_never

import trio

from .limits import DRAIN_BYTES, READ_CHUNK_BYTES
from .received import (
    AnswerDropped,
    BroadcastReceived,
    Received,
    RequestReceived,
    RequestRefused,
    RequestSettled,
    RuleBroken,
)
from .request import Request

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from .link import Link
    from .methods import Method

TakeHere = Callable[[Request, trio.CancelScope], Awaitable[None] | None]
"""Works on a request, and hands out what is left of the work where that has to wait for something. The scope is around the
task that awaits it then; what is around nothing else, it may change."""


class Reader:
    """Reads for one link; see there for the arguments.

    Attributes:
        take_here: Instead of ``on_request`` for what can be worked on where it was read, once there is a nursery.
    """

    def __init__(
        self,
        link: Link,
        sock: socket.socket,
        *,
        on_request: Callable[[Request], object],
        on_broadcast: Callable[[Method, str, dict[str, Any]], None] | None,
        on_taken: Callable[[int], None] | None,
    ) -> None:
        self._link = link
        self._sock = sock
        self._on_request = on_request
        self._on_broadcast = on_broadcast
        self._on_taken = on_taken
        self.take_here: TakeHere | None = None
        self.nursery: trio.Nursery | None = None
        """What was lent."""
        self._scope: trio.CancelScope | None = None
        """Around the task that reads now, where it is one of that nursery."""
        self._is_over = trio.Event()

    async def run(self) -> None:
        """Read until nothing more comes. Cancelled, it leaves those alone who work on in tasks of the nursery."""
        if self.nursery is None:
            await self._read(None)
            return
        self.nursery.start_soon(self._lead, self.nursery, name="reader")
        try:
            await self._is_over.wait()
        finally:
            self._is_over.set()
            if self._scope is not None:
                self._scope.cancel()

    def drain_nowait(self, most: int | None = None) -> bool:
        """Handle what the kernel still holds, until it would block or so many bytes are read; False when a rule was broken."""
        left = DRAIN_BYTES if most is None else most
        while left > 0 and not self._link.is_closed:
            try:
                data = self._sock.recv(min(left, READ_CHUNK_BYTES))
            except OSError:
                return True
            if not data:
                return True  # the reader finds the end by itself
            if not self._handle(self._link.session.receive_each(data), self._on_request):
                return False
            left -= len(data)
        return True

    async def drain(self) -> bool:
        """The same with turns for others in between, where the peer has a pace. Not always a checkpoint."""
        return self.drain_nowait()

    # --- inside ------------------------------------------------------------------------------------------------

    async def _lead(self, nursery: trio.Nursery) -> None:
        """Read in a task of this nursery, until that is needed for a request."""
        if self._is_over.is_set():
            return
        with trio.CancelScope() as self._scope:
            rest = await self._read(self._scope)
            if rest is None:
                self._is_over.set()
                return
            self._scope = None
            nursery.start_soon(self._lead, nursery, name="reader")
            await rest

    async def _read(self, scope: trio.CancelScope | None) -> Awaitable[None] | None:
        """Until nothing more comes, or until a request needs this task: then what is left to do for it."""
        sock, session, requests = self._sock, self._link.session, list[Request]()
        take = self._on_request if scope is None else requests.append
        while True:
            try:
                data = sock.recv(READ_CHUNK_BYTES)
            except BlockingIOError:
                await trio.lowlevel.wait_readable(sock)
                continue
            except OSError as error:
                # A peer that dies with unread input resets the connection: the same as going.
                self._link.note("eof", f"the peer went away ({error.strerror})")
                return None
            if not data:
                self._link.note("eof", "the peer closed the connection")
                return None
            is_well = self._handle(session.receive_each(data), take)
            if requests:
                rest = self._work_on(requests, scope)
                if rest is not None:
                    if not is_well:
                        self._is_over.set()  # nobody reads on
                    return rest
            if not is_well:
                # The peer may be told why (a refused first frame); it is not worth waiting for long.
                await self._link.flush(0.1)
                return None
            if len(data) == READ_CHUNK_BYTES:
                await trio.lowlevel.checkpoint()  # there is more: let the others run in between
            else:
                await trio.lowlevel.wait_readable(sock)

    def _work_on(self, requests: list[Request], scope: trio.CancelScope | None) -> Awaitable[None] | None:
        """Work on them in their order; what came in one chunk of bytes has been read as a whole by then."""
        here = self.take_here
        for place, request in enumerate(requests):
            if here is None or scope is None:
                self._on_request(request)
            elif (rest := here(request, scope)) is not None:
                for other in requests[place + 1 :]:
                    self._on_request(
                        other
                    )  # each in a task of its own: another reader for each would take longer
                return rest
        requests.clear()
        return None

    def _handle(self, received: Iterable[Received], take: Callable[[Request], object]) -> bool:
        """Act on what arrived; False when a rule was broken and nothing more may be read."""
        link = self._link
        for item in received:
            if isinstance(item, RequestSettled):
                item.pending.on_done(item.outcome)
            elif isinstance(item, RequestReceived):
                take(Request(link, item, trio.current_time()))
            elif isinstance(item, BroadcastReceived):
                if self._on_broadcast is not None:
                    self._on_broadcast(item.method, item.plugin_id, item.payload)
            elif isinstance(item, RuleBroken):
                link.note("protocol", item.error.reason)
                link.wake_writer()
                return False
            elif isinstance(item, RequestRefused):
                link.wake_writer()
            elif isinstance(item, AnswerDropped):
                pass  # counted by the session
            else:
                assert_never(item)
        if self._on_taken is not None:
            self._on_taken(link.session.taken)
        return True
