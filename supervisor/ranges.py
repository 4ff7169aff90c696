"""Which values may a setting have, said so that a person can be told?

attrs has validators of its own; their messages speak of functions and attributes. These say what was expected.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any

import attrs

MOST_BYTES = 2**62
"""More than any machine has, and as much as every machine can count."""

_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?(?:([KMGTkmgt])(?:iB)?)?", re.ASCII)


class Clash(ValueError):
    """Values that are right by themselves and do not go together.

    Attributes:
        keys: The fields, the one that is told first; a dot leads into a field's own fields.
        given, expected, advice: As of a `Mistake`.
    """

    def __init__(self, *keys: str, given: str, expected: str = "", advice: str = "") -> None:
        self.keys = keys
        self.given = given
        self.expected = expected
        self.advice = advice
        told = f"{keys[0]} is {given}, expected {expected}" if expected else f"{keys[0]}: {given}"
        super().__init__(f"{told}; {advice}" if advice else told)


@attrs.frozen
class Range:
    """A validator for numbers."""

    low: float
    high: float | None = None
    above: bool = attrs.field(default=False, kw_only=True)
    """Whether `low` itself is too low."""

    @property
    def expected(self) -> str:
        if self.high is not None:
            return f"a number from {self.low:g} to {self.high:g}"
        return f"a number above {self.low:g}" if self.above else f"a number from {self.low:g} up"

    def __call__(self, instance: object, attribute: attrs.Attribute[Any], value: float) -> None:
        is_low = value <= self.low if self.above else value < self.low
        if not math.isfinite(value) or is_low or (self.high is not None and value > self.high):
            raise ValueError(f"{attribute.name} is {value!r}, expected {self.expected}")


@attrs.frozen
class Size:
    """A validator for numbers of bytes. A file may also write them as a text, see `parse_size`."""

    expected: str = "a size such as '512M' or '1.5G', or a whole number of bytes from 0 up"

    def __call__(self, instance: object, attribute: attrs.Attribute[Any], value: int) -> None:
        if not 0 <= value <= MOST_BYTES:
            raise ValueError(f"{attribute.name} is {value!r}, expected {self.expected}")


def parse_size(text: str) -> int | None:
    """The bytes of `512M`, `1.5G`, `64 KiB` or `4096`; None when it is no size. The units are powers of 1024, as in
    systemd; `MB`, which is read in two ways, is none."""
    found = _SIZE.fullmatch(text)
    if found is None:
        return None
    number, unit = found.groups()
    return round(float(number) * (1024 ** (1 + "KMGT".index(unit.upper())) if unit else 1))


@attrs.frozen
class Form:
    """A validator for texts."""

    accepts: Callable[[str], object]
    """Truthy for a text of the form."""
    expected: str

    def __call__(self, instance: object, attribute: attrs.Attribute[Any], value: str) -> None:
        if not self.accepts(value):
            raise ValueError(f"{attribute.name} is {value!r}, expected {self.expected}")


@attrs.frozen
class Each:
    """A validator for every text of a collection, or every key of a mapping."""

    item: Form

    @property
    def expected(self) -> str:
        return f"each to be {self.item.expected}"

    def __call__(self, instance: object, attribute: attrs.Attribute[Any], value: Iterable[Any]) -> None:
        for part in value:
            self.item(instance, attribute, part)


TABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
"""Of a table of a plugin's database, and of a field of its records."""

CAPABILITY = Form(
    re.compile(r"\*|[A-Za-z0-9_]+\.\*|[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*").fullmatch,
    "a capability such as 'send.text', a family of them such as 'database.*', or '*'",
)
