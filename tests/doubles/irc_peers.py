"""The other ends of IRC connections: a person with a plain client, and a server that a test plays by hand."""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs
import trio

from rookery.runner.bundled.irc.line import Line, LineReader, parse_line

TIMEOUT = 10.0  # seconds for anything that the other end has to do


@attrs.define
class LinePeer:
    """Reads and writes lines over a stream."""

    stream: trio.abc.Stream
    seen: list[Line] = attrs.Factory(list)
    """Every line that was read."""
    _reader: LineReader = attrs.Factory(LineReader)
    _lines: deque[Line] = attrs.Factory(deque)

    async def send(self, *lines: str) -> None:
        """Write lines."""
        await self.stream.send_all("".join(line + "\r\n" for line in lines).encode())

    async def read(self) -> Line:
        """The next line.

        Raises:
            EOFError: The other end closed the connection.
        """
        while not self._lines:
            data = await self.stream.receive_some(65536)
            if not data:
                raise EOFError
            self._lines.extend(parse_line(line) for line in self._reader.feed(bytes(data)))
        line = self._lines.popleft()
        self.seen.append(line)
        return line

    async def wait(self, command: str, accept: Callable[[Line], bool] = lambda line: True) -> Line:
        """The next line with this command that is accepted; a PING meanwhile is answered."""
        with trio.fail_after(TIMEOUT):
            while True:
                line = await self.read()
                if line.command == "PING":
                    await self.send(f"PONG :{line.param(-1)}")
                if line.command == command and accept(line):
                    return line

    async def wait_text(self, text: str | None = None) -> Line:
        """The next PRIVMSG, or the next with this text."""
        return await self.wait("PRIVMSG", lambda line: text is None or line.param(1) == text)


@asynccontextmanager
async def open_person(port: int, nick: str, *channels: str) -> AsyncIterator[LinePeer]:
    """Another user on the server: welcomed, and in these channels."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        person = LinePeer(stream)
        await person.send(f"NICK {nick}", f"USER {nick} 0 * :{nick}")
        await person.wait("001")
        for channel in channels:
            await person.send(f"JOIN {channel}")
            await person.wait("366")  # the end of the list of names
        yield person


@attrs.define
class ScriptedServer:
    """A socket that listens; what it says is up to the test."""

    port: int
    _listener: trio.SocketListener
    _context: ssl.SSLContext | None

    @asynccontextmanager
    async def accept(self) -> AsyncIterator[LinePeer]:
        """The next connection of a client; closed at the end of the block."""
        with trio.fail_after(TIMEOUT):
            stream: trio.abc.Stream = await self._listener.accept()
        if self._context is not None:
            stream = trio.SSLStream(stream, self._context, server_side=True, https_compatible=True)
        try:
            yield LinePeer(stream)
        finally:
            await trio.aclose_forcefully(stream)


@asynccontextmanager
async def open_scripted_server(context: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedServer]:
    """A listening server on a free port of the loopback, with TLS when a context is given."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        yield ScriptedServer(int(listener.socket.getsockname()[1]), listener, context)


@asynccontextmanager
async def welcome(server: ScriptedServer) -> AsyncIterator[LinePeer]:
    """The next client, let in without questions and joined to its channel."""
    async with server.accept() as peer:
        await peer.wait("USER")
        await peer.send(":s 001 rookery :Welcome", ":rookery!~r@localhost JOIN #rookery")
        yield peer
