"""What is in a recording: one message a line, and what can be wrong with a line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs

from rookery.protocol import build_message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIELDS = ("platform", "chat", "user", "time", "text")


@attrs.frozen
class Line:
    """One line of the file.

    Attributes:
        number: Counted from 1.
        message: The message map; ``None`` when the line is broken.
        mistake: Why it is broken; "" when it is not.
        end: Where the next line begins, in bytes from the start of the file.
    """

    number: int
    message: dict[str, Any] | None
    mistake: str
    end: int


def read_lines(path: Path, *, start: int = 0, number: int = 0) -> Iterator[Line]:
    """Read the lines of a recording from a position on; blank lines are passed over.

    Args:
        start: Where a line begins, in bytes.
        number: How many lines lie before that.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        file.seek(start)
        for raw in file:
            number += 1
            start += len(raw)
            if raw.strip():
                yield _parse(raw, number, start)


def _parse(raw: bytes, number: int, end: int) -> Line:
    try:
        record = json.loads(raw)
        _check(record)
        timestamp = _seconds(record["time"])
    except ValueError as error:  # broken JSON and broken UTF-8 are ValueErrors too
        return Line(number, None, str(error)[:200], end)
    except RecursionError:
        return Line(number, None, "it is nested too deeply", end)
    message = build_message(
        message_id=f"line-{number}",
        platform=record["platform"],
        user_id=record["user"],
        user_name=record["user"],
        group_id=record["chat"],
        text=record["text"],
        timestamp=timestamp,
    )
    return Line(number, message, "", end)


def _check(record: object) -> None:
    if type(record) is not dict:
        raise ValueError(f"expected an object with {', '.join(FIELDS)}, got {type(record).__name__}")
    for name in FIELDS:
        if name not in record:
            raise ValueError(f"the key {name!r} is missing")
        if type(record[name]) is not str:
            raise ValueError(f"the key {name!r} must be a text, got {type(record[name]).__name__}")
        if not record[name] and name != "text":
            raise ValueError(f"the key {name!r} must not be empty")


def _seconds(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"the key 'time' must be an ISO 8601 time, got {text[:60]!r}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
