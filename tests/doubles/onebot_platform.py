"""A OneBot v11 implementation as far as a test needs one, over real WebSockets on the loopback, in both directions."""

from __future__ import annotations

import itertools
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio
from websockets.exceptions import ConnectionClosed
from websockets.trio.client import connect
from websockets.trio.connection import Connection
from websockets.trio.server import ServerConnection, serve

ACCOUNT = 10000
PATIENCE = 60.0
"""Seconds: a bot starts in one, and in many on a machine that does much else."""


@attrs.define(eq=False)
class Platform:
    """One connection of the implementation.

    Attributes:
        asked: The actions that came in, in order.
        silent: Actions that are never answered.
        answers: What single actions are answered with, beside the echo.
    """

    socket: Connection
    account: int = ACCOUNT
    asked: list[dict[str, Any]] = attrs.Factory(list)
    silent: set[str] = attrs.Factory(set)
    answers: dict[str, dict[str, Any]] = attrs.Factory(dict)
    ended: trio.Event = attrs.Factory(trio.Event)
    _changed: trio.lowlevel.ParkingLot = attrs.Factory(trio.lowlevel.ParkingLot)
    _numbers: itertools.count[int] = attrs.Factory(lambda: itertools.count(1000))

    async def run(self) -> None:
        """Answer until the other side goes."""
        try:
            while True:
                frame = json.loads(await self.socket.recv())
                self.asked.append(frame)
                self._changed.unpark_all()
                if frame["action"] not in self.silent:
                    await self.send({**self._answer(frame), "echo": frame["echo"]})
        except ConnectionClosed:
            self.ended.set()
            self._changed.unpark_all()

    def _answer(self, frame: dict[str, Any]) -> dict[str, Any]:
        known = self.answers.get(frame["action"])
        if known is not None:
            return known
        data: Any = {"user_id": self.account, "nickname": "Rook"}
        if frame["action"].startswith("send_"):
            data = {"message_id": next(self._numbers)}
        return {"status": "ok", "retcode": 0, "data": data}

    async def send(self, frame: dict[str, Any] | str | bytes) -> None:
        """One frame, whatever it is."""
        await self.socket.send(frame if isinstance(frame, (str, bytes)) else json.dumps(frame))

    async def say(
        self, text: Any, *, number: int = 1, group: int | None = 777, user: int = 42, **more: Any
    ) -> None:
        """Somebody says something; a list is a list of segments."""
        event = {
            "post_type": "message",
            "message_type": "private" if group is None else "group",
            "sub_type": "friend" if group is None else "normal",
            "time": 1_700_000_000 + number,
            "self_id": self.account,
            "message_id": number,
            "user_id": user,
            "message": [{"type": "text", "data": {"text": text}}] if isinstance(text, str) else text,
            "raw_message": "",
            "sender": {"user_id": user, "nickname": "Ann", "card": ""},
            **more,
        }
        await self.send(event if group is None else {"group_id": group, **event})

    async def beat(self, *, online: bool | None = True, interval: int = 5000) -> None:
        """A heart-beat."""
        await self.send(
            {
                "post_type": "meta_event",
                "meta_event_type": "heartbeat",
                "time": 1,
                "self_id": self.account,
                "interval": interval,
                "status": {"online": online, "good": True},
            }
        )

    def sent(self) -> list[dict[str, Any]]:
        """The actions that send something."""
        return [frame for frame in self.asked if frame["action"].startswith("send_")]

    async def wait_sent(self, count: int = 1) -> list[dict[str, Any]]:
        """Wait for so many of them."""
        with trio.fail_after(PATIENCE):
            while len(self.sent()) < count:
                await self._changed.park()
        return self.sent()

    async def wait_asked(self, action: str) -> dict[str, Any]:
        """Wait for an action."""
        with trio.fail_after(PATIENCE):
            while not (found := [frame for frame in self.asked if frame["action"] == action]):
                await self._changed.park()
        return found[0]


@attrs.define(eq=False)
class PlatformServer:
    """An implementation that listens: rookery dials."""

    port: int
    scheme: str = "ws"
    headers: list[dict[str, str]] = attrs.Factory(list)
    """Those of each handshake."""
    _send: trio.MemorySendChannel[Platform] = attrs.field(init=False)
    _receive: trio.MemoryReceiveChannel[Platform] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[Platform](100)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/"

    async def accept(self) -> Platform:
        """The next connection."""
        with trio.fail_after(PATIENCE):
            return await self._receive.receive()

    async def serve_one(self, socket: ServerConnection) -> None:
        platform = Platform(socket)
        self._send.send_nowait(platform)
        await platform.run()


@asynccontextmanager
async def open_platform_server(
    *, token: str = "", port: int = 0, context: ssl.SSLContext | None = None
) -> AsyncIterator[PlatformServer]:
    """Serve on a free port of the loopback, with TLS when a context is given; on leaving every connection is cut."""
    listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
    server = PlatformServer(int(listeners[0].socket.getsockname()[1]), "ws" if context is None else "wss")

    def check(connection: ServerConnection, request: Any) -> Any:
        server.headers.append(dict(request.headers.raw_items()))
        if token and request.headers.get("Authorization") != f"Bearer {token}":
            return connection.respond(403, "no")
        return None

    async with trio.open_nursery() as nursery:

        async def run() -> None:
            await serve(
                server.serve_one, listeners=listeners, process_request=check, compression=None, ssl=context
            )

        nursery.start_soon(run)
        yield server
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_platform_client(
    port: int, *, token: str = "", account: int = ACCOUNT, path: str = "/", **headers: str
) -> AsyncIterator[Platform]:
    """An implementation that dials: rookery listens."""
    shown = {"X-Self-ID": str(account), "X-Client-Role": "Universal", **headers}
    if token:
        shown["Authorization"] = f"Bearer {token}"
    async with (
        connect(
            f"ws://127.0.0.1:{port}{path}",
            additional_headers=shown,
            proxy=None,
            compression=None,
            close_timeout=2,
        ) as socket,
        trio.open_nursery() as nursery,
    ):
        platform = Platform(socket, account)
        nursery.start_soon(platform.run)
        yield platform
        nursery.cancel_scope.cancel()
