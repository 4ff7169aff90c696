"""Which of a call's arguments does a handler get? Decided once for each handler, and then followed for every call."""

from __future__ import annotations

import difflib
import inspect
import re
from typing import TYPE_CHECKING, Any

import attrs

from rookery.protocol import BadPayload, ComponentType, shown

from .annotation import resolve
from .errors import DeclarationError
from .message import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

OFFERED = {
    ComponentType.COMMAND: (
        *("text", "args", "message", "stream_id", "group_id", "platform", "user_id", "matched_groups"),
    ),
    ComponentType.MESSAGE_GATEWAY: ("message", "route", "metadata"),
    ComponentType.LLM_PROVIDER: ("operation", "request"),
}
"""What the host passes, where that is fixed. Events may carry more than their message; hooks, tools, actions and APIs
are called with whatever their callers give."""

_MESSAGE_BY_TYPE = (ComponentType.COMMAND, ComponentType.MESSAGE_GATEWAY, ComponentType.EVENT_HANDLER)
_MESSAGE_TEXT = re.compile(r"\bMessage\b")


@attrs.frozen
class Binding:
    """How the arguments of a call become those of one handler."""

    steps: tuple[tuple[str, str, bool, bool], ...]
    """Parameter, key in the call, whether it is a ``Message``, whether it has to be there."""
    groups: tuple[tuple[str, bool], ...]
    """Parameters that are named groups of a command's pattern, and whether they have to be there."""
    takes_all: bool
    """The handler has ``**kwargs``: it gets what it does not name too."""

    @property
    def message_alone(self) -> str:
        """The parameter that takes the message, where that is all that the handler takes; else ""."""
        if self.takes_all or self.groups or len(self.steps) != 1:
            return ""
        parameter, key, is_message, _ = self.steps[0]
        return parameter if is_message and key == "message" else ""

    def bind(self, args: dict[str, Any], copy: Callable[[], dict[str, Any]] | None = None) -> dict[str, Any]:
        """The keyword arguments for one call.

        Args:
            copy: Makes the arguments once more, when others have them too; a ``Message`` then does so before it gives its
                map away. ``None`` when they are this call's alone.

        Raises:
            BadPayload: The call lacks something.
        """
        bound = {key: args[key] for key in args if type(key) is str} if self.takes_all else {}
        for parameter, key, is_message, is_required in self.steps:
            if key in args:
                value = args[key]
                bound[parameter] = _message(value, key, is_required, copy) if is_message else value
            elif is_required:
                raise BadPayload(f"is required; the call has {_listed(args)}", f"args.{key}")
        if self.groups:
            self._bind_groups(args, bound)
        return bound

    def _bind_groups(self, args: dict[str, Any], bound: dict[str, Any]) -> None:
        matched = args.get("matched_groups")
        matched = matched if type(matched) is dict else {}
        for parameter, is_required in self.groups:
            # A group that took no part in the match is None: the parameter's default is the better word for it.
            if matched.get(parameter) is not None or is_required:
                bound[parameter] = matched.get(parameter)


def make_binding(
    handler: Callable[..., Any], component_type: ComponentType, *, where: str, groups: Collection[str] = ()
) -> Binding:
    """Read a handler's signature.

    Args:
        handler: Bound to its plugin.
        where: How the handler is called in errors.
        groups: The named groups of a command's pattern.

    Raises:
        DeclarationError: The signature asks for what no call will bring.
    """
    try:
        parameters = inspect.signature(handler).parameters.values()
    except (TypeError, ValueError) as error:
        raise DeclarationError(f"{where}: its parameters cannot be read: {error}") from None
    offered = OFFERED.get(component_type)
    steps: list[tuple[str, str, bool, bool]] = []
    from_groups: list[tuple[str, bool]] = []
    takes_all = False
    for parameter in parameters:
        is_required = parameter.default is parameter.empty
        if parameter.kind is parameter.VAR_KEYWORD:
            takes_all = True
        elif parameter.kind is parameter.POSITIONAL_ONLY:
            raise DeclarationError(
                f"{where}: arguments are passed by name, so {parameter.name!r} cannot be positional-only; remove the /"
            )
        elif parameter.kind is parameter.VAR_POSITIONAL:
            continue
        elif parameter.name in groups and parameter.name not in (offered or ()):
            from_groups.append((parameter.name, is_required))
        else:
            is_message = _is_message(parameter.annotation, handler)
            key = "message" if is_message and component_type in _MESSAGE_BY_TYPE else parameter.name
            if offered is not None and is_required and key not in offered:
                raise DeclarationError(_not_offered(where, component_type, key, [*offered, *groups]))
            steps.append((parameter.name, key, is_message, is_required))
    return Binding(tuple(steps), tuple(from_groups), takes_all)


def _not_offered(where: str, component_type: ComponentType, key: str, offered: list[str]) -> str:
    kind = component_type.lower().replace("_", " ")
    close = difflib.get_close_matches(key, offered, n=1)
    advice = f"did you mean {close[0]!r}?" if close else "remove it, or give it a default"
    return f"{where} asks for {key!r}; a {kind} is called with {', '.join(offered)}: {advice}"


def _is_message(annotation: Any, handler: Callable[..., Any]) -> bool:
    function = inspect.unwrap(getattr(handler, "__func__", handler))
    try:
        kind = resolve(annotation, getattr(function, "__module__", ""), {})
    except (NameError, SyntaxError, TypeError, AttributeError):
        # Imported for the type checker only, or a name of an enclosing function: its text is all there is.
        return _MESSAGE_TEXT.search(annotation) is not None
    return kind is Message or Message in getattr(kind, "__args__", ())


def _message(
    value: Any, key: str, is_required: bool, copy: Callable[[], dict[str, Any]] | None
) -> Message | None:
    if type(value) is dict:
        return Message(value) if copy is None else Message.shared(value, lambda: copy()[key])
    if value is None and not is_required:
        return None
    raise BadPayload(f"must be a message map, got {type(value).__name__} {shown(value)}", f"args.{key}")


def _listed(args: dict[str, Any]) -> str:
    return ", ".join(sorted(map(str, args))) or "no arguments"
