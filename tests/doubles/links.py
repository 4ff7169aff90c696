"""Two links over a real socket pair, and a bare socket where the peer is to misbehave."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import msgpack
import trio

from rookery.protocol import RUNNER_HELLO, Closed, Link, Method, Pace, Request, Session, Side, frame
from tests.doubles.sessions import HELLO, raw_frame


@attrs.define(eq=False)
class Ear:
    """What one end heard, in order. It answers the hello by itself, and nothing else unless told how."""

    on_request: Callable[[Request], None] | None = None
    requests: list[Request] = attrs.field(factory=list)
    broadcasts: list[tuple[str, str, dict[str, Any]]] = attrs.field(factory=list)

    def hear_request(self, request: Request) -> None:
        if request.method.name == RUNNER_HELLO:
            request.answer({"accepted": True})
            return
        self.requests.append(request)
        if self.on_request is not None:
            self.on_request(request)

    def hear_broadcast(self, method: Method, plugin_id: str, payload: dict[str, Any]) -> None:
        self.broadcasts.append((method.name, plugin_id, payload))


@attrs.define(eq=False)
class End:
    """One running link, and how it ended."""

    link: Link
    ear: Ear
    closed: Closed | None = None
    over: trio.Event = attrs.field(factory=trio.Event)

    async def run(self) -> None:
        self.closed = await self.link.run()
        self.over.set()

    async def wait_closed(self) -> Closed:
        """How the link ended; a test that waits longer than two seconds has failed."""
        with trio.fail_after(2):
            await self.over.wait()
        assert self.closed is not None
        return self.closed


def make_end(sock: socket.socket, side: Side, *, pace: Pace | None = None, **options: Any) -> End:
    """A link that does not run yet."""
    ear = Ear(**options)
    link = Link(sock, Session(side), on_request=ear.hear_request, on_broadcast=ear.hear_broadcast, pace=pace)
    return End(link, ear)


@asynccontextmanager
async def open_links(
    *, host: Callable[[Request], None] | None = None, runner: Callable[[Request], None] | None = None
) -> AsyncIterator[tuple[End, End]]:
    """Host and runner after their hello; both have ended when the block is left.

    Args:
        host, runner: What that end does with a request; None only keeps it.
    """
    ours, theirs = socket.socketpair()
    ends = make_end(ours, Side.HOST, on_request=host), make_end(theirs, Side.RUNNER, on_request=runner)
    async with trio.open_nursery() as nursery:
        for end in ends:
            nursery.start_soon(end.run)
        await ends[1].link.call(RUNNER_HELLO, HELLO)

        yield ends

        for end in ends:
            end.link.close()


@asynccontextmanager
async def open_host(
    *, kind: type[socket.socket] = socket.socket, **options: Any
) -> AsyncIterator[tuple[End, socket.socket]]:
    """A host's link after the hello of a peer that is a bare non-blocking socket, so that it may do anything.

    Args:
        kind: Of the host's own socket.
    """
    ours, peer = socket.socketpair()
    end = make_end(kind(fileno=ours.detach()), Side.HOST, **options)
    with peer:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(end.run)
            peer.send(hello_frame())
            peer.setblocking(False)
            await trio.lowlevel.wait_readable(peer)
            peer.recv(65536)

            yield end, peer

            end.link.close()


def hello_frame() -> bytes:
    """The first frame of a runner."""
    return raw_frame(request_id=1, message_type="request", method=RUNNER_HELLO, payload=HELLO)


def answer_frame(request_id: int, payload: dict[str, Any]) -> bytes:
    """A runner's answer to the request with this id."""
    return frame(msgpack.packb({"request_id": request_id, "message_type": "response", "payload": payload}))
