"""database.*: rows over the wire, each plugin its own."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.protocol import ErrorCode
from rookery.supervisor import store as store_module
from rookery.supervisor.capabilities import CapabilityTable
from rookery.supervisor.store import Store
from tests.doubles.capability_calls import Caller

KEY = {"table": "t", "key": "k"}


async def test_rows_are_put_read_found_and_deleted(caller: Caller) -> None:
    """The whole life of a row."""
    assert await caller.ask("database.put_row", {**KEY, "row": {"n": 1}}) == {"success": True}
    assert await caller.ask("database.get_row", KEY) == {"success": True, "row": {"n": 1}}
    assert await caller.ask("database.find_rows", {"table": "t"}) == {
        "success": True,
        "rows": [{"n": 1, "key": "k"}],
    }
    assert await caller.ask("database.find_rows", {"table": "t", "prefix": "x", "limit": 5}) == {
        "success": True,
        "rows": [],
    }
    assert await caller.ask("database.delete_row", KEY) == {"success": True, "deleted": True}
    assert await caller.ask("database.delete_row", KEY) == {"success": True, "deleted": False}
    assert await caller.ask("database.get_row", KEY) == {"success": True, "row": None}


async def test_increments_add_up(caller: Caller) -> None:
    """A missing row is made; count and sum see it."""
    first = await caller.ask("database.increment_row", {**KEY, "fields": {"n": 1}})
    second = await caller.ask("database.increment_row", {**KEY, "fields": {"n": 1.5, "m": -1}})

    assert first == {"success": True, "row": {"n": 1}}
    assert second == {"success": True, "row": {"n": 2.5, "m": -1}}
    assert await caller.ask("database.count_rows", {"table": "t"}) == {"success": True, "count": 1}
    assert await caller.ask("database.sum_rows", {"table": "t", "field": "n"}) == {
        "success": True,
        "sum": 2.5,
    }


async def test_calls_run_in_the_order_they_came(caller: Caller) -> None:
    """Hundreds of increments without waiting, then a read: it sees them all."""
    for _ in range(400):
        caller.call("database.increment_row", {**KEY, "fields": {"n": 1}})

    assert await caller.ask("database.get_row", KEY) == {"success": True, "row": {"n": 400}}
    assert caller.answers == 401


async def test_a_plugin_reaches_its_own_rows_only(caller: Caller) -> None:
    """Whatever its arguments say."""
    await caller.ask("database.put_row", {**KEY, "row": {"secret": 1}})

    other = await caller.ask("database.get_row", {**KEY, "plugin_id": "a.b"}, plugin_id="a.c")

    assert other["row"] is None


@pytest.mark.parametrize(
    ("name", "args", "argument"),
    [
        pytest.param("get_row", {"key": "k"}, "table", id="no table"),
        pytest.param("get_row", {"table": "t", "key": 5}, "key", id="a key that is a number"),
        pytest.param("put_row", {**KEY}, "row", id="no row"),
        pytest.param("put_row", {**KEY, "row": [1]}, "row", id="a row that is a list"),
        pytest.param("put_row", {**KEY, "row": {"a": "x" * 2**20}}, "row", id="a large row"),
        pytest.param("find_rows", {"table": "t", "limit": "5"}, "limit", id="a limit that is a text"),
        pytest.param("find_rows", {"table": "t", "limit": 0}, "limit", id="a limit of zero"),
        pytest.param("find_rows", {"table": "t", "limit": 1e9}, "limit", id="a huge limit"),
        pytest.param("find_rows", {"table": "t", "prefix": ["a"]}, "prefix", id="a prefix that is a list"),
        pytest.param("increment_row", {**KEY, "fields": {"n": "1"}}, "fields.n", id="a text to add"),
        pytest.param("increment_row", {**KEY}, "fields", id="nothing to add"),
        pytest.param("sum_rows", {"table": "t"}, "field", id="no field"),
    ],
)
async def test_a_mistake_is_refused_by_its_argument(
    caller: Caller, store: Store, name: str, args: dict[str, Any], argument: str
) -> None:
    """E_BAD_PAYLOAD with the path; the store never sees it."""
    error = await caller.refusal(f"database.{name}", args)

    assert error.code is ErrorCode.E_BAD_PAYLOAD
    assert error.details == {"path": argument}
    assert argument in error.message
    assert store.failures == 0


async def test_a_field_that_cannot_be_added_to_is_refused_later(caller: Caller) -> None:
    """The same error when only the row knows it."""
    await caller.ask("database.put_row", {**KEY, "row": {"n": "text"}})

    error = await caller.refusal("database.increment_row", {**KEY, "fields": {"n": 1}})

    assert error.code is ErrorCode.E_BAD_PAYLOAD
    assert error.details == {"path": "fields.n"}


async def test_a_refusal_fits_however_long_the_name_in_it(store: Store, table: CapabilityTable) -> None:
    """The name of a field is the caller's, and may fill a frame."""
    caller = Caller(table, max_frame_bytes=65_536)

    error = await caller.refusal("database.increment_row", {**KEY, "fields": {"n" * 65_000: "1"}})

    assert error.code is ErrorCode.E_BAD_PAYLOAD


async def test_an_overloaded_store_is_said(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the protocol's own code, so that a plugin can tell it from a mistake."""
    monkeypatch.setattr(store_module, "MAX_WAITING", 0)

    error = await caller.refusal("database.get_row", KEY)

    assert error.code is ErrorCode.E_HOST_OVERLOADED
