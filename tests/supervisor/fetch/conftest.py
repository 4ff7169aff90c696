"""A server, and names."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.doubles.fetching import Names
from tests.doubles.web_server import WebServer, open_web_server


@pytest.fixture
async def server() -> AsyncIterator[WebServer]:
    async with open_web_server() as server:
        yield server


@pytest.fixture
def names() -> Names:
    return Names()
