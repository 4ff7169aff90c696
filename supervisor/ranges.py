"""Which values may a setting have, said so that a person can be told?

attrs has validators of its own; their messages speak of functions and attributes. These say what was expected.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any

import attrs


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


CAPABILITY = Form(
    re.compile(r"\*|[A-Za-z0-9_]+\.\*|[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*").fullmatch,
    "a capability such as 'send.text', a family of them such as 'database.*', or '*'",
)
