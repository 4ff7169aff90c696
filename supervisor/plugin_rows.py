"""Which operations are there on the rows that plugins keep: put, get, find, delete, increment, count, sum.

A row belongs to the plugin whose id is given: the host's knowledge, never a plugin's word. Each function checks its
arguments in the loop and returns an operation for ``Store.submit``.

A row is stored as JSON text, so that SQLite itself can add up a field of ten thousand rows in one step, without the
interpreter lock, and so that an operator can read it. What JSON has no form for (bytes, dates, infinity) makes the row
msgpack bytes, which take the slow road. A side table of numbers was the alternative and doubles every write.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable
from typing import Any, TypeGuard

from rookery.protocol import BadPayload, CannotEncode, check_sendable, decode_value, encode_value

from .store_errors import OperationRefused

Operation = Callable[[sqlite3.Connection], Any]
Row = dict[str, Any]

MAX_NAME_CHARS = 512
"""Of a table's name and of a key."""

MAX_ROW_BYTES = 1024 * 1024
"""Of one row, encoded. What is larger belongs into a file of the plugin's own data directory."""

MAX_FOUND_ROWS = 10_000
"""Rows that one ``find_rows`` may bring back."""

MAX_FOUND_BYTES = 8 * 1024 * 1024
"""Encoded bytes that one ``find_rows`` may bring back: half of what a frame holds."""

DEFAULT_LIMIT = 1_000

_WHERE = "WHERE plugin_id = ? AND table_name = ?"
_PUT = (
    "INSERT INTO plugin_row (plugin_id, table_name, key, body) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (plugin_id, table_name, key) DO UPDATE SET body = excluded.body"
)
_GET = f"SELECT body FROM plugin_row {_WHERE} AND key = ?"
_DELETE = f"DELETE FROM plugin_row {_WHERE} AND key = ?"
_COUNT = f"SELECT count(*) FROM plugin_row {_WHERE}"


def put_row(plugin_id: str, table: str, key: str, row: Row) -> tuple[Operation, int]:
    """Store a row, in place of the one with this key; also returns how many bytes the operation holds.

    Raises:
        BadPayload: The name, the key or the row cannot be stored.
    """
    _check_name(table, "table")
    _check_name(key, "key")
    try:
        body = _encode(row)
    except ValueError as error:
        raise BadPayload(str(error), "row") from None

    def operation(connection: sqlite3.Connection) -> None:
        connection.execute(_PUT, (plugin_id, table, key, body))

    return operation, len(body)


def get_row(plugin_id: str, table: str, key: str) -> Operation:
    """The row with this key; ``None`` if there is none.

    Raises:
        BadPayload: The name or the key is none.
    """
    _check_name(table, "table")
    _check_name(key, "key")

    def operation(connection: sqlite3.Connection) -> Row | None:
        found = connection.execute(_GET, (plugin_id, table, key)).fetchone()
        return None if found is None else _decode(found[0])

    return operation


def find_rows(plugin_id: str, table: str, *, limit: int = DEFAULT_LIMIT, prefix: str = "") -> Operation:
    """The rows whose keys begin with ``prefix``, in the order of their keys, each with its key as ``key``.

    Raises:
        BadPayload: The name, the limit or the prefix is none.
    """
    _check_name(table, "table")
    if not 1 <= limit <= MAX_FOUND_ROWS:
        raise BadPayload(f"must be 1 to {MAX_FOUND_ROWS}, got {limit}", "limit")
    if prefix:
        _check_name(prefix, "prefix")
    query, values = f"SELECT key, body FROM plugin_row {_WHERE} AND key >= ?", [plugin_id, table, prefix]
    end = _first_after(prefix)
    if end:
        query, values = f"{query} AND key < ?", [*values, end]

    def operation(connection: sqlite3.Connection) -> list[Row]:
        rows: list[Row] = []
        size = 0
        for key, body in connection.execute(f"{query} ORDER BY key LIMIT ?", (*values, limit)):
            size += len(body)
            if size > MAX_FOUND_BYTES:
                raise OperationRefused(
                    f"the first {len(rows) + 1} rows have more than {MAX_FOUND_BYTES} bytes; ask for fewer at once",
                    "limit",
                )
            rows.append({**_decode(body), "key": key})
        return rows

    return operation


def delete_row(plugin_id: str, table: str, key: str) -> Operation:
    """Remove a row; the operation returns whether there was one.

    Raises:
        BadPayload: The name or the key is none.
    """
    _check_name(table, "table")
    _check_name(key, "key")

    def operation(connection: sqlite3.Connection) -> bool:
        return connection.execute(_DELETE, (plugin_id, table, key)).rowcount > 0

    return operation


def increment_row(plugin_id: str, table: str, key: str, fields: Row) -> Operation:
    """Add to number fields of a row in one step; a missing row or field begins at 0. Returns the whole row.

    Raises:
        BadPayload: The name, the key or the amounts are none.
    """
    _check_name(table, "table")
    _check_name(key, "key")
    if not fields:
        raise BadPayload("must name at least one field", "fields")
    for name, amount in fields.items():
        if not _is_number(amount) or not math.isfinite(amount):
            raise BadPayload(f"must be a number, got {type(amount).__name__}", f"fields.{name}")

    def operation(connection: sqlite3.Connection) -> Row:
        found = connection.execute(_GET, (plugin_id, table, key)).fetchone()
        row = {} if found is None else _decode(found[0])
        for name, amount in fields.items():
            row[name] = _added(row.get(name, 0), amount, f"fields.{name}")
        try:
            body = _encode(row)
        except ValueError as error:
            raise OperationRefused(str(error), "fields") from None
        connection.execute(_PUT, (plugin_id, table, key, body))
        return row

    return operation


def count_rows(plugin_id: str, table: str) -> Operation:
    """How many rows a table has; 0 for one that nobody wrote to.

    Raises:
        BadPayload: The name is none.
    """
    _check_name(table, "table")

    def operation(connection: sqlite3.Connection) -> int:
        return int(connection.execute(_COUNT, (plugin_id, table)).fetchone()[0])

    return operation


def sum_rows(plugin_id: str, table: str, field: str) -> Operation:
    """The sum of one field over all rows of a table; what is missing or no number counts 0.

    An integer as long as all numbers are.

    Raises:
        BadPayload: The name or the field is none.
    """
    _check_name(table, "table")
    _check_name(field, "field")
    path = _json_path(field)

    def operation(connection: sqlite3.Connection) -> int | float:
        if path is not None:
            total, has_real, has_bytes = connection.execute(
                _SUM, {"plugin": plugin_id, "table": table, "path": path}
            ).fetchone()
            # total() adds as floating point: exact for integers only up to here.
            if not has_bytes and (has_real or abs(total) < 2**53):
                return float(total) if has_real else int(total)
        bodies = connection.execute(f"SELECT body FROM plugin_row {_WHERE}", (plugin_id, table))
        values = [_decode(body).get(field) for (body,) in bodies]
        return sum(value for value in values if _is_number(value))

    return operation


# CASE makes sure that json_type never sees the bytes of msgpack: it would fail on them.
_SUM = """
SELECT
    total(CASE WHEN kind IN ('integer', 'real') THEN json_extract(body, :path) END),
    max(kind = 'real') IS 1,
    max(kind = 'bytes') IS 1
FROM (
    SELECT body, CASE typeof(body) WHEN 'text' THEN json_type(body, :path) ELSE 'bytes' END AS kind
    FROM plugin_row WHERE plugin_id = :plugin AND table_name = :table
)"""


def _json_path(field: str) -> str | None:
    """The field in SQLite's path language; ``None`` for a name that JSON text holds in escaped form."""
    if any(char in '"\\' or char < " " for char in field):
        return None
    return f'$."{field}"'


def _is_number(value: Any) -> TypeGuard[int | float]:
    return (
        type(value) is int or type(value) is float
    )  # a bool is an int to isinstance, and no number to anybody else


def _added(before: Any, amount: int | float, argument: str) -> int | float:
    if not _is_number(before):
        raise OperationRefused(
            f"the row has a {type(before).__name__} there, which cannot be added to", argument
        )
    after: int | float = before + amount
    if type(after) is int and not -(2**63) <= after < 2**63:
        raise OperationRefused("the sum has no room in 64 bits", argument)
    if not math.isfinite(after):
        raise OperationRefused("the sum is no finite number", argument)
    return after


def _check_name(text: str, argument: str) -> None:
    if not 1 <= len(text) <= MAX_NAME_CHARS:
        raise BadPayload(f"must have 1 to {MAX_NAME_CHARS} characters, got {len(text)}", argument)
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise BadPayload("has a lone surrogate, which no encoding has", argument)


def _first_after(prefix: str) -> str:
    """The first key after all keys that begin so; "" if there is none. SQLite compares by code point, as Python does."""
    while prefix:
        last = ord(prefix[-1])
        if last < 0x10FFFF:
            return prefix[:-1] + chr(0xE000 if last == 0xD7FF else last + 1)
        prefix = prefix[:-1]
    return ""


def _encode(row: Row) -> str | bytes:
    """The row as it is stored.

    Raises:
        ValueError: It cannot be stored; the text says why.
    """
    body: str | bytes
    try:
        check_sendable(row)
        try:
            body = json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            size = len(body) if body.isascii() else len(body.encode())
        except (TypeError, ValueError):
            body = encode_value(row)
            size = len(body)
    except CannotEncode as error:
        raise ValueError(error.reason) from None
    if size > MAX_ROW_BYTES:
        raise ValueError(f"has {size} bytes, at most {MAX_ROW_BYTES} are stored in one row")
    return body


def _decode(body: str | bytes) -> Row:
    row: Row = json.loads(body) if isinstance(body, str) else decode_value(body)
    return row
