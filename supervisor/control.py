"""What can an operator ask a running host: one JSON object a line over a socket in the state directory.

A request is ``{"command": "status"}``, its answer ``{"result": …}`` or ``{"error": "one line"}``; answers come in the
order of the requests. What has no end, such as a log, is a line ``{"item": …}`` for each part and ``{"end": true}`` after the
last; the client ends it by hanging up. HTTP would let a browser in and needs a server; a signal carries no answer.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeAlias

import trio

from rookery.protocol import RookeryError

from .errors import UsageError
from .state_directory import CONTROL_SOCKET, control_address

if TYPE_CHECKING:
    from pathlib import Path

_LOG = logging.getLogger("rookery.control")

MAX_REQUEST_BYTES = 64 * 1024
"""A longer request is answered with an error; the largest honest one is a command with a few names."""

MAX_CLIENTS = 32
"""Connections at once; one more is told so and closed, so that a script gone wild costs no descriptors."""

IDLE_TIMEOUT = 60.0
"""Seconds without a request, or with an answer that is not read, before a connection is closed."""

PEEK_PERIOD = 0.5
"""Seconds between two looks at a client that has sent more than it was answered."""

_READ_BYTES = 16 * 1024

Request: TypeAlias = Mapping[str, Any]
Command: TypeAlias = Callable[[Request], Awaitable[Any]]
"""Answers with anything JSON can hold, or with an asynchronous iterator of such; a `RookeryError` becomes the answer's
error."""


class _ClientGone(Exception):
    """The client left, or does not read. No `RookeryError`: there is nobody to tell."""


class RequestRefused(RookeryError):
    """A request that is no request: too long, not JSON, an unknown command. The connection stays usable."""


async def serve_control(
    state_dir: Path,
    commands: Mapping[str, Command],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer on the control socket until cancelled; the socket's file is gone afterwards.

    The caller owns the state directory (`hold_run_lock`), so a socket found there belongs to a host that died.

    Raises:
        UsageError: The socket cannot be made.
    """
    listener = trio.SocketListener(await _listen(state_dir))
    task_status.started()
    try:
        await trio.serve_listeners(_Endpoint(commands).serve, [listener])
    finally:
        _remove_socket(state_dir)


async def _listen(state_dir: Path) -> trio.socket.SocketType:
    sock = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
    try:
        _remove_socket(state_dir)
        # On Linux the file takes its mode from the socket: there is no moment at which others could connect.
        os.fchmod(sock.fileno(), stat.S_IRUSR | stat.S_IWUSR)
        with control_address(state_dir) as address:
            await sock.bind(address)
        os.chmod(state_dir / CONTROL_SOCKET, stat.S_IRUSR | stat.S_IWUSR)
        sock.listen(MAX_CLIENTS)
    except OSError as error:
        sock.close()
        raise UsageError(f"the control socket in {state_dir} cannot be made: {error}") from None
    return sock


def _remove_socket(state_dir: Path) -> None:
    (state_dir / CONTROL_SOCKET).unlink(missing_ok=True)


class _Endpoint:
    """All connections of one control socket."""

    def __init__(self, commands: Mapping[str, Command]) -> None:
        self._commands = commands
        self._clients = 0

    async def serve(self, stream: trio.SocketStream) -> None:
        """Answer one client until it leaves or falls silent; ``serve_listeners`` closes the stream."""
        self._clients += 1
        try:
            if self._clients > MAX_CLIENTS:
                await _send(
                    stream, {"error": f"{MAX_CLIENTS} clients are connected already; try again later"}
                )
            else:
                await self._converse(stream)
        except _ClientGone:
            pass  # nobody waits for the answer
        finally:
            self._clients -= 1

    async def _converse(self, stream: trio.SocketStream) -> None:
        lines = Lines()
        while data := await _receive(stream):
            for line in lines.feed(data):
                await _send(stream, await self._answer_while_it_listens(stream, line))

    async def _answer_while_it_listens(
        self, stream: trio.SocketStream, line: bytes | RequestRefused
    ) -> dict[str, Any]:
        """Work on one request; a client that hangs up meanwhile ends a command that waits or streams."""
        answer: dict[str, Any] | None = None
        async with trio.open_nursery() as nursery:

            async def notice_end() -> None:
                # A client that says more before it has its answer is none of ours; looking is all that is done here.
                while await _peek(stream):  # noqa: ASYNC110  # nobody tells when a client has said enough
                    await trio.sleep(PEEK_PERIOD)
                nursery.cancel_scope.cancel()

            nursery.start_soon(notice_end)
            try:
                answer = await self._answer(stream, line)
            except _ClientGone:
                pass  # raised again below: out of a nursery it would come in a group
            nursery.cancel_scope.cancel()
        if answer is None:
            raise _ClientGone
        return answer

    async def _answer(self, stream: trio.SocketStream, line: bytes | RequestRefused) -> dict[str, Any]:
        try:
            if isinstance(line, RequestRefused):
                raise line
            request = _parse(line)
            result = await self._find(request["command"])(request)
            if not isinstance(result, AsyncIterator):
                return {"result": result}
            async with aclosing(result):  # type: ignore[type-var]  # a generator
                async for item in result:
                    await _send(stream, {"item": item})
            return {"end": True}
        except RookeryError as error:
            return {"error": " ".join(str(error).split())}
        except _ClientGone:
            raise
        except Exception as error:  # a question must not end the host: the bug is its answer, and in the log
            _LOG.exception("a control command failed")
            return {"error": f"a bug in the host, see its log: {type(error).__name__}: {error}"[:500]}

    def _find(self, name: str) -> Command:
        command = self._commands.get(name)
        if command is None:
            raise RequestRefused(
                f"unknown command {name[:60]!r}; known are {', '.join(sorted(self._commands))}"
            )
        return command


async def _peek(stream: trio.SocketStream) -> bool:
    """Wait until the client says something or hangs up; False when it has hung up."""
    try:
        return bool(await stream.socket.recv(1, socket.MSG_PEEK))
    except OSError:
        return False


def _parse(line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except (
        ValueError,
        RecursionError,
    ):  # broken UTF-8 is a ValueError too; deep nesting ends in a RecursionError
        raise RequestRefused(f"a request is one JSON object a line, got {line[:60]!r}") from None
    if type(request) is not dict or type(request.get("command")) is not str:
        raise RequestRefused('a request is an object with a "command", such as {"command": "status"}')
    return request


async def _receive(stream: trio.SocketStream) -> bytes:
    """What the client says next; nothing when it has hung up."""
    try:
        with trio.fail_after(IDLE_TIMEOUT):
            return bytes(await stream.receive_some(_READ_BYTES))
    except (trio.BrokenResourceError, trio.TooSlowError):
        raise _ClientGone from None


async def _send(stream: trio.SocketStream, answer: dict[str, Any]) -> None:
    # Whatever a command gives is told, if need be by its name: an answer must not end the host.
    data = json.dumps(answer, default=repr, skipkeys=True).encode() + b"\n"
    try:
        with trio.fail_after(IDLE_TIMEOUT):
            await stream.send_all(data)
    except (trio.BrokenResourceError, trio.TooSlowError):
        raise _ClientGone from None


class Lines:
    """Cuts bytes into lines; at most one request is kept, however long the peer makes its line."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> Iterator[bytes | RequestRefused]:
        """Take bytes and give the lines that are complete; a line that is too long is one refusal, given at once."""
        self._rest += data
        while (end := self._rest.find(b"\n")) >= 0:
            line = bytes(self._rest[:end])
            del self._rest[: end + 1]
            if self._skipping:
                self._skipping = False  # this was the end of a line that has had its answer
            elif len(line) > MAX_REQUEST_BYTES:
                yield _too_long()
            elif line.strip():
                yield line
        if len(self._rest) > MAX_REQUEST_BYTES or self._skipping:
            if not self._skipping:
                yield _too_long()
            self._skipping = True
            self._rest.clear()


def _too_long() -> RequestRefused:
    return RequestRefused(f"a request is at most {MAX_REQUEST_BYTES} bytes long")
