"""A real HTTP server that says what a test tells it to, piece by piece, also what no server should."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from functools import partial

import attrs
import trio


@attrs.frozen
class Visit:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Reply = bytes | AsyncGenerator[bytes, None]


def page(status: int = 200, body: bytes | str = b"", **headers: str) -> bytes:
    """A whole answer."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + content


def lead_to(location: str, status: int = 302) -> bytes:
    """An answer that leads elsewhere."""
    return page(status, b"", Location=location)


class WebServer:
    """Attributes:
    visits: Every request, in order.
    pages: What is answered, by path: bytes, pieces, or what makes one of a request. Other paths are not found.
    connections: That were made, whatever came by them.
    """

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self.visits: list[Visit] = []
        self.pages: dict[str, Reply | Callable[[Visit], Reply]] = {}
        self.port = 0
        self.connections = 0
        self._context = context

    async def serve(self, socket: trio.SocketStream) -> None:
        """One connection."""
        self.connections += 1
        stream: trio.abc.Stream = socket
        if self._context is not None:
            stream = trio.SSLStream(socket, self._context, server_side=True, https_compatible=True)
        try:
            visit = await _read(stream)
            if visit is None:
                return
            self.visits.append(visit)
            reply = self.pages.get(visit.path, page(404, "nothing here"))
            reply = reply(visit) if callable(reply) else reply
            if isinstance(reply, bytes):
                await stream.send_all(reply)
            else:
                async with aclosing(reply):
                    async for part in reply:
                        await stream.send_all(part)
            await stream.aclose()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the client has gone
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                await trio.aclose_forcefully(stream)


async def _read(stream: trio.abc.Stream) -> Visit | None:
    data = b""
    while b"\r\n\r\n" not in data:
        part = await stream.receive_some()
        if not part:
            return None
        data += part
    head, _, data = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines}
    while len(data) < int(headers.get("content-length", "0")):
        part = await stream.receive_some()
        if not part:
            return None
        data += part
    method, path, _ = first.split()
    return Visit(method, path, headers, bytes(data))


@asynccontextmanager
async def open_web_server(context: ssl.SSLContext | None = None) -> AsyncIterator[WebServer]:
    """Serve on a port of its own while the block runs; over TLS with a context."""
    server = WebServer(context)
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, server.serve, 0, host="127.0.0.1"))
        server.port = listeners[0].socket.getsockname()[1]
        try:
            yield server
        finally:
            nursery.cancel_scope.cancel()
