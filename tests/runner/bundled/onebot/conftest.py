"""What the tests with real connections share: a host that remembers, and a client."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest
import trio

from rookery.protocol import MessageMap, build_message, message_text
from rookery.runner.bundled.onebot.client import Client
from rookery.runner.bundled.onebot.pace import Backoff
from rookery.runner.bundled.onebot.settings import Dial, Listen, Settings
from tests.doubles.onebot_platform import PlatformServer, open_platform_server

TIMEOUT = 20.0


@attrs.define(eq=False)
class FakeHost:
    """Accepts every message after a turn of the loop, and remembers in which order it was asked."""

    messages: list[MessageMap] = attrs.Factory(list)
    reports: list[tuple[bool, str]] = attrs.Factory(list)
    errors: list[Exception] = attrs.Factory(list)
    """Raised to the next messages instead of an answer, first come first served."""
    _changed: trio.lowlevel.ParkingLot = attrs.Factory(trio.lowlevel.ParkingLot)

    async def route(self, message: MessageMap) -> bool:
        error = self.errors.pop(0) if self.errors else None
        if error is None:
            self.messages.append(message)
            self._changed.unpark_all()
        await trio.lowlevel.checkpoint()
        if error is not None:
            raise error
        return True

    async def report(self, *, ready: bool, account: str, details: dict[str, str]) -> None:
        self.reports.append((ready, account))
        self._changed.unpark_all()
        await trio.lowlevel.checkpoint()

    @property
    def texts(self) -> list[str]:
        return [message_text(message) for message in self.messages]

    async def wait_reports(self, count: int) -> None:
        """Wait until so many reports have come."""
        with trio.fail_after(TIMEOUT):
            while len(self.reports) < count:
                await self._changed.park()

    async def wait_messages(self, count: int) -> None:
        """Wait until so many messages have come."""
        with trio.fail_after(TIMEOUT):
            while len(self.messages) < count:
                await self._changed.park()


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


def _settings(way: Dial | Listen, **changes: Any) -> Settings:
    known = {"rate": 0.0, "backoff": Backoff(0.02, 0.1), "send_wait": 5.0, "action_timeout": 5.0}
    return Settings(way=way, **{**known, **changes})


def dialling(host: FakeHost, url: str, **changes: Any) -> Client:
    """A client that connects; the test runs it in its nursery."""
    return Client(_settings(Dial(url=url), **changes), host, logging.getLogger("onebot"))


def listening(host: FakeHost, *, path: str = "", **changes: Any) -> Client:
    """A client that listens at a free port."""
    way = Listen(host="127.0.0.1", port=0, path=path)
    return Client(_settings(way, **changes), host, logging.getLogger("onebot"))


async def wait_port(client: Client) -> int:
    """Where it listens, once it does."""
    with trio.fail_after(TIMEOUT):
        while not client.port:
            await client._changed.park()
    return client.port


@pytest.fixture
async def server() -> AsyncIterator[PlatformServer]:
    async with open_platform_server() as server:
        yield server


def answer(text: str = "pong", *, group: str | None = "777") -> MessageMap:
    return build_message(
        message_id="out-1",
        platform="qq",
        user_id="42",
        user_name="bot",
        text=text,
        timestamp=0.0,
        group_id=group,
    )
