"""``database.query`` and its like, as protocol 1.0.0 has them: records in tables, found by their fields.

In the original a table is one of the bot's own, any of them, for every plugin. Here it is the plugin's own, or one that the
operator lets several plugins share; the bot's tables are reached through ``message.*``, ``chat.*`` and ``person.*``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rookery.protocol import BadPayload

from .. import plugin_records
from ..plugin_records import DEFAULT_FOUND, Table
from . import arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..store import Store
    from .request import CapabilityRequest
    from .table import CapabilityTable

    OwnerOf = Callable[[str, str], str]

Args = dict[str, Any]


def register_records(table: CapabilityTable, store: Store, owner_of: OwnerOf) -> None:
    """Add ``query``, ``save``, ``get``, ``delete`` and ``count``.

    Args:
        owner_of: Whose a table is, by the plugin that names it and the table's name.
    """

    def add(name: str, ask: Callable[[Table, Args], tuple[Any, int]]) -> None:
        def implementation(request: CapabilityRequest) -> None:
            model = arguments.text(request.args, "model_name")
            operation, size = ask(Table(owner_of(request.plugin_id, model), model), request.args)
            store.submit(operation, request.settle_bare, size=size)

        table.register(f"database.{name}", implementation, says_mistakes=True)

    add("query", _query)
    add("save", _save)
    add("get", _get)
    add("delete", _delete)
    add("count", _count)


def _query(table: Table, args: Args) -> tuple[Any, int]:
    kind = arguments.optional_text(args, "query_type", default="get")
    ask = _QUERIES.get(kind)
    if ask is None:
        raise BadPayload(f"must be one of {', '.join(sorted(_QUERIES))}, got {kind!r:.80}", "query_type")
    return ask(table, args)


def _get(table: Table, args: Args) -> tuple[Any, int]:
    return (
        plugin_records.select(
            table,
            _filters(args),
            order_by=_order_by(args),
            limit=arguments.integer(args, "limit", DEFAULT_FOUND, at_least=1),
            single=arguments.flag(args, "single_result"),
        ),
        0,
    )


def _create(table: Table, args: Args) -> tuple[Any, int]:
    return plugin_records.create(table, arguments.mapping(args, "data"))


def _update(table: Table, args: Args) -> tuple[Any, int]:
    return plugin_records.update(table, _filters(args), arguments.mapping(args, "data"))


def _save(table: Table, args: Args) -> tuple[Any, int]:
    data = arguments.mapping(args, "data")
    key = args.get("key_value")
    if key is None:
        return plugin_records.create(table, data)
    return plugin_records.save(table, data, arguments.optional_text(args, "key_field", default="id"), key)


def _delete(table: Table, args: Args) -> tuple[Any, int]:
    return plugin_records.delete(table, _filters(args)), 0


def _count(table: Table, args: Args) -> tuple[Any, int]:
    return plugin_records.count(table, _filters(args)), 0


def _filters(args: Args) -> Args:
    return arguments.mapping(args, "filters", default={})


def _order_by(args: Args) -> list[str]:
    order = args.get("order_by")
    if order is None or order == "":
        return []
    texts = [order] if type(order) is str else order
    if type(texts) is not list or not all(type(text) is str for text in texts):
        raise BadPayload("must be a field's name, or a list of them", "order_by")
    return texts


_QUERIES = {"get": _get, "create": _create, "update": _update, "delete": _delete, "count": _count}
