"""What may stand in a record, in a filter and in an order, and what is it in SQL?"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import attrs

from rookery.protocol import BadPayload, CannotEncode, check_sendable, shown

from .ranges import TABLE_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Record = dict[str, Any]

ID = "id"

MAX_RECORD_BYTES = 256 * 1024

MAX_FIELDS = 100
"""In one filter, and in one order."""

MAX_TEXT_CHARS = 10_000
"""Of a value in a filter."""


@attrs.frozen
class Condition:
    """What a filter says, as SQL and its values."""

    sql: str
    values: tuple[Any, ...]


def check_name(name: Any, path: str) -> None:
    """Refuse what is no name of a table or field: all names go through here, and are written into statements.

    Raises:
        BadPayload: It is none; ``path`` says where it stands.
    """
    if type(name) is not str or not TABLE_NAME.fullmatch(name):
        raise BadPayload(
            f"must be a letter or '_', then at most 63 of letters, digits and '_'; got {shown(name)}", path
        )


def condition_of(filters: Mapping[str, Any], path: str) -> Condition:
    """What a filter means: all these fields have these values.

    Raises:
        BadPayload: It has too many fields, or something that cannot be looked for.
    """
    if len(filters) > MAX_FIELDS:
        raise BadPayload(f"must name at most {MAX_FIELDS} fields, got {len(filters)}", path)
    parts, values = ["1"], []
    for name, value in filters.items():
        check_name(name, path)
        value = _bindable(value, f"{path}.{name}")
        if name == ID:
            parts.append("id IS ?")
        else:
            # IS and not =: a null finds the records that have none.
            parts.append("json_extract(body, ?) IS ?")
            values.append(f"$.{name}")
        values.append(value)
    return Condition(" AND ".join(parts), tuple(values))


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


def order_of(order_by: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """An order as SQL and its values: fields, with ``-`` in front turned round, and then the id.

    Raises:
        BadPayload: It has too many fields, or a name that is none.
    """
    parts, paths = [], []
    for index, text in enumerate(order_by):
        if index >= MAX_FIELDS:
            raise BadPayload(f"must name at most {MAX_FIELDS} fields", "order_by")
        name = text.removeprefix("-")
        check_name(name, f"order_by[{index}]")
        direction = "DESC" if text.startswith("-") else "ASC"
        if name == ID:
            parts.append(f"id {direction}")
        else:
            parts.append(f"json_extract(body, ?) {direction}")
            paths.append(f"$.{name}")
    return ", ".join([*parts, "id ASC"]), tuple(paths)


def split_id(data: Mapping[str, Any]) -> tuple[int | None, Record]:
    """The id that a record is to have, ``None`` for the next one, and its fields.

    Raises:
        BadPayload: A name or the id is none.
    """
    fields = dict(data)
    for name in fields:
        check_name(name, "data")
    wanted = fields.pop(ID, None)
    if wanted is not None and not (type(wanted) is int and 0 < wanted < 2**62):
        raise BadPayload(f"must be a whole number above 0, got {shown(wanted)}", f"data.{ID}")
    return wanted, fields


def encode_fields(fields: Record) -> str:
    """A record's fields as they are kept.

    Raises:
        BadPayload: Something cannot be kept, or they are too large together.
    """
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
