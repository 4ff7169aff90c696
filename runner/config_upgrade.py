"""How does a configuration file come to say what a newer plugin wants to read, and stay its owner's file?

Comments, order and layout stay. What the plugin does not know any more becomes a comment, so that nothing that somebody has
written is lost. The file is replaced as a whole or not at all, and only after the newer plugin has come up: one that fails
leaves the older one a file that it can read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tomlkit
from tomlkit.items import AbstractTable, InlineTable

from .configuration import VERSION_KEY


def upgraded_text(text: str, values: Mapping[str, Any], version: int) -> str:
    """The text of a file that says these values, and this version.

    Args:
        values: What the file is to say, without its version.
    """
    document = tomlkit.parse(text)
    told = {**values, VERSION_KEY: version}
    if VERSION_KEY not in document:
        document = tomlkit.parse(f"{VERSION_KEY} = {version}\n{text}")
    _say(document, told, f"not used since {VERSION_KEY} {version}")
    return tomlkit.dumps(document)


def rewritten_text(text: str, values: Mapping[str, Any]) -> str:
    """The text of a file that says these values and nothing else; comments of what stays are kept."""
    document = tomlkit.parse(text)
    _say_only(document, values)
    return tomlkit.dumps(document)


def _say_only(table: Any, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        here = table.get(name)
        if isinstance(value, Mapping) and isinstance(here, AbstractTable):
            _say_only(here, value)
        elif value is None:
            continue  # TOML cannot say nothing
        elif name not in table or plain_item(here) != value:
            table[name] = _without_nothing(value)
    for name in [name for name in table if name not in values]:
        table.remove(name)


def _without_nothing(value: Any) -> Any:
    """The value without what TOML cannot say."""
    if isinstance(value, Mapping):
        return {key: _without_nothing(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_without_nothing(item) for item in value if item is not None]
    return value


def _say(table: Any, values: Mapping[str, Any], why_not: str) -> None:
    """Have a table say these values and no others; what it says otherwise becomes a comment."""
    for name, value in values.items():
        here = table.get(name)
        if isinstance(here, AbstractTable) and not isinstance(here, InlineTable) and isinstance(value, dict):
            _say(here, value, why_not)
        elif name not in table or plain_item(here) != value:
            was = _lines_of(table, name) if isinstance(here, InlineTable) else []
            table[name] = value
            _add_comments(table, was, why_not)  # there is no room for one within its braces
    for name in [name for name in table if name not in values]:
        _make_comment(table, name, why_not)


def plain_item(item: Any) -> Any:
    """The value of an item of a document, as plain Python."""
    return item.unwrap() if hasattr(item, "unwrap") else item


def _make_comment(table: Any, name: str, why_not: str) -> None:
    lines = _lines_of(table, name)
    table.remove(name)
    _add_comments(table, lines, why_not)


def _lines_of(table: Any, name: str) -> list[str]:
    lone = tomlkit.document()
    lone.add(name, table.item(name))  # with what is written behind it
    return [line for line in tomlkit.dumps(lone).splitlines() if line.strip()]


def _add_comments(table: Any, lines: list[str], why_not: str) -> None:
    for line in lines:
        table.add(tomlkit.comment(f"{line}  ({why_not})"))
