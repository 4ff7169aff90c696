"""What may one configuration value be, and is a given value that?

The kinds are those that TOML can write, plus sections, which are configuration classes themselves. Values are never
coerced, except an integer where a float is expected and a tuple where a list is: a configuration that says
``port = "80"`` is a mistake that should be seen.
"""

from __future__ import annotations

import types
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

import attrs

from rookery.protocol import shown

from .errors import ConfigMistake

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUIRED: Any = object()
"""The default of a setting without one."""

_SCALARS: Mapping[type, str] = {
    str: "a text",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    datetime: "a date and time",
    date: "a date",
    time: "a time of day",
}


@attrs.frozen(kw_only=True)
class Setting:
    """One key of a configuration, as its plugin declares it."""

    name: str
    kind: Any
    """The resolved annotation."""
    default: Any = REQUIRED
    help: str = ""
    """One sentence for operators."""
    ge: float | None = None
    le: float | None = None
    gt: float | None = None
    lt: float | None = None

    @property
    def is_required(self) -> bool:
        return self.default is REQUIRED

    @property
    def range(self) -> str:
        """The bounds in words, e.g. ``from 1 to 1000``; "" without any."""
        parts = [
            f"{word} {bound:g}"
            for word, bound in (
                ("from", self.ge),
                ("more than", self.gt),
                ("to", self.le),
                ("less than", self.lt),
            )
            if bound is not None
        ]
        if self.le is not None and self.ge is None and self.gt is None:
            parts[0] = f"at most {self.le:g}"
        if self.ge is not None and self.le is None and self.lt is None:
            parts[0] = f"at least {self.ge:g}"
        return " ".join(parts)

    @property
    def expected(self) -> str:
        """In words, e.g. ``an integer from 1 to 1000``."""
        return f"{describe_kind(self.kind)} {self.range}".strip()

    def read(self, value: Any, path: str, mistakes: list[ConfigMistake]) -> Any:
        """The value as the plugin sees it; mistakes are added to the list and the value is then of no use."""
        before = len(mistakes)
        read = read_value(self.kind, value, path, mistakes)
        if len(mistakes) == before and read is not None and not self._is_in_range(read):
            mistakes.append(ConfigMistake(path, f"must be {self.expected}, got {shown(value)}"))
        return read

    def _is_in_range(self, value: Any) -> bool:
        # Written so that NaN, which compares false with everything, is out of every range.
        return (
            (self.ge is None or value >= self.ge)
            and (self.le is None or value <= self.le)
            and (self.gt is None or value > self.gt)
            and (self.lt is None or value < self.lt)
        )


def describe_kind(kind: Any) -> str:
    """What a value of this kind is called, e.g. ``a list of texts``."""
    origin = get_origin(kind)
    if kind in _SCALARS:
        return _SCALARS[kind]
    if is_section(kind):
        return "a table"
    if origin in (list, tuple):
        return f"a list, each item {describe_kind(get_args(kind)[0])}"
    if origin is dict:
        return f"a table, each value {describe_kind(get_args(kind)[1])}"
    if origin is Literal:
        return f"one of {', '.join(map(repr, get_args(kind)))}"
    if _is_union(kind):
        return " or ".join(describe_kind(part) for part in _parts(kind))
    return "any value"


def complaint_about_kind(kind: Any) -> str:
    """Why no configuration can have a value of this kind; "" when one can."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any or kind in _SCALARS or is_section(kind):
        return ""
    if origin is list or (origin is tuple and len(arguments) == 2 and arguments[1] is ...):
        return complaint_about_kind(arguments[0])
    if origin is dict:
        return (
            complaint_about_kind(arguments[1])
            if arguments[0] is str
            else "the keys of a table are texts: dict[str, …]"
        )
    if origin is Literal:
        return ""
    if _is_union(kind):
        return next((found for part in _parts(kind) if (found := complaint_about_kind(part))), "")
    return (
        f"{getattr(kind, '__name__', kind)!s} is no kind of value that TOML can hold; use str, int, float, bool,"
        " datetime, list[…], tuple[…, ...], dict[str, …], Literal[…], … | None or a PluginConfig class for a table"
    )


def read_value(kind: Any, value: Any, path: str, mistakes: list[ConfigMistake]) -> Any:
    """The value as the plugin sees it, new where it is a list or a table; mistakes are added to the list."""
    origin = get_origin(kind)
    if kind is Any:
        return value
    if is_section(kind):
        if isinstance(value, kind):
            return value
        if isinstance(value, dict):
            return kind.read_section(value, path, mistakes)
    elif _is_union(kind):
        return _read_union(kind, value, path, mistakes)
    elif origin is Literal:
        if any(value == choice and type(value) is type(choice) for choice in get_args(kind)):
            return value
    elif origin in (list, tuple):
        if isinstance(value, (list, tuple)):
            inner = get_args(kind)[0]
            items = [
                read_value(inner, item, f"{path}[{index}]", mistakes) for index, item in enumerate(value)
            ]
            return items if origin is list else tuple(items)
    elif origin is dict:
        if isinstance(value, dict):
            inner = get_args(kind)[1]
            return {key: read_value(inner, item, f"{path}.{key}", mistakes) for key, item in value.items()}
    elif kind is float and type(value) is int:
        return float(value)
    elif type(value) is kind:
        return value
    mistakes.append(
        ConfigMistake(path, f"must be {describe_kind(kind)}, got {type(value).__name__} {shown(value)}")
    )
    return None


def is_section(kind: Any) -> bool:
    """True for a configuration class."""
    return isinstance(kind, type) and hasattr(kind, "read_section")


def is_number(kind: Any) -> bool:
    """True where a range makes sense."""
    return kind in (int, float) or (_is_union(kind) and all(is_number(part) for part in _parts(kind)))


def _read_union(kind: Any, value: Any, path: str, mistakes: list[ConfigMistake]) -> Any:
    if value is None and type(None) in get_args(kind):
        return None
    for part in _parts(kind):
        found: list[ConfigMistake] = []
        read = read_value(part, value, path, found)
        if not found:
            return read
    if len(_parts(kind)) == 1:
        mistakes.extend(found)  # the better explanation: it knows which item
    else:
        mistakes.append(
            ConfigMistake(path, f"must be {describe_kind(kind)}, got {type(value).__name__} {shown(value)}")
        )
    return None


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType)


def _parts(kind: Any) -> list[Any]:
    return [part for part in get_args(kind) if part is not type(None)]
