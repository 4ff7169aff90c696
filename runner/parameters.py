"""What does a tool tell a language model about its arguments: a JSON schema, made of the handler's signature."""

from __future__ import annotations

import inspect
import types
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from .annotation import resolve

if TYPE_CHECKING:
    from collections.abc import Callable

_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", dict: "object"}


def parameters_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The schema of a method's parameters; those with a default are optional. ``self`` is left out."""
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL) or parameter.name == "self":
            continue
        properties[parameter.name] = _schema_of(_kind_of(parameter.annotation, function))
        if parameter.default is parameter.empty:
            required.append(parameter.name)
    return {"type": "object", "properties": properties, "required": required}


def _kind_of(annotation: Any, function: Callable[..., Any]) -> Any:
    try:
        return resolve(annotation, getattr(function, "__module__", ""), {})
    except (NameError, SyntaxError, TypeError, AttributeError):
        return str  # a name for the type checker only: a text is what models are best at


def _schema_of(kind: Any) -> dict[str, Any]:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"type": _TYPES.get(type(arguments[0]), "string"), "enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return _schema_of(next(part for part in arguments if part is not type(None)))
    if origin in (list, tuple) or kind in (list, tuple):
        return {"type": "array", "items": _schema_of(arguments[0]) if arguments else {}}
    return {"type": _TYPES.get(origin or kind, "string")}
