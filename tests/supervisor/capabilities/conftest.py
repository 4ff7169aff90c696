"""A table with every family over a real database, and a runner that calls it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from rookery.supervisor.capabilities import CapabilityTable, make_table
from rookery.supervisor.grants import Grants
from rookery.supervisor.platform.sessions import Sessions
from rookery.supervisor.statistics import Statistics
from rookery.supervisor.store import Store, open_store
from tests.doubles.capability_calls import Caller, FakePictures


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "s.db") as store:
        yield store


@pytest.fixture
def powers() -> FakePictures:
    return FakePictures()


@pytest.fixture
def grants() -> Grants:
    """Two plugins may use everything."""
    grants = Grants()
    grants.grant("a.b", ["*"], None)
    grants.grant("a.c", ["*"], None)
    return grants


@pytest.fixture
async def table(store: Store, grants: Grants, powers: FakePictures, nursery: trio.Nursery) -> CapabilityTable:
    table = make_table(store, grants, powers, sessions=Sessions(), statistics=Statistics(store))
    await nursery.start(table.run)
    return table


@pytest.fixture
def caller(table: CapabilityTable) -> Caller:
    return Caller(table)
