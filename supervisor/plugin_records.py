"""Which operations are there on a plugin's tables of records: create, save, select, update, delete, count?

A record is a map of fields that SQLite finds by what is in them, with an ``id`` that it gets when it is made. A table is there
as soon as it is used. Every name is checked against one grammar, and every value is bound, never written into a statement.

Each function checks its arguments in the loop and returns an operation for ``Store.submit``. Whoever calls them knows whose
table it is: ``owner`` is never a plugin's word.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs

from rookery.protocol import BadPayload

from .record_terms import ID, Condition, Record, check_name, condition_of, encode_fields, order_of, split_id
from .store_errors import OperationRefused

Operation = Callable[[sqlite3.Connection], Any]
MAX_TABLES = 100
"""Of one owner."""

MAX_RECORDS = 100_000
"""In one table: a question without an index looks at all of them, while everybody else waits."""

MAX_OWNER_BYTES = 512 * 1024 * 1024
"""In all tables of one owner."""

MAX_FOUND = 10_000
DEFAULT_FOUND = 1_000
"""Records that one question brings back."""

MAX_FOUND_BYTES = 8 * 1024 * 1024
"""Half of what a frame holds."""

PIECE, PIECE_BYTES = 1000, 1024 * 1024
"""Records that are changed at once; as values of Python they are many times as large."""

_Found = tuple[int, Record, int]
"""A record's id, its fields and its size."""

_WHERE = "owner = ? AND table_name = ?"


@attrs.frozen
class Table:
    """Where records are.

    Raises:
        BadPayload: The name is none.
    """

    owner: str
    name: str = attrs.field()

    @name.validator
    def _check(self, _: object, name: str) -> None:
        check_name(name, "model_name")


def create(table: Table, data: Mapping[str, Any]) -> tuple[Operation, int]:
    """Make a record; the operation returns it, with its id. Also returns how many bytes the operation holds.

    Raises:
        BadPayload: The data cannot be kept.
    """
    wanted, fields = split_id(data)
    body = encode_fields(fields)

    def operation(connection: sqlite3.Connection) -> Record:
        return _insert(connection, table, wanted, fields, body)

    return operation, len(body)


def save(table: Table, data: Mapping[str, Any], key_field: str, key: Any) -> tuple[Operation, int]:
    """Change the first record that has this key in this field, or make one that has it; the operation returns it.

    Raises:
        BadPayload: Something of it cannot be kept or looked for.
    """
    condition = condition_of({key_field: key}, "key_field")
    wanted, fields = split_id({**data, key_field: key})
    body = encode_fields(fields)

    def operation(connection: sqlite3.Connection) -> Record:
        found = next(_select(connection, table, condition, f"{ID} ASC", (), 1), None)
        if found is None:
            return _insert(connection, table, wanted, fields, body)
        [record] = _change(connection, table, [found], fields)
        return record

    return operation, len(body)


def select(
    table: Table,
    filters: Mapping[str, Any],
    *,
    order_by: Iterable[str] = (),
    limit: int = DEFAULT_FOUND,
    single: bool = False,
) -> Operation:
    """The records that have all these values, in this order.

    Args:
        order_by: Fields, the first counts most; ``-`` in front turns the order round. Then by id.
        single: The operation returns the first of them, or ``None``.

    Raises:
        BadPayload: The filter, the order or the limit is none.
    """
    if not 1 <= limit <= MAX_FOUND:
        raise BadPayload(f"must be 1 to {MAX_FOUND}, got {limit}", "limit")
    condition = condition_of(filters, "filters")
    order, paths = order_of(order_by)

    def operation(connection: sqlite3.Connection) -> Any:
        records: list[Record] = []
        total = 0
        for number, fields, size in _select(
            connection, table, condition, order, paths, 1 if single else limit
        ):
            total += size
            if total > MAX_FOUND_BYTES:
                raise OperationRefused(
                    f"the first {len(records) + 1} records have more than {MAX_FOUND_BYTES} bytes; ask for fewer",
                    "limit",
                )
            records.append({ID: number, **fields})
        return next(iter(records), None) if single else records

    return operation


def update(table: Table, filters: Mapping[str, Any], data: Mapping[str, Any]) -> tuple[Operation, int]:
    """Write these fields over those of every record that has all these values; the operation returns how many there were.

    Raises:
        BadPayload: Something of it cannot be kept or looked for.
    """
    condition = condition_of(filters, "filters")
    wanted, fields = split_id(data)
    if wanted is not None:
        raise BadPayload("an id never changes", f"data.{ID}")
    if not fields:
        raise BadPayload("must have at least one field", "data")
    body = encode_fields(fields)

    def operation(connection: sqlite3.Connection) -> int:
        changed, last = 0, 0
        while found := _piece(connection, table, condition, last):
            _change(connection, table, found, fields)
            changed, last = changed + len(found), found[-1][0]
        return changed

    return operation, len(body)


def delete(table: Table, filters: Mapping[str, Any]) -> Operation:
    """Remove every record that has all these values; the operation returns how many there were.

    Raises:
        BadPayload: The filter is none, or empty: that would be the whole table.
    """
    if not filters:
        raise BadPayload("must name at least one field: nothing is deleted without a filter", "filters")
    condition = condition_of(filters, "filters")

    def operation(connection: sqlite3.Connection) -> int:
        where = f"{_WHERE} AND {condition.sql}"
        values = (table.owner, table.name, *condition.values)
        count, size = connection.execute(
            f"SELECT count(*), total(length(CAST(body AS BLOB))) FROM plugin_record WHERE {where}", values
        ).fetchone()
        if count:
            connection.execute(f"DELETE FROM plugin_record WHERE {where}", values)
            _count_up(connection, table, records=-count, size=-int(size))
        return int(count)

    return operation


def count(table: Table, filters: Mapping[str, Any]) -> Operation:
    """How many records have all these values.

    Raises:
        BadPayload: The filter is none.
    """
    condition = condition_of(filters, "filters")

    def operation(connection: sqlite3.Connection) -> int:
        sql = f"SELECT count(*) FROM plugin_record WHERE {_WHERE} AND {condition.sql}"
        return int(connection.execute(sql, (table.owner, table.name, *condition.values)).fetchone()[0])

    return operation


# --- in the database ---------------------------------------------------------------------------------------------------


def _select(
    connection: sqlite3.Connection,
    table: Table,
    condition: Condition,
    order: str,
    order_values: tuple[str, ...],
    limit: int,
) -> Iterator[_Found]:
    sql = f"SELECT id, body FROM plugin_record WHERE {_WHERE} AND {condition.sql} ORDER BY {order} LIMIT ?"
    values = (table.owner, table.name, *condition.values, *order_values, limit)
    for number, body in connection.execute(sql, values):
        yield number, json.loads(body), len(body.encode())


def _piece(connection: sqlite3.Connection, table: Table, condition: Condition, after: int) -> list[_Found]:
    """The next records behind this id, no more of them than are held in memory at once."""
    beyond = attrs.evolve(condition, sql=f"({condition.sql}) AND id > ?", values=(*condition.values, after))
    found, total = [], 0
    for each in _select(connection, table, beyond, f"{ID} ASC", (), PIECE):
        found.append(each)
        total += each[2]
        if total > PIECE_BYTES:
            break
    return found


def _insert(
    connection: sqlite3.Connection, table: Table, wanted: int | None, fields: Record, body: str
) -> Record:
    place = (table.owner, table.name)
    row = connection.execute(
        "SELECT last_id, records FROM plugin_table WHERE owner = ? AND name = ?", place
    ).fetchone()
    last, records = (0, 0) if row is None else row
    if row is None:
        tables = connection.execute("SELECT count(*) FROM plugin_table WHERE owner = ?", (table.owner,))
        if tables.fetchone()[0] >= MAX_TABLES:
            raise OperationRefused(
                f"there are {MAX_TABLES} tables already, the most there may be", "model_name"
            )
    if records >= MAX_RECORDS:
        raise OperationRefused(
            f"the table has {MAX_RECORDS} records, the most there may be; delete some", "model_name"
        )
    number = last + 1 if wanted is None else wanted
    if wanted is not None and _is_taken(connection, table, wanted):
        raise OperationRefused(f"there is a record with the id {wanted} already", f"data.{ID}")
    if number >= 2**63:
        raise OperationRefused("there are no ids left above the largest one", f"data.{ID}")
    size = len(body.encode())
    _check_room(connection, table, size)
    if row is None:
        connection.execute("INSERT INTO plugin_table VALUES (?, ?, 0, 0, 0)", place)
    connection.execute("INSERT INTO plugin_record VALUES (?, ?, ?, ?)", (*place, number, body))
    _count_up(connection, table, records=1, size=size, last=max(last, number))
    return {ID: number, **fields}


def _is_taken(connection: sqlite3.Connection, table: Table, number: int) -> bool:
    sql = f"SELECT 1 FROM plugin_record WHERE {_WHERE} AND id = ?"
    return connection.execute(sql, (table.owner, table.name, number)).fetchone() is not None


def _change(
    connection: sqlite3.Connection, table: Table, found: list[_Found], fields: Record
) -> list[Record]:
    """Write fields over those of records; all of them, or none."""
    records, rows, grown = [], [], 0
    for number, old, size in found:
        changed = {**old, **fields}
        try:
            body = encode_fields(changed)
        except BadPayload as mistake:
            raise OperationRefused(mistake.message, "data") from None
        grown += len(body.encode()) - size
        rows.append((body, table.owner, table.name, number))
        records.append({ID: number, **changed})
    _check_room(connection, table, grown)
    connection.executemany(f"UPDATE plugin_record SET body = ? WHERE {_WHERE} AND id = ?", rows)
    _count_up(connection, table, size=grown)
    return records


def _check_room(connection: sqlite3.Connection, table: Table, more: int) -> None:
    if more <= 0:
        return
    sql = "SELECT total(bytes) FROM plugin_table WHERE owner = ?"
    if connection.execute(sql, (table.owner,)).fetchone()[0] + more > MAX_OWNER_BYTES:
        raise OperationRefused(
            f"all tables together have {MAX_OWNER_BYTES} bytes, the most they may have; delete records",
            "data",
        )


def _count_up(
    connection: sqlite3.Connection, table: Table, *, records: int = 0, size: int = 0, last: int = 0
) -> None:
    connection.execute(
        "UPDATE plugin_table SET records = records + ?, bytes = bytes + ?, last_id = max(last_id, ?)"
        " WHERE owner = ? AND name = ?",
        (records, size, last, table.owner, table.name),
    )
