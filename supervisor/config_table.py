"""How does one table of a configuration file become a frozen value, with every mistake noted and none raised?

The class says everything: its fields are the keys, their types and validators what is expected. cattrs could do it and
stops at the first wrong field of a list, names Python types, and knows no close match; here the message is the product.
"""

from __future__ import annotations

import re
import types
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs

from rookery.protocol import shown

from .errors import Mistake
from .ranges import Clash, Each, Form, Size, parse_size
from .suggestion import one_of, suggest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

T = TypeVar("T")


_NUMBER = re.compile(r"[+-]?[0-9][0-9_]*(?:\.[0-9_]+)?")


class _Wrong:
    """Stands for a value that was noted as a mistake."""


WRONG = _Wrong()

_EXPECTED: dict[object, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text in quotes",
    tuple: "a list of texts",
    dict: "a table",
}


@attrs.define
class Notes:
    """The mistakes of one file, in the order in which they are found."""

    file: str
    mistakes: list[Mistake] = attrs.field(factory=list, init=False)

    def add(self, key: str, given: str, expected: str = "", advice: str = "") -> None:
        self.mistakes.append(Mistake(file=self.file, key=key, given=given, expected=expected, advice=advice))

    def keys_below(self, path: str) -> tuple[str, ...]:
        """What is wrong in a table, by the keys from there on."""
        keys = (mistake.key for mistake in self.mistakes)
        return tuple(key.removeprefix(f"{path}.") for key in keys if key.startswith(f"{path}."))

    def check_keys(self, table: Mapping[str, object], known: Collection[str], path: str) -> None:
        """Note every key that is not known."""
        for key in table:
            if key not in known:
                self.add(join(path, key), "an unknown key", one_of(known), suggest(key, known))


def join(path: str, key: str) -> str:
    """The path of a key in a table, as TOML writes it."""
    part = key if key.replace("-", "_").isidentifier() else f'"{key}"'
    return f"{path}.{part}" if path else part


def as_written(value: object) -> str:
    """A value as TOML writes it, shortened."""
    if type(value) is bool:
        return "true" if value else "false"
    return f"{value:g}" if type(value) is float else shown(value)


def read_table(
    cls: type[T], table: object, path: str, notes: Notes, *, fixed: Mapping[str, Any] | None = None
) -> T | None:
    """Make a `cls` of a table.

    Args:
        fixed: Fields that do not come from the table.

    Returns:
        The value, with the defaults for what was wrong and without the wrong items of lists; None when it is no table or a field without a default is
        missing or wrong. All of that is in the notes.
    """
    if type(table) is not dict:
        notes.add(path, as_written(table), "a table")
        return None
    fixed = fixed or {}
    fields = {field.name: field for field in attrs.fields(cls) if field.name not in fixed}  # type: ignore[arg-type]  # an attrs class
    notes.check_keys(table, fields, path)
    hints = get_type_hints(cls)
    values = dict(fixed)
    for name, field in fields.items():
        if name in table:
            value = _read_field(field, hints[name], table[name], join(path, name), notes)
            if value is not WRONG:
                values[name] = value
        elif field.default is attrs.NOTHING:
            notes.add(join(path, name), "nothing", _expectation(field, hints[name]))
    if any(field.default is attrs.NOTHING and name not in values for name, field in fields.items()):
        return None
    return _build(cls, values, fields, path, notes)


def _build(
    cls: type[T],
    values: dict[str, Any],
    fields: Mapping[str, attrs.Attribute[Any]],
    path: str,
    notes: Notes,
) -> T:
    """Each clash of values is noted, and one of them left out, until the others go together."""
    # Where one of them was wrong anyway, its default stands in its place, and nobody has chosen that.
    replaced = set(notes.keys_below(path))
    while True:
        try:
            return cls(**values)
        except Clash as clash:
            if not any(_touches(key, other) for key in clash.keys for other in replaced):
                notes.add(f"{path}.{clash.keys[0]}", clash.given, clash.expected, clash.advice)
            replaced.add(_leave_out(clash, values, fields))


def _leave_out(clash: Clash, values: dict[str, Any], fields: Mapping[str, attrs.Attribute[Any]]) -> str:
    for key in clash.keys:
        name = key.partition(".")[0]
        if name in values and not _is_required(name, fields):
            del values[name]
            return name
    raise AssertionError(f"the defaults of {', '.join(clash.keys)} clash") from clash


def _touches(key: str, other: str) -> bool:
    """Whether one of two keys is the other, or lies below it."""
    return key == other or key.startswith(f"{other}.") or other.startswith(f"{key}.")


def _is_required(name: str, fields: Mapping[str, attrs.Attribute[Any]]) -> bool:
    return name not in fields or fields[name].default is attrs.NOTHING


def _read_field(field: attrs.Attribute[Any], kind: object, value: object, path: str, notes: Notes) -> Any:
    expected = _expectation(field, kind)
    validator = getattr(field.validator, "validator", field.validator)  # what attrs' `optional` holds
    if isinstance(validator, Each):
        return _read_texts(value, path, notes, validator.item)
    if isinstance(validator, Size) and type(value) is str:
        size = parse_size(value)
        value = value if size is None else size
    found = read_value(kind, value, path, notes, expected)
    if found is WRONG or field.validator is None or _check(field, found, path, notes, expected):
        return found
    return WRONG


def _check(field: attrs.Attribute[Any], value: object, path: str, notes: Notes, expected: str) -> bool:
    assert field.validator is not None, "the caller has looked"
    try:
        field.validator(None, field, value)
    except ValueError:
        notes.add(path, as_written(value), expected)
        return False
    return True


def _said_by(validator: object) -> str:
    inner = getattr(validator, "validator", validator)
    return str(getattr(inner, "expected", ""))


def _expectation(field: attrs.Attribute[Any], kind: object) -> str:
    """What a field wants, its validator's words first: they say more than the type."""
    plain = _without_none(kind)
    said = (
        ""
        if isinstance(getattr(field.validator, "validator", field.validator), Each)
        else _said_by(field.validator)
    )
    if plain is int and said:
        return said.replace("a number", "a whole number")
    return said or expectation_of(plain)


def expectation_of(kind: object) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return one_of(str(member.value) for member in kind)
    origin = get_origin(kind) or kind
    return _EXPECTED.get(origin, "a table")


def read_value(kind: object, value: object, path: str, notes: Notes, expected: str) -> Any:
    """The value as a field of this type keeps it; `WRONG` and a note when it is none."""
    kind = _without_none(kind)
    origin = get_origin(kind) or kind
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _read_word(kind, value, path, notes)
    if origin is tuple:
        return _read_texts(value, path, notes)
    if isinstance(kind, type) and attrs.has(kind):
        inner = read_table(kind, value, path, notes)
        return WRONG if inner is None else inner
    if origin is float and type(value) in (int, float):
        return float(value)  # type: ignore[arg-type]  # one of the two
    if type(value) is origin or (type(value) is dict and expected == _EXPECTED[dict]):
        return value
    notes.add(path, as_written(value), expected, _unquoted(value, origin))
    return WRONG


def _unquoted(value: object, origin: object) -> str:
    """Advice for a number or a boolean in quotes."""
    if type(value) is not str or origin not in (bool, int, float):
        return ""
    is_plain = value in ("true", "false") if origin is bool else _NUMBER.fullmatch(value)
    return "take the quotes away" if is_plain else ""


def _read_word(kind: type[Enum], value: object, path: str, notes: Notes) -> Any:
    words = {str(member.value): member for member in kind}
    if type(value) is str and value in words:
        return words[value]
    notes.add(path, as_written(value), one_of(words), suggest(value, words) if type(value) is str else "")
    return WRONG


def _read_texts(value: object, path: str, notes: Notes, item: Form | None = None) -> Any:
    if type(value) is not list:
        advice = f"write [{value!r}]" if type(value) is str else ""
        notes.add(path, as_written(value), _EXPECTED[tuple], advice)
        return WRONG
    right = []
    for index, part in enumerate(value):
        if type(part) is not str or (item is not None and not item.accepts(part)):
            expected = item.expected if item is not None and type(part) is str else _EXPECTED[str]
            notes.add(f"{path}[{index}]", as_written(part), expected)
        else:
            right.append(part)
    return tuple(right)


def _without_none(kind: object) -> object:
    if get_origin(kind) in (Union, types.UnionType):
        return next(part for part in get_args(kind) if part is not type(None))
    return kind
