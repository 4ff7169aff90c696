"""What the tests with real connections share: a host that remembers, and a client."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from rookery.protocol import MessageMap, build_message
from rookery.runner.backoff import Backoff
from rookery.runner.bundled.onebot.client import Client
from rookery.runner.bundled.onebot.settings import Dial, Listen, Settings
from tests.doubles.onebot_platform import PlatformServer, open_platform_server
from tests.runner.bundled.hosts import FakeHost

TIMEOUT = 20.0


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
