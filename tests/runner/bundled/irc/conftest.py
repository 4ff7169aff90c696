"""What the tests with real connections share: a host that remembers, a client, and a server."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from rookery.protocol import MessageMap, message_text
from rookery.runner.bundled.irc.backoff import Backoff
from rookery.runner.bundled.irc.client import Client
from rookery.runner.bundled.irc.registration import Identity
from rookery.runner.bundled.irc.settings import Endpoint, Settings
from tests.doubles.ircd import Ircd, open_ircd

TIMEOUT = 10.0


@attrs.define(eq=False)
class FakeHost:
    """Accepts every message after a turn of the loop, and remembers in which order it was asked."""

    messages: list[MessageMap] = attrs.Factory(list)
    reports: list[tuple[bool, dict[str, str]]] = attrs.Factory(list)
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
        self.reports.append((ready, {"account": account, **details}))
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

    async def wait_messages(self, count: int, timeout: float = TIMEOUT) -> None:
        """Wait until so many messages have come."""
        with trio.fail_after(timeout):
            while len(self.messages) < count:
                await self._changed.park()


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


def settings_for(port: int, **changes: Any) -> Settings:
    """Settings for a server on the loopback: no flood control, and quick to come back."""
    known: dict[str, Any] = {
        "endpoint": Endpoint(host="127.0.0.1", port=port),
        "identity": Identity(nick="rookery"),
        "channels": ("#rookery",),
        "flood_rate": 0.0,
        "backoff": Backoff(0.05, 0.2),
        "send_wait": 5.0,
    }
    return Settings(**{**known, **changes})


def client_for(host: FakeHost, port: int, **changes: Any) -> Client:
    """A client of this host; the test runs it in its nursery."""
    return Client(settings_for(port, **changes), host, logging.getLogger("irc"))


@pytest.fixture
def ircd(state_dir: Path) -> Iterator[Ircd]:
    with open_ircd(state_dir) as server:
        yield server
