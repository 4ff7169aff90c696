"""Which operations are there on a plugin's tables of records: create, save, select, update, delete, count?

A record is a map of fields that SQLite finds by what is in them, with an ``id`` that it gets when it is made. A table is there
as soon as it is used. Every name is checked against one grammar, and every value is bound, never written into a statement.

Each function checks its arguments in the loop and returns an operation for ``Store.submit``. Whoever calls them knows whose
table it is: ``owner`` is never a plugin's word.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs

from rookery.protocol import BadPayload, CannotEncode, check_sendable, shown

from .ranges import TABLE_NAME
from .store_errors import OperationRefused

Operation = Callable[[sqlite3.Connection], Any]
Record = dict[str, Any]

MAX_TABLES = 100
"""Of one owner."""

MAX_RECORDS = 100_000
"""In one table: a question without an index looks at all of them, while everybody else waits."""

MAX_RECORD_BYTES = 256 * 1024

MAX_OWNER_BYTES = 512 * 1024 * 1024
"""In all tables of one owner."""

MAX_FIELDS = 100
"""In one filter, and in one order."""

MAX_FOUND = 10_000
DEFAULT_FOUND = 1_000
"""Records that one question brings back."""

MAX_FOUND_BYTES = 8 * 1024 * 1024
"""Half of what a frame holds."""

PIECE, PIECE_BYTES = 1000, 1024 * 1024
"""Records that are changed at once; as values of Python they are many times as large."""

MAX_TEXT_CHARS = 10_000
"""Of a value in a filter."""

ID = "id"

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
        _check_name(name, "model_name")


@attrs.frozen
class _Condition:
    """What a filter says, as SQL and its values."""

    sql: str
    values: tuple[Any, ...]


def create(table: Table, data: Mapping[str, Any]) -> tuple[Operation, int]:
    """Make a record; the operation returns it, with its id. Also returns how many bytes the operation holds.

    Raises:
        BadPayload: The data cannot be kept.
    """
    wanted, fields = _split(data)
    body = _encode(fields)

    def operation(connection: sqlite3.Connection) -> Record:
        return _insert(connection, table, wanted, fields, body)

    return operation, len(body)


def save(table: Table, data: Mapping[str, Any], key_field: str, key: Any) -> tuple[Operation, int]:
    """Change the first record that has this key in this field, or make one that has it; the operation returns it.

    Raises:
        BadPayload: Something of it cannot be kept or looked for.
    """
    condition = _condition({key_field: key}, "key_field")
    wanted, fields = _split({**data, key_field: key})
    body = _encode(fields)

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
    condition = _condition(filters, "filters")
    order, paths = _order(order_by)

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
    condition = _condition(filters, "filters")
    wanted, fields = _split(data)
    if wanted is not None:
        raise BadPayload("an id never changes", f"data.{ID}")
    if not fields:
        raise BadPayload("must have at least one field", "data")
    body = _encode(fields)

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
    condition = _condition(filters, "filters")

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
    condition = _condition(filters, "filters")

    def operation(connection: sqlite3.Connection) -> int:
        sql = f"SELECT count(*) FROM plugin_record WHERE {_WHERE} AND {condition.sql}"
        return int(connection.execute(sql, (table.owner, table.name, *condition.values)).fetchone()[0])

    return operation


# --- in the database ---------------------------------------------------------------------------------------------------


def _select(
    connection: sqlite3.Connection,
    table: Table,
    condition: _Condition,
    order: str,
    order_values: tuple[str, ...],
    limit: int,
) -> Iterator[_Found]:
    sql = f"SELECT id, body FROM plugin_record WHERE {_WHERE} AND {condition.sql} ORDER BY {order} LIMIT ?"
    values = (table.owner, table.name, *condition.values, *order_values, limit)
    for number, body in connection.execute(sql, values):
        yield number, json.loads(body), len(body.encode())


def _piece(connection: sqlite3.Connection, table: Table, condition: _Condition, after: int) -> list[_Found]:
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
            body = _encode(changed)
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


# --- checking ----------------------------------------------------------------------------------------------------------


def _check_name(name: Any, path: str) -> None:
    if type(name) is not str or not TABLE_NAME.fullmatch(name):
        raise BadPayload(
            f"must be a letter or '_', then at most 63 of letters, digits and '_'; got {shown(name)}", path
        )


def _condition(filters: Mapping[str, Any], path: str) -> _Condition:
    if len(filters) > MAX_FIELDS:
        raise BadPayload(f"must name at most {MAX_FIELDS} fields, got {len(filters)}", path)
    parts, values = ["1"], []
    for name, value in filters.items():
        _check_name(name, path)
        value = _bindable(value, f"{path}.{name}")
        if name == ID:
            parts.append("id IS ?")
        else:
            # IS and not =: a null finds the records that have none.
            parts.append("json_extract(body, ?) IS ?")
            values.append(f"$.{name}")
        values.append(value)
    return _Condition(" AND ".join(parts), tuple(values))


def _bindable(value: Any, path: str) -> Any:
    if value is None or type(value) is bool:
        return value
    if type(value) is int and -(2**63) <= value < 2**63:
        return value
    if type(value) is float and math.isfinite(value):
        return value
    if type(value) is str and len(value) <= MAX_TEXT_CHARS and _is_unicode(value):
        return value
    raise BadPayload(
        f"must be a text of at most {MAX_TEXT_CHARS} characters, a number of 64 bits, true, false or null;"
        f" got {shown(value)}",
        path,
    )


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _order(order_by: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    parts, paths = [], []
    for index, text in enumerate(order_by):
        if index >= MAX_FIELDS:
            raise BadPayload(f"must name at most {MAX_FIELDS} fields", "order_by")
        name = text.removeprefix("-")
        _check_name(name, f"order_by[{index}]")
        direction = "DESC" if text.startswith("-") else "ASC"
        if name == ID:
            parts.append(f"id {direction}")
        else:
            parts.append(f"json_extract(body, ?) {direction}")
            paths.append(f"$.{name}")
    return ", ".join([*parts, "id ASC"]), tuple(paths)


def _split(data: Mapping[str, Any]) -> tuple[int | None, Record]:
    """The id that a record is to have, ``None`` for the next one, and its fields."""
    fields = dict(data)
    for name in fields:
        _check_name(name, "data")
    wanted = fields.pop(ID, None)
    if wanted is not None and not (type(wanted) is int and 0 < wanted < 2**62):
        raise BadPayload(f"must be a whole number above 0, got {shown(wanted)}", f"data.{ID}")
    return wanted, fields


def _encode(fields: Record) -> str:
    try:
        check_sendable(fields)
        body = json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(body.encode())
    except (CannotEncode, TypeError, ValueError) as error:
        reason = error.reason if isinstance(error, CannotEncode) else str(error)
        raise BadPayload(f"has something that cannot be kept: {reason:.200}", "data") from None
    if size > MAX_RECORD_BYTES:
        raise BadPayload(f"has {size} bytes, at most {MAX_RECORD_BYTES} are kept in one record", "data")
    return body
