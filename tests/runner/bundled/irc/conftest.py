"""What the tests with real connections share: a host that remembers, a client, and a server."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rookery.runner.backoff import Backoff
from rookery.runner.bundled.irc.client import Client
from rookery.runner.bundled.irc.registration import Identity
from rookery.runner.bundled.irc.settings import Endpoint, Settings
from tests.doubles.ircd import Ircd, open_ircd
from tests.runner.bundled.hosts import FakeHost


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
