"""Plugins' rows: a dict of dicts that survives, told apart by plugin, table and key."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from rookery.protocol import BadPayload
from rookery.supervisor import plugin_rows as rows
from rookery.supervisor.store_errors import OperationRefused
from rookery.supervisor.store_schema import MIGRATIONS, open_database


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_database(tmp_path / "s.db")

    yield connection

    connection.close()


def in_memory() -> sqlite3.Connection:
    """The same tables without a file, for searches that begin anew a hundred times."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for statement in MIGRATIONS[0]:
        connection.execute(statement)
    return connection


def put(connection: sqlite3.Connection, key: str, row: dict[str, Any], *, plugin: str = "p") -> None:
    rows.put_row(plugin, "t", key, row)[0](connection)


PLUGINS = st.sampled_from(["a.b", "a.c"])
TABLES = st.sampled_from(["t", "t2", "люди"])
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3) | st.sampled_from(
    ["a", "ab", "abc", "a\U0010ffff", "a\U0010ffffb", "\ud7ff", "\x00a", "%", "_"]
)
FIELDS = st.sampled_from(["n", "points", "a.b", 'qu"ote', "back\\slash", "é", "$", "new\nline", " "])
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | st.integers(-(2**63), 2**63 - 1)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | NUMBERS
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
    | st.binary(max_size=3)
    | st.just(math.inf),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=2),
    max_leaves=4,
)
ROWS = st.dictionaries(FIELDS, VALUES, max_size=3)


class RowsAgainstADict(RuleBasedStateMachine):
    """Whatever is done to the store and to a dict, both say the same."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = in_memory()
        self.model: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}

    def teardown(self) -> None:
        self.connection.close()

    def table(self, plugin: str, table: str) -> dict[str, dict[str, Any]]:
        return self.model.setdefault((plugin, table), {})

    @rule(plugin=PLUGINS, table=TABLES, key=KEYS, row=ROWS)
    def put(self, plugin: str, table: str, key: str, row: dict[str, Any]) -> None:
        rows.put_row(plugin, table, key, row)[0](self.connection)
        self.table(plugin, table)[key] = row

    @rule(plugin=PLUGINS, table=TABLES, key=KEYS)
    def get(self, plugin: str, table: str, key: str) -> None:
        found = rows.get_row(plugin, table, key)(self.connection)

        assert found == self.table(plugin, table).get(key)

    @rule(plugin=PLUGINS, table=TABLES, key=KEYS)
    def delete(self, plugin: str, table: str, key: str) -> None:
        deleted = rows.delete_row(plugin, table, key)(self.connection)

        assert deleted is (self.table(plugin, table).pop(key, None) is not None)

    @rule(plugin=PLUGINS, table=TABLES, prefix=KEYS | st.just(""), limit=st.integers(1, 5))
    def find(self, plugin: str, table: str, prefix: str, limit: int) -> None:
        found = rows.find_rows(plugin, table, limit=limit, prefix=prefix)(self.connection)

        model = self.table(plugin, table)
        keys = sorted(key for key in model if key.startswith(prefix))[:limit]
        assert found == [{**model[key], "key": key} for key in keys]

    @rule(
        plugin=PLUGINS,
        table=TABLES,
        key=KEYS,
        amounts=st.dictionaries(FIELDS, NUMBERS, min_size=1, max_size=2),
    )
    def increment(self, plugin: str, table: str, key: str, amounts: dict[str, Any]) -> None:
        model = self.table(plugin, table)
        expected = dict(model.get(key, {}))
        fits = True
        for name, amount in amounts.items():
            before = expected.get(name, 0)
            fits = fits and type(before) in (int, float)
            after = before + amount if fits else 0
            fits = fits and math.isfinite(after) and (type(after) is float or -(2**63) <= after < 2**63)
            expected[name] = after
        if not fits:
            with pytest.raises(OperationRefused, match=r"^fields\."):
                rows.increment_row(plugin, table, key, amounts)(self.connection)
            return

        row = rows.increment_row(plugin, table, key, amounts)(self.connection)

        assert row == expected
        model[key] = expected

    @rule(plugin=PLUGINS, table=TABLES, field=FIELDS)
    def add_up(self, plugin: str, table: str, field: str) -> None:
        total = rows.sum_rows(plugin, table, field)(self.connection)

        values = [row.get(field) for row in self.table(plugin, table).values()]
        numbers = [value for value in values if type(value) in (int, float)]
        if all(type(value) is int for value in numbers):
            assert total == sum(numbers)
        else:
            assert total == pytest.approx(math.fsum(numbers), rel=1e-9, abs=1e4)

    @invariant()
    def as_many(self) -> None:
        for (plugin, table), model in self.model.items():
            assert rows.count_rows(plugin, table)(self.connection) == len(model)


@pytest.mark.slow
def test_rows_are_what_a_dict_of_dicts_would_hold() -> None:
    """Any sequence of operations on any names, keys and values."""
    run_state_machine_as_test(RowsAgainstADict)


@given(row=ROWS)
def test_a_row_comes_back_as_it_was_put(row: dict[str, Any]) -> None:
    """With the types it had: no integer becomes a float, no bytes become text."""
    body = rows._encode(row)

    assert repr(rows._decode(body)) == repr(row)


def test_what_json_has_no_form_for_is_kept(connection: sqlite3.Connection) -> None:
    """Bytes, dates and infinity, and such rows are added up like the others."""
    row = {"at": datetime(2026, 1, 2, tzinfo=UTC), "raw": b"\x00\xff", "most": math.inf, "n": 2}
    put(connection, "k", row)
    put(connection, "l", {"n": 3})

    assert rows.get_row("p", "t", "k")(connection) == row
    assert rows.sum_rows("p", "t", "n")(connection) == 5


def test_plugins_do_not_see_each_other(connection: sqlite3.Connection) -> None:
    """The same table and key of another plugin is another row."""
    put(connection, "k", {"n": 1}, plugin="a.b")

    assert rows.get_row("a.c", "t", "k")(connection) is None
    assert rows.find_rows("a.c", "t")(connection) == []
    assert rows.delete_row("a.c", "t", "k")(connection) is False
    assert rows.count_rows("a.b", "t")(connection) == 1


def test_truth_is_no_number(connection: sqlite3.Connection) -> None:
    """Neither in a sum nor in what is added to."""
    put(connection, "k", {"n": True})

    with pytest.raises(OperationRefused, match="bool"):
        rows.increment_row("p", "t", "k", {"n": 1})(connection)

    assert rows.sum_rows("p", "t", "n")(connection) == 0


def test_a_failed_increment_changes_no_field(connection: sqlite3.Connection) -> None:
    """Not even those before the one that cannot be added to."""
    put(connection, "k", {"a": 1, "b": "text"})

    with pytest.raises(OperationRefused) as raised:
        rows.increment_row("p", "t", "k", {"a": 1, "b": 1})(connection)

    assert raised.value.argument == "fields.b"
    assert rows.get_row("p", "t", "k")(connection) == {"a": 1, "b": "text"}


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        pytest.param(lambda: rows.put_row("p", "", "k", {}), "table", id="no table"),
        pytest.param(lambda: rows.put_row("p", "t" * 513, "k", {}), "table", id="a long table"),
        pytest.param(lambda: rows.put_row("p", "t", "k" * 513, {}), "key", id="a long key"),
        pytest.param(lambda: rows.get_row("p", "t", "\ud800"), "key", id="a lone surrogate"),
        pytest.param(lambda: rows.put_row("p", "t", "k", {"a": "x" * 2**20}), "row", id="a large row"),
        pytest.param(
            lambda: rows.put_row("p", "t", "k", {"a": b"x" * 2**20}), "row", id="a large row of bytes"
        ),
        pytest.param(lambda: rows.put_row("p", "t", "k", {"a": "é" * 2**19}), "row", id="large by its bytes"),
        pytest.param(lambda: rows.put_row("p", "t", "k", {"a": {1: 2}}), "row", id="a key that is no text"),
        pytest.param(lambda: rows.put_row("p", "t", "k", {"a": object()}), "row", id="an object"),
        pytest.param(lambda: rows.increment_row("p", "t", "k", {}), "fields", id="nothing to add"),
        pytest.param(lambda: rows.increment_row("p", "t", "k", {"n": "1"}), "fields.n", id="a text to add"),
        pytest.param(lambda: rows.increment_row("p", "t", "k", {"n": True}), "fields.n", id="a truth to add"),
        pytest.param(
            lambda: rows.increment_row("p", "t", "k", {"n": math.nan}), "fields.n", id="not a number"
        ),
        pytest.param(lambda: rows.find_rows("p", "t", limit=0), "limit", id="no limit"),
        pytest.param(lambda: rows.find_rows("p", "t", limit=10_001), "limit", id="a large limit"),
        pytest.param(lambda: rows.sum_rows("p", "t", ""), "field", id="no field"),
    ],
)
def test_a_mistake_names_its_argument(make: Any, argument: str) -> None:
    """Before anything is queued."""
    with pytest.raises(BadPayload) as raised:
        make()

    assert raised.value.path == argument


def test_a_row_that_grows_too_large_is_refused(connection: sqlite3.Connection) -> None:
    """The limit holds for what an increment adds, too."""
    put(connection, "k", {"a": "x" * (2**20 - 20)})

    with pytest.raises(OperationRefused, match="1048576"):
        rows.increment_row("p", "t", "k", {"a long name of a field": 1})(connection)


def test_more_than_a_frame_holds_is_refused(connection: sqlite3.Connection) -> None:
    """The answer says to ask for fewer; fewer come."""
    for number in range(10):
        put(connection, str(number), {"a": "x" * (2**20 - 20)})

    with pytest.raises(OperationRefused, match="ask for fewer"):
        rows.find_rows("p", "t")(connection)

    assert len(rows.find_rows("p", "t", limit=5)(connection)) == 5


def test_ten_thousand_rows_are_counted_and_added_up_quickly(connection: sqlite3.Connection) -> None:
    """In tens of milliseconds, on an idle machine in ten; the bound is for a busy one."""
    connection.execute("BEGIN")
    for number in range(10_000):
        put(connection, f"user {number}", {"messages": 2, "name": f"somebody {number}"})
    connection.execute("COMMIT")

    began = time.perf_counter()
    count = rows.count_rows("p", "t")(connection)
    total = rows.sum_rows("p", "t", "messages")(connection)
    took = time.perf_counter() - began

    assert (count, total) == (10_000, 20_000)
    assert took < 1.0
