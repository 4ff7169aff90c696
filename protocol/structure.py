"""How does the plain map of a payload become its typed value and back, with a path for every mistake."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin

import attrs
import cattrs
from cattrs.cols import list_structure_factory, mapping_structure_factory
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn

from .errors import BadPayload
from .limits import MAX_LIST_ITEMS
from .shown import shown

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def structure(data: Any, cls: type[T]) -> T:
    """Make a ``cls`` of a decoded payload.

    Scalars are never coerced and unknown keys are ignored, as protocol 1.0.0 says. Free-form maps (``dict[str, Any]``)
    are taken as they are: walking them would cost more than the rest of a call.

    Raises:
        BadPayload: The first mistake, with its path.
    """
    try:
        return _CONVERTER.structure(data, cls)
    except BadPayload:
        raise
    except (cattrs.ClassValidationError, cattrs.IterableValidationError) as group:
        raise _only_mistake(group) from None  # not by way of a name: this frame would hold what holds it
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadPayload(_explain(error)) from None


def unstructure(value: Any) -> dict[str, Any]:
    """The plain map of a typed payload; free-form parts are passed through, not copied."""
    plain: dict[str, Any] = _CONVERTER.unstructure(value)
    return plain


def prepare_structuring(cls: type) -> None:
    """Make now what the first ``structure`` and ``unstructure`` of a class, and of those in it, would make."""
    _CONVERTER.get_structure_hook(cls)
    _CONVERTER.get_unstructure_hook(cls)
    for field in attrs.fields(attrs.resolve_types(cls)):
        for inner in (field.type, *get_args(field.type)):
            if isinstance(inner, type) and attrs.has(inner):
                prepare_structuring(inner)


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=True, forbid_extra_keys=False)
    for scalar, expected in ((str, "a text"), (int, "an integer"), (bool, "true or false"), (bytes, "bytes")):
        converter.register_structure_hook(scalar, _strict(scalar, expected))
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook_factory(
        _made_of(list),
        lambda kind: _bounded(_only(list, "a list", list_structure_factory(kind, converter))),
    )
    converter.register_structure_hook_factory(
        _made_of(dict),
        lambda kind: _only(dict, "a map", mapping_structure_factory(kind, converter)),
    )
    converter.register_structure_hook_func(_is_free_map, _free_map)
    converter.register_unstructure_hook_func(_is_free_map, _same)
    converter.register_structure_hook_func(lambda kind: kind is Any, lambda value, _: value)
    converter.register_unstructure_hook_func(lambda kind: kind is Any, _same)
    converter.register_structure_hook_factory(
        attrs.has, lambda cls: _only(dict, "a map", make_dict_structure_fn(cls, converter))
    )
    converter.register_unstructure_hook_factory(
        attrs.has, lambda cls: make_dict_unstructure_fn(cls, converter, _cattrs_omit_if_default=False)
    )
    return converter


def _made_of(container: type) -> Callable[[Any], bool]:
    return lambda kind: get_origin(kind) is container


def _only(container: type, expected: str, build: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    # cattrs alone takes whatever can be iterated: a text would become the list of its letters.
    def hook(value: Any, kind: Any) -> Any:
        if type(value) is not container:
            raise TypeError(f"must be {expected}, got {_shown(value)}")
        return build(value, kind)

    return hook


def _bounded(build: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def hook(value: Any, kind: Any) -> Any:
        if type(value) is list and len(value) > MAX_LIST_ITEMS:
            raise TypeError(f"has {len(value)} items, at most {MAX_LIST_ITEMS} are allowed")
        return build(value, kind)

    return hook


def _strict(scalar: type, expected: str) -> Callable[[Any, Any], Any]:
    def hook(value: Any, _: Any) -> Any:
        if type(value) is not scalar:
            raise TypeError(f"must be {expected}, got {_shown(value)}")
        return value

    return hook


def _number(value: Any, _: Any) -> float:
    if type(value) is not float and type(value) is not int:
        raise TypeError(f"must be a number, got {_shown(value)}")
    return float(value)


def _is_free_map(kind: Any) -> bool:
    return bool(kind == dict[str, Any])


def _free_map(value: Any, _: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise TypeError(f"must be a map, got {_shown(value)}")
    return value


def _same(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _first_mistake(error: BaseException, path: str) -> BadPayload:
    if isinstance(error, (cattrs.ClassValidationError, cattrs.IterableValidationError)):
        inner = error.exceptions[0]
        step = ""
        for note in getattr(inner, "__notes__", ()):
            if isinstance(note, cattrs.AttributeValidationNote):
                step = f".{note.name}" if path else note.name
            elif isinstance(note, cattrs.IterableValidationNote):
                step = f"[{note.index!r}]"
        return _first_mistake(inner, path + step)
    if isinstance(error, KeyError):  # cattrs has noted the field that it was looking for
        return BadPayload("is required and missing", path)
    return BadPayload(_explain(error), path)


def _only_mistake(group: BaseException) -> BadPayload:
    mistake = _first_mistake(group, "")
    _let_go(group)
    return mistake


def _let_go(group: BaseException) -> None:
    # Each of them is held by a frame that its own traceback holds: the payload, which may be large, would stay in memory until
    # cycles are looked for, and a peer can send many such payloads before that.
    group.__traceback__ = None
    for inner in getattr(group, "exceptions", ()):
        _let_go(inner)


def _explain(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _shown(value: object) -> str:
    return f"{type(value).__name__} {shown(value)}"


_CONVERTER = _make_converter()
