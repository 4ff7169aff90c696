"""database.query, save, get, delete, count: a plugin's own records, found by their fields, within bounds."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from rookery.supervisor import plugin_records
from rookery.supervisor.capabilities import CapabilityTable
from rookery.supervisor.store import Store
from tests.doubles.capability_calls import Caller, FakePictures

MODEL = {"model_name": "Score"}


async def create(caller: Caller, plugin_id: str = "a.b", **data: Any) -> Any:
    args = {**MODEL, "query_type": "create", "data": data}
    return await caller.ask("database.query", args, plugin_id=plugin_id)


async def get(caller: Caller, filters: Any = None, plugin_id: str = "a.b", **args: Any) -> Any:
    return await caller.ask("database.get", {**MODEL, "filters": filters, **args}, plugin_id=plugin_id)


async def test_a_record_is_made_with_an_id_and_found_by_its_fields(caller: Caller) -> None:
    """The answers are bare: a map, a list, a number, as protocol 1.0.0 has them."""
    made = await create(caller, user="ann", points=3, tags=["x"], note=None)
    await create(caller, user="bob", points=5)

    assert made == {"id": 1, "user": "ann", "points": 3, "tags": ["x"], "note": None}
    assert await get(caller, {"user": "ann"}) == [made]
    assert await get(caller, {"user": "ann"}, single_result=True) == made
    assert await get(caller, {"user": "eve"}) == []
    assert await get(caller, {"user": "eve"}, single_result=True) is None
    assert await get(caller, {"id": 2}) == [{"id": 2, "user": "bob", "points": 5}]
    assert await caller.ask("database.count", {**MODEL, "filters": {"points": 5}}) == 1
    assert await caller.ask("database.query", {**MODEL, "query_type": "count"}) == 2


@pytest.mark.parametrize(
    ("value", "others"),
    [
        pytest.param(True, [False, None, "true"], id="a boolean"),
        pytest.param(7, [8, "7", None], id="an integer"),
        pytest.param(0.5, [0.25, "0.5"], id="a number"),
        pytest.param("7", [7, "77", ""], id="a text of digits"),
        pytest.param("it's \" 100 %", ["it"], id="a text with quotes"),
        pytest.param("", ["x", None], id="an empty text"),
        pytest.param(None, [0, "", "null"], id="a null"),
        pytest.param(2**62, [2**62 + 1], id="a large integer"),
    ],
)
async def test_a_filter_finds_exactly_its_value(caller: Caller, value: Any, others: list[Any]) -> None:
    """By value and type; a null finds what is null or not there."""
    for each in (value, *others):
        await create(caller, field=each)

    found = await get(caller, {"field": value})

    assert [record["field"] for record in found] == [value]


async def test_records_come_in_the_wanted_order(caller: Caller) -> None:
    """By one field or several, either way round, else by id; no more than the limit."""
    for name, points in (("b", 1), ("a", 2), ("c", 1)):
        await create(caller, name=name, points=points)

    async def names(**args: Any) -> list[str]:
        return [record["name"] for record in await get(caller, **args)]

    assert await names() == ["b", "a", "c"]
    assert await names(order_by="name") == ["a", "b", "c"]
    assert await names(order_by=["-points", "-name"]) == ["a", "c", "b"]
    assert await names(order_by="-id", limit=2) == ["c", "a"]


async def test_an_update_writes_over_what_it_names(caller: Caller) -> None:
    """In every record that fits; the answer is how many."""
    for name in ("a", "b"):
        await create(caller, name=name, points=1, kept=True)
    query = {**MODEL, "query_type": "update", "filters": {"name": "a"}, "data": {"points": 9, "new": [1]}}

    count = await caller.ask("database.query", query)

    assert count == 1
    assert [(each["points"], each["kept"]) for each in await get(caller)] == [(9, True), (1, True)]
    assert await caller.ask("database.query", {**query, "filters": {"name": "z"}}) == 0


async def test_an_update_goes_through_many_records_in_pieces(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is changed once, all of them or none: also where the change makes it fit the filter no more."""
    monkeypatch.setattr(plugin_records, "PIECE", 3)
    for number in range(10):
        await create(caller, number=number, old=True)
    query = {**MODEL, "query_type": "update", "filters": {"old": True}, "data": {"old": False}}

    count = await caller.ask("database.query", query)
    monkeypatch.setattr(plugin_records, "MAX_OWNER_BYTES", 400)
    refused = await caller.ask("database.query", {**query, "filters": {}, "data": {"text": "x" * 20}})

    assert count == 10
    assert "bytes" in refused["error"]
    assert [each["old"] for each in await get(caller)] == [False] * 10
    assert not any("text" in each for each in await get(caller))


async def test_save_makes_a_record_or_changes_the_one_with_the_key(caller: Caller) -> None:
    """Without a value for the key it makes one each time."""
    keyed = {**MODEL, "key_field": "user", "key_value": "ann"}

    first = await caller.ask("database.save", {**keyed, "data": {"points": 1}})
    second = await caller.ask("database.save", {**keyed, "data": {"points": 2, "level": 1}})
    by_id = await caller.ask("database.save", {**MODEL, "data": {"points": 3}, "key_value": 1})
    new = await caller.ask("database.save", {**MODEL, "data": {"points": 4}, "key_field": "user"})

    assert first == {"id": 1, "points": 1, "user": "ann"}
    assert second == {"id": 1, "points": 2, "level": 1, "user": "ann"}
    assert by_id == {"id": 1, "points": 3, "level": 1, "user": "ann"}
    assert new == {"id": 2, "points": 4}


async def test_an_id_is_never_given_twice(caller: Caller) -> None:
    """Also when its record is gone; one that the plugin chooses must be free."""
    await create(caller, id=7, name="chosen")
    await caller.ask("database.delete", {**MODEL, "filters": {"id": 7}})

    following = await create(caller, name="next")
    taken = await create(caller, id=8)

    assert following["id"] == 8
    assert taken["success"] is False
    assert "data.id" in taken["error"]


@pytest.mark.parametrize("filters", [None, {}, "left out"])
@pytest.mark.parametrize("capability", ["database.delete", "database.query"])
async def test_nothing_is_deleted_without_a_filter(caller: Caller, capability: str, filters: Any) -> None:
    """W13: the original empties the table."""
    await create(caller, name="a")
    args = {**MODEL, "query_type": "delete", "filters": filters}
    if filters == "left out":
        del args["filters"]

    answer = await caller.ask(capability, args)

    assert answer["success"] is False
    assert "filters" in answer["error"]
    assert len(await get(caller)) == 1


async def test_what_is_deleted_is_counted(caller: Caller) -> None:
    """The answer is how many records there were."""
    for points in (1, 1, 2):
        await create(caller, points=points)

    assert await caller.ask("database.delete", {**MODEL, "filters": {"points": 1}}) == 2
    assert [each["points"] for each in await get(caller)] == [2]


async def test_no_plugin_reaches_anothers_records(caller: Caller) -> None:
    """W13: the same name is another table for each, and no name leads to a table of the host."""
    await create(caller, secret="mine")

    assert await get(caller, plugin_id="a.c") == []
    for name in ("message", "person", "plugin_record", "sqlite_master", "Messages"):
        assert await caller.ask("database.get", {"model_name": name}, plugin_id="a.c") == []
    assert await caller.ask("database.delete", {**MODEL, "filters": {"id": 1}}, plugin_id="a.c") == 0
    assert len(await get(caller)) == 1


async def test_plugins_that_share_a_table_see_the_same_records(caller: Caller, powers: FakePictures) -> None:
    """Only the ones that the operator has named, and only this table; rows too."""
    powers.shared |= {("a.b", "Score"), ("a.c", "Score")}
    await create(caller, name="both")
    await caller.ask("database.put_row", {"table": "Score", "key": "k", "row": {"x": 1}})

    shared = await get(caller, plugin_id="a.c")
    row = await caller.ask("database.get_row", {"table": "Score", "key": "k"}, plugin_id="a.c")
    powers.shared.discard(("a.c", "Score"))
    alone = await get(caller, plugin_id="a.c")

    assert shared == [{"id": 1, "name": "both"}]
    assert row == {"success": True, "row": {"x": 1}}
    assert alone == []


@pytest.mark.parametrize(
    ("args", "argument"),
    [
        pytest.param({"model_name": ""}, "model_name", id="no table"),
        pytest.param({"model_name": "a; DROP TABLE message"}, "model_name", id="a statement for a table"),
        pytest.param({"model_name": "x" * 65}, "model_name", id="a long name"),
        pytest.param({"model_name": "täble"}, "model_name", id="a name with an umlaut"),
        pytest.param({"filters": {"a') OR 1=1 --": 1}}, "filters", id="a statement for a field"),
        pytest.param({"filters": {"a": [1]}}, "filters.a", id="a list in a filter"),
        pytest.param({"filters": {"a": 2**63}}, "filters.a", id="an integer without room"),
        pytest.param({"filters": {"a": "x" * 20_000}}, "filters.a", id="a long text in a filter"),
        pytest.param({"filters": {f"f{n}": 1 for n in range(200)}}, "filters", id="many fields"),
        pytest.param({"filters": [1]}, "filters", id="a list for a filter"),
        pytest.param({"order_by": "a DESC"}, "order_by[0]", id="a statement for an order"),
        pytest.param({"order_by": 5}, "order_by", id="a number for an order"),
        pytest.param({"order_by": ["a"] * 200}, "order_by", id="many orders"),
        pytest.param({"limit": 0}, "limit", id="no limit"),
        pytest.param({"limit": 1_000_000}, "limit", id="a limit above the limit"),
        pytest.param({"query_type": "drop"}, "query_type", id="a query that is none"),
        pytest.param({"query_type": "create"}, "data", id="no data"),
        pytest.param({"query_type": "create", "data": {"a b": 1}}, "data", id="a field with a blank"),
        pytest.param({"query_type": "create", "data": {"a": b"x"}}, "data", id="bytes"),
        pytest.param({"query_type": "create", "data": {"a": "x" * 300_000}}, "data", id="a large record"),
        pytest.param({"query_type": "create", "data": {"id": "x"}}, "data.id", id="an id that is a text"),
        pytest.param({"query_type": "update", "data": {"id": 2}}, "data.id", id="another id"),
        pytest.param({"query_type": "update", "data": {}}, "data", id="an update of nothing"),
    ],
)
async def test_a_mistake_is_said_by_its_argument(
    caller: Caller, store: Store, args: Any, argument: str
) -> None:
    """And nothing reaches the database."""
    await create(caller, a=1)

    answer = await caller.ask("database.query", {**MODEL, **args})

    assert answer["success"] is False
    assert answer["error"].startswith(f"{argument}:")
    assert len(await get(caller)) == 1
    assert store.failures == 0


async def test_a_table_is_full_at_its_limit(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    """A plugin fills its own tables and nobody's disk; deleting makes room."""
    monkeypatch.setattr(plugin_records, "MAX_RECORDS", 2)
    for _ in range(2):
        await create(caller, a=1)

    full = await create(caller, a=1)
    await caller.ask("database.delete", {**MODEL, "filters": {"id": 1}})
    again = await create(caller, a=1)

    assert "the most there may be" in full["error"]
    assert again["id"] == 3
    assert store.failures == 0


async def test_a_plugin_has_so_many_tables_and_bytes(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """In all its tables together; another plugin has its own."""
    monkeypatch.setattr(plugin_records, "MAX_TABLES", 2)
    monkeypatch.setattr(plugin_records, "MAX_OWNER_BYTES", 60)

    async def make(table: str, plugin_id: str = "a.b") -> Any:
        args = {"model_name": table, "query_type": "create", "data": {"text": "x" * 15}}
        return await caller.ask("database.query", args, plugin_id=plugin_id)

    made = [await make(table) for table in ("one", "two", "three", "one")]
    other = await make("three", "a.c")

    assert [each.get("id") for each in made] == [1, 1, None, None]
    assert "tables already" in made[2]["error"]
    assert "bytes" in made[3]["error"]
    assert other["id"] == 1


async def test_the_books_of_a_table_are_right(caller: Caller, store: Store) -> None:
    """However its records came, changed and went."""
    for number in range(20):
        await create(caller, number=number, text="ä" * number)
    change = {"filters": {"number": 3}, "data": {"text": "", "more": "ü" * 50}}
    await caller.ask("database.query", {**MODEL, "query_type": "update", **change})
    await caller.ask("database.delete", {**MODEL, "filters": {"text": ""}})

    def look(connection: sqlite3.Connection) -> Any:
        books = connection.execute("SELECT records, bytes, last_id FROM plugin_table").fetchone()
        real = connection.execute(
            "SELECT count(*), sum(length(CAST(body AS BLOB))), max(id) FROM plugin_record"
        ).fetchone()
        return books, real

    books, real = await store.run(look)

    assert books == real
    assert books[0] == 18


async def test_an_answer_that_would_be_too_large_is_refused(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is put together."""
    monkeypatch.setattr(plugin_records, "MAX_FOUND_BYTES", 100)
    for _ in range(3):
        await create(caller, text="x" * 40)

    answer = await get(caller)

    assert answer["success"] is False
    assert "ask for fewer" in answer["error"]
    assert len(await get(caller, limit=1)) == 1


async def test_every_name_of_the_protocol_is_there(table: CapabilityTable) -> None:
    """All five."""
    assert {f"database.{name}" for name in ("query", "save", "get", "delete", "count")} <= set(table.names)
