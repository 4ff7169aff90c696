"""How are a capability's arguments read, so that every mistake names its argument?

A null counts as an argument that was left out: plugins send ``None`` for what they have no value for.
"""

from __future__ import annotations

import math
from typing import Any

from rookery.protocol import BadPayload

Args = dict[str, Any]


def text(args: Args, *names: str) -> str:
    """The text that must be there, under the first of the names that has one.

    Raises:
        BadPayload: It is missing, empty or no text.
    """
    value = optional_text(args, *names)
    if not value:
        raise BadPayload("must be a text that is not empty", _asked(names))
    return value


def optional_text(args: Args, *names: str, default: str = "") -> str:
    """The text under the first of the names that has a value.

    Raises:
        BadPayload: It is no text.
    """
    name, value = _first(args, names)
    if value is None:
        return default
    if type(value) is not str:
        raise BadPayload(f"must be a text, got {type(value).__name__}", name)
    return value


def name_or_number(args: Args, *names: str) -> str:
    """An id that must be there, as a text: platforms whose ids are numbers make plugins send numbers.

    Raises:
        BadPayload: It is missing, empty or neither.
    """
    name, value = _first(args, names)
    return str(value) if type(value) is int else text(args, name)


def integer(args: Args, name: str, default: int, *, at_least: int = 0) -> int:
    """An integer.

    Raises:
        BadPayload: It is none, or less than ``at_least``.
    """
    value = args.get(name)
    if value is None:
        return default
    if type(value) is float and value.is_integer():
        value = int(value)  # a plugin's arithmetic may have made a float of it
    if type(value) is not int:
        raise BadPayload(f"must be an integer, got {type(value).__name__}", name)
    if value < at_least:
        raise BadPayload(f"must be at least {at_least}, got {value}", name)
    return value


def number(args: Args, *names: str, default: float) -> float:
    """A finite number, under the first of the names that has one.

    Raises:
        BadPayload: It is none.
    """
    name, value = _first(args, names)
    if value is None:
        return default
    if type(value) is not int and type(value) is not float:
        raise BadPayload(f"must be a number, got {type(value).__name__}", name)
    if not math.isfinite(value):
        raise BadPayload("must be a finite number", name)
    return float(value)


def flag(args: Args, name: str, *, default: bool = False) -> bool:
    """True or false.

    Raises:
        BadPayload: It is neither.
    """
    value = args.get(name)
    if value is None:
        return default
    if type(value) is not bool:
        raise BadPayload(f"must be true or false, got {type(value).__name__}", name)
    return value


def mapping(args: Args, name: str, *, default: Args | None = None) -> Args:
    """A map; without a default it must be there.

    Raises:
        BadPayload: It is missing or none.
    """
    value = args.get(name)
    if value is None and default is not None:
        return default
    if type(value) is not dict:
        raise BadPayload(f"must be a map, got {type(value).__name__}", name)
    return value


def maps(args: Args, *names: str) -> list[Args]:
    """A list of maps that is not empty, under the first of the names that has a value.

    Raises:
        BadPayload: It is none.
    """
    name, value = _first(args, names)
    if type(value) is not list or not value:
        raise BadPayload("must be a list of maps that is not empty", name)
    for index, item in enumerate(value):
        if type(item) is not dict:
            raise BadPayload(f"must be a map, got {type(item).__name__}", f"{name}[{index}]")
    return value


def _first(args: Args, names: tuple[str, ...]) -> tuple[str, Any]:
    for name in names:
        if args.get(name) is not None:
            return name, args[name]
    return names[0], None


def _asked(names: tuple[str, ...]) -> str:
    return " or ".join(names)
