"""``database.*``: rows that a plugin keeps. A plugin reaches its own rows, and those of tables that its operator lets it share.

A mistake in the arguments is refused with ``E_BAD_PAYLOAD`` and the argument's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rookery.protocol import BadPayload

from .. import plugin_rows
from . import arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..plugin_rows import Operation
    from ..store import Store
    from .request import CapabilityRequest
    from .table import CapabilityTable

    OwnerOf = Callable[[str, str], str]


def register_database(table: CapabilityTable, store: Store, owner_of: OwnerOf) -> None:
    """Add ``put_row``, ``get_row``, ``find_rows``, ``delete_row``, ``increment_row``, ``count_rows`` and ``sum_rows``.

    Args:
        owner_of: Whose a table is, by the plugin that names it and the table's name.
    """

    def add(name: str, make: Callable[[str, dict[str, Any]], tuple[Operation, int]], key: str) -> None:
        def implementation(request: CapabilityRequest) -> None:
            owner = owner_of(request.plugin_id, arguments.text(request.args, "table"))
            operation, size = make(owner, request.args)
            store.submit(operation, request.settle_with(key), size=size)

        table.register(f"database.{name}", implementation)

    add("put_row", _put, "")
    add("get_row", _get, "row")
    add("find_rows", _find, "rows")
    add("delete_row", _delete, "deleted")
    add("increment_row", _increment, "row")
    add("count_rows", _count, "count")
    add("sum_rows", _sum, "sum")


def _put(owner: str, args: dict[str, Any]) -> tuple[Operation, int]:
    table, key = _table_and_key(args)
    return plugin_rows.put_row(owner, table, key, arguments.mapping(args, "row"))


def _get(owner: str, args: dict[str, Any]) -> tuple[Operation, int]:
    return plugin_rows.get_row(owner, *_table_and_key(args)), 0


def _find(owner: str, args: dict[str, Any]) -> tuple[Operation, int]:
    limit = arguments.integer(args, "limit", plugin_rows.DEFAULT_LIMIT, at_least=1)
    prefix = arguments.optional_text(args, "prefix")
    return plugin_rows.find_rows(owner, arguments.text(args, "table"), limit=limit, prefix=prefix), 0


def _delete(owner: str, args: dict[str, Any]) -> tuple[Operation, int]:
    return plugin_rows.delete_row(owner, *_table_and_key(args)), 0


def _increment(owner: str, args: dict[str, Any]) -> tuple[Operation, int]:
    table, key = _table_and_key(args)
    fields = arguments.mapping(args, "fields")
    if not all(type(name) is str for name in fields):
        raise BadPayload("must be named by texts", "fields")
    return plugin_rows.increment_row(owner, table, key, fields), 0


def _count(owner: str, args: dict[str, Any]) -> tuple[Operation, int]:
    return plugin_rows.count_rows(owner, arguments.text(args, "table")), 0


def _sum(owner: str, args: dict[str, Any]) -> tuple[Operation, int]:
    return plugin_rows.sum_rows(owner, arguments.text(args, "table"), arguments.text(args, "field")), 0


def _table_and_key(args: dict[str, Any]) -> tuple[str, str]:
    return arguments.text(args, "table"), arguments.text(args, "key")
