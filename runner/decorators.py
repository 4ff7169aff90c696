"""How does an author say what a plugin offers: one decorator for each type of component.

A decorator only notes what it was told on the function; the plugin's class stays an ordinary class. What is noted is
checked at once, so that the error points at the line of the decorator.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from rookery.protocol import EVENT_FILTER, BadPayload, ComponentType, read_event_filter, shown

from .components import Declared, marking
from .errors import DeclarationError
from .parameters import parameters_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_F = TypeVar("_F", bound="Callable[..., Any]")


def command(
    name: str = "",
    *,
    pattern: str = "",
    description: str = "",
    aliases: Sequence[str] = (),
    timeout: float | None = None,
    idempotent: bool = False,
    quick: bool = False,
    chat_scope: Literal["all", "group", "private"] = "all",
    allowed_session: Sequence[str] = (),
) -> Callable[[_F], _F]:
    """A command: ``@command("roll")`` answers ``!roll``; a returned text is the reply.

    The handler may take ``message: Message``, ``args`` (the text behind the name), ``text``, ``stream_id``, ``group_id``,
    ``platform``, ``user_id``, ``matched_groups``, and every named group of the pattern.

    Args:
        name: What follows the deployment's prefix; without it and without a pattern the function's name.
        pattern: A regular expression that is searched in the message, instead of a name.
        aliases: Other texts that a message may begin with, prefix included.
        timeout: Seconds for one call; ``None`` takes the host's own limit.
        idempotent: True says that it may run again after it was cut off, as when its process died: the host then calls it
            again, at most three times in all. It must come to the same, or have done nothing.
        quick: True for a plain function that returns at once. It is called like an ``async def``, which is faster: nothing
            else of this process runs meanwhile, and it is not handed to a thread, where it may take its time.
        chat_scope: Where it may be called.
        allowed_session: Session ids, group ids or ``platform:group``; empty allows all.
    """
    _check_text("command", name, "a name", '@command("roll")', optional=True)
    if name.split() not in ([], [name]):
        raise DeclarationError(f"@command: a name is one word, got {name!r}; the rest arrives as `args`")
    _check_scope("command", chat_scope)
    groups = _groups_of(pattern)
    sessions = tuple(_texts("command", "allowed_session", allowed_session))
    metadata = {
        "description": description,
        "aliases": _texts("command", "aliases", aliases),
        "command_pattern": pattern,
        **_limits("command", timeout, idempotent),
        **_quickness("command", quick),
    }

    def declare(function: Any, own_name: str) -> Declared:
        _check_quick("command", function, quick)
        chosen = name or own_name
        return Declared(
            type=ComponentType.COMMAND,
            name=chosen,
            metadata={**metadata, "command_name": "" if pattern and not name else chosen},
            chat_scope=chat_scope,
            allowed_session=sessions,
            groups=groups,
        )

    return marking("command", '@command("roll")', declare)


def event_handler(
    event: str,
    *,
    weight: int = 0,
    intercept: bool = False,
    name: str = "",
    description: str = "",
    timeout: float | None = None,
    idempotent: bool = False,
    quick: bool = False,
    chat_scope: Literal["all", "group", "private"] = "all",
    allowed_session: Sequence[str] = (),
    platforms: Sequence[str] = (),
    users: Sequence[str] = (),
    pattern: str = "",
) -> Callable[[_F], _F]:
    """A handler of an event, e.g. ``@event_handler("on_message")``; a returned text is sent as a reply.

    The last five say which events it wants: those of a message that fits every one that is given. The host judges by the
    message as it was when the event began, and sends the others nowhere.

    Args:
        weight: Larger comes earlier.
        intercept: True for a handler that may change or stop the event: it returns an ``EventOutcome`` or ``None``, and
            later handlers wait for it.
        name: The component's; the function's name when it is empty.
        idempotent, quick, chat_scope, allowed_session: As of ``command``.
        platforms: Names of platforms, in any letters.
        users: Ids of users.
        pattern: A regular expression that the text has to contain, in its first thousand characters. It is searched for in
            one pass, which can do without back references and looking around.
    """
    _check_text("event_handler", event, "an event", '@event_handler("on_message")')
    _check_scope("event_handler", chat_scope)
    sessions = tuple(_texts("event_handler", "allowed_session", allowed_session))
    wanted = _event_filter(
        platforms=_texts("event_handler", "platforms", platforms),
        users=_texts("event_handler", "users", users),
        pattern=pattern,
    )
    if type(weight) is not int:
        raise DeclarationError(f"@event_handler: weight is an integer, got {shown(weight)}")
    if type(intercept) is not bool:
        raise DeclarationError(f"@event_handler: intercept is True or False, got {shown(intercept)}")
    metadata = {
        "description": description,
        "event_type": event,
        "weight": weight,
        "intercept_message": intercept,
        **({EVENT_FILTER: wanted} if wanted else {}),
        **_limits("event_handler", timeout, idempotent),
        **_quickness("event_handler", quick),
    }

    def declare(function: Any, own_name: str) -> Declared:
        _check_quick("event_handler", function, quick)
        return Declared(
            type=ComponentType.EVENT_HANDLER,
            name=name or own_name,
            metadata=metadata,
            chat_scope=chat_scope,
            allowed_session=sessions,
        )

    return marking("event_handler", '@event_handler("on_message")', declare)


def hook(
    point: str,
    *,
    order: Literal["early", "normal", "late"] = "normal",
    mode: Literal["blocking", "observe"] = "blocking",
    error_policy: Literal["abort", "skip", "log"] = "skip",
    name: str = "",
    description: str = "",
    timeout: float | None = None,
    idempotent: bool = False,
    quick: bool = False,
) -> Callable[[_F], _F]:
    """A handler of a named point in the host's flow; it returns a ``HookOutcome`` or ``None``.

    Args:
        order: Among the handlers of the point.
        mode: ``observe`` only sees: what it returns is ignored.
        error_policy: What a failure of the handler means for the flow.
        idempotent, quick: As of ``command``.
    """
    example = '@hook("chat.receive.before_process")'
    _check_text("hook", point, "a hook", example)
    for key, value, known in (
        ("order", order, ("early", "normal", "late")),
        ("mode", mode, ("blocking", "observe")),
        ("error_policy", error_policy, ("abort", "skip", "log")),
    ):
        if value not in known:
            raise DeclarationError(f"@hook: {key} is one of {', '.join(known)}, got {shown(value)}")
    metadata = {
        "description": description,
        "hook": point,
        "mode": mode,
        "order": order,
        "error_policy": error_policy,
        **_limits("hook", timeout, idempotent),
        **_quickness("hook", quick),
    }

    def declare(function: Any, own_name: str) -> Declared:
        _check_quick("hook", function, quick)
        return Declared(type=ComponentType.HOOK_HANDLER, name=name or own_name, metadata=metadata)

    return marking("hook", example, declare)


def tool(
    name: str = "",
    *,
    description: str = "",
    parameters: Mapping[str, Any] | None = None,
    timeout: float | None = None,
    idempotent: bool = False,
    quick: bool = False,
) -> Callable[[_F], _F]:
    """A tool for language models; what it returns is the tool's result.

    Args:
        parameters: A JSON schema; ``None`` makes one of the handler's parameters and their types.
        idempotent, quick: As of ``command``.
    """
    limits = {**_limits("tool", timeout, idempotent), **_quickness("tool", quick)}
    return _callable_tool("tool", ComponentType.TOOL, name, description, parameters, limits)


def action(
    name: str = "",
    *,
    description: str = "",
    parameters: Mapping[str, Any] | None = None,
    timeout: float | None = None,
    idempotent: bool = False,
    quick: bool = False,
) -> Callable[[_F], _F]:
    """Something that the bot may choose to do; the arguments are as of ``tool``."""
    limits = {**_limits("action", timeout, idempotent), **_quickness("action", quick)}
    return _callable_tool("action", ComponentType.ACTION, name, description, parameters, limits)


def message_gateway(
    name: str,
    *,
    route_type: Literal["send", "receive", "duplex"],
    platform: str = "",
    protocol: str = "",
    account_id: str = "",
    scope: str = "",
    description: str = "",
    timeout: float | None = None,
) -> Callable[[_F], _F]:
    """A gateway to the outside: the handler delivers one message and may return the id that it got there.

    The handler may take ``message: Message``, ``route`` and ``metadata``. Messages from outside go the other way, by
    ``self.ctx.gateway.route_message``.
    """
    example = '@message_gateway("irc", route_type="duplex", platform="irc")'
    _check_text("message_gateway", name, "a name", example)
    if route_type not in ("send", "receive", "duplex"):
        raise DeclarationError(
            f'@message_gateway: route_type is "send", "receive" or "duplex", got {shown(route_type)}'
        )
    metadata = {
        "description": description,
        "route_type": route_type,
        "platform": platform,
        "protocol": protocol,
        "account_id": account_id,
        "scope": scope,
        **_limits("message_gateway", timeout, False),
    }
    return _named("message_gateway", example, ComponentType.MESSAGE_GATEWAY, name, metadata)


def api(
    name: str = "",
    *,
    version: str = "1",
    public: bool = False,
    description: str = "",
    timeout: float | None = None,
    idempotent: bool = False,
    quick: bool = False,
) -> Callable[[_F], _F]:
    """A function for other plugins: ``await self.ctx.api.call("plugin.id.name", argument=1)``.

    Args:
        public: False keeps it to the plugin itself.
        idempotent, quick: As of ``command``.
    """
    _check_text("api", name, "a name", '@api("dice_of", public=True)', optional=True)
    limits = {**_limits("api", timeout, idempotent), **_quickness("api", quick)}
    metadata = {"description": description, "version": version, "public": public, **limits}
    return _named("api", '@api("dice_of", public=True)', ComponentType.API, name, metadata)


def _callable_tool(
    decorator: str,
    component_type: ComponentType,
    name: str,
    description: str,
    parameters: Mapping[str, Any] | None,
    limits: Mapping[str, Any],
) -> Callable[[_F], _F]:
    example = f'@{decorator}("weather", description="Tells the weather of a city.")'
    _check_text(decorator, name, "a name", example, optional=True)

    def declare(function: Any, own_name: str) -> Declared:
        _check_quick(decorator, function, limits.get("quick", False))
        metadata = {
            "description": description or inspect.getdoc(function) or "",
            "parameters_raw": parameters_of(function) if parameters is None else dict(parameters),
            **limits,
        }
        return Declared(type=component_type, name=name or own_name, metadata=metadata)

    return marking(decorator, example, declare)


def _named(
    decorator: str, example: str, component_type: ComponentType, name: str, metadata: dict[str, Any]
) -> Callable[[_F], _F]:
    def declare(function: Any, own_name: str) -> Declared:
        _check_quick(decorator, function, metadata.get("quick", False))
        return Declared(type=component_type, name=name or own_name, metadata=metadata)

    return marking(decorator, example, declare)


def _check_text(decorator: str, value: object, what: str, example: str, *, optional: bool = False) -> None:
    if callable(value):
        raise DeclarationError(f"@{decorator} needs parentheses: write {example}")
    if type(value) is not str or not (value.strip() or (optional and not value)):
        raise DeclarationError(
            f"@{decorator} takes the text of {what} first, got {shown(value)}; write {example}"
        )


def _check_scope(decorator: str, chat_scope: object) -> None:
    if chat_scope not in ("all", "group", "private"):
        raise DeclarationError(
            f'@{decorator}: chat_scope is "all", "group" or "private", got {shown(chat_scope)}'
        )


def _event_filter(**wanted: Any) -> dict[str, Any]:
    """What the host is told of it: what is said at all."""
    said = {key: value for key, value in wanted.items() if value}
    try:
        read_event_filter(said, "")
    except BadPayload as error:
        raise DeclarationError(f"@event_handler: {error.path.lstrip('.')} {error.message}") from None
    return said


def _texts(decorator: str, key: str, values: object) -> list[str]:
    if not isinstance(values, (list, tuple)) or not all(type(value) is str for value in values):
        raise DeclarationError(f"@{decorator}: {key} is a list of texts, got {shown(values)}")
    return list(values)


def _limits(decorator: str, timeout: object, idempotent: object) -> dict[str, Any]:
    """How long one call may take, and whether it may be made again."""
    if type(idempotent) is not bool:
        raise DeclarationError(f"@{decorator}: idempotent is True or False, got {shown(idempotent)}")
    limits: dict[str, Any] = {"idempotent": True} if idempotent else {}
    if timeout is None:
        return limits
    if type(timeout) not in (int, float) or not 0.001 <= timeout <= 86_400:  # type: ignore[operator]  # a number by now
        raise DeclarationError(
            f"@{decorator}: timeout is seconds, more than 0 and at most a day, got {shown(timeout)}"
        )
    return {**limits, "timeout_ms": int(timeout * 1000)}  # type: ignore[operator]  # as above


def _quickness(decorator: str, quick: object) -> dict[str, bool]:
    if type(quick) is not bool:
        raise DeclarationError(f"@{decorator}: quick is True or False, got {shown(quick)}")
    return {"quick": True} if quick else {}


def _check_quick(decorator: str, function: Any, quick: bool) -> None:
    if quick and inspect.iscoroutinefunction(function):
        raise DeclarationError(
            f"@{decorator}: quick is for plain functions, which get a thread without it; an `async def` has none:"
            " leave it out"
        )


def _groups_of(pattern: object) -> tuple[str, ...]:
    if type(pattern) is not str:
        raise DeclarationError(f"@command: pattern is the text of a regular expression, got {shown(pattern)}")
    try:
        return tuple(re.compile(pattern).groupindex)
    except (re.error, RecursionError, OverflowError) as error:
        raise DeclarationError(
            f"@command: pattern {pattern!r} is not a regular expression: {error}"
        ) from None
