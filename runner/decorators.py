"""How does an author say what a plugin offers: one decorator for each type of component.

A decorator only notes what it was told on the function; the plugin's class stays an ordinary class. What is noted is
checked at once, so that the error points at the line of the decorator.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from rookery.protocol import EVENT_FILTER, ComponentType, shown

from .components import Declared, marking
from .declared_values import (
    check_quick,
    check_scope,
    check_text,
    event_filter_of,
    groups_of,
    limits,
    quickness,
    scoped,
    texts,
)
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
    check_text("command", name, "a name", '@command("roll")', optional=True)
    if name.split() not in ([], [name]):
        raise DeclarationError(f"@command: a name is one word, got {name!r}; the rest arrives as `args`")
    check_scope("command", chat_scope)
    groups = groups_of(pattern)
    sessions = tuple(texts("command", "allowed_session", allowed_session))
    metadata = {
        "description": description,
        "aliases": texts("command", "aliases", aliases),
        "command_pattern": pattern,
        **limits("command", timeout, idempotent),
        **quickness("command", quick),
    }

    def declare(function: Any, own_name: str) -> Declared:
        check_quick("command", function, quick)
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
    check_text("event_handler", event, "an event", '@event_handler("on_message")')
    check_scope("event_handler", chat_scope)
    sessions = tuple(texts("event_handler", "allowed_session", allowed_session))
    wanted = event_filter_of(
        platforms=texts("event_handler", "platforms", platforms),
        users=texts("event_handler", "users", users),
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
        **limits("event_handler", timeout, idempotent),
        **quickness("event_handler", quick),
    }

    def declare(function: Any, own_name: str) -> Declared:
        check_quick("event_handler", function, quick)
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
    chat_scope: Literal["all", "group", "private"] = "all",
    allowed_session: Sequence[str] = (),
) -> Callable[[_F], _F]:
    """A handler of a named point in the host's flow; it returns a ``HookOutcome`` or ``None``.

    Args:
        order: Among the handlers of the point.
        mode: ``observe`` only sees: what it returns is ignored.
        error_policy: What a failure of the handler means for the flow.
        idempotent, quick: As of ``command``.
        chat_scope, allowed_session: For which chats it is asked, as far as the arguments of the hook tell.
    """
    example = '@hook("chat.receive.before_process")'
    check_text("hook", point, "a hook", example)
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
        **limits("hook", timeout, idempotent),
        **quickness("hook", quick),
    }

    where = scoped("hook", chat_scope, allowed_session)

    def declare(function: Any, own_name: str) -> Declared:
        check_quick("hook", function, quick)
        return Declared(type=ComponentType.HOOK_HANDLER, name=name or own_name, metadata=metadata, **where)

    return marking("hook", example, declare)


def stage_handler(
    stage: str,
    *,
    priority: int = 0,
    blocking: bool = False,
    name: str = "",
    description: str = "",
    timeout: float | None = None,
    chat_scope: Literal["all", "group", "private"] = "all",
    allowed_session: Sequence[str] = (),
) -> Callable[[_F], _F]:
    """A handler of a stage that a host application dispatches: the older kind of hook, without rules of its own.

    Args:
        priority: Larger comes earlier.
        blocking: True for one that may change the arguments and end the stage, by a ``HookOutcome``.
        chat_scope, allowed_session: As of ``hook``.
    """
    example = '@stage_handler("pre_send", priority=10, blocking=True)'
    check_text("stage_handler", stage, "a stage", example)
    if type(priority) is not int:
        raise DeclarationError(f"@stage_handler: priority is an integer, got {shown(priority)}")
    if type(blocking) is not bool:
        raise DeclarationError(f"@stage_handler: blocking is True or False, got {shown(blocking)}")
    metadata = {
        "description": description,
        "stage": stage,
        "priority": priority,
        "blocking": blocking,
        **limits("stage_handler", timeout, False),
    }
    where = scoped("stage_handler", chat_scope, allowed_session)

    def declare(function: Any, own_name: str) -> Declared:
        return Declared(type=ComponentType.HOOK_HANDLER, name=name or own_name, metadata=metadata, **where)

    return marking("stage_handler", example, declare)


def tool(
    name: str = "",
    *,
    description: str = "",
    parameters: Mapping[str, Any] | None = None,
    timeout: float | None = None,
    idempotent: bool = False,
    quick: bool = False,
    chat_scope: Literal["all", "group", "private"] = "all",
    allowed_session: Sequence[str] = (),
) -> Callable[[_F], _F]:
    """A tool for language models; what it returns is the tool's result.

    Args:
        parameters: A JSON schema; ``None`` makes one of the handler's parameters and their types.
        idempotent, quick, chat_scope, allowed_session: As of ``command``.
    """
    said = {**limits("tool", timeout, idempotent), **quickness("tool", quick)}
    where = scoped("tool", chat_scope, allowed_session)
    return _callable_tool("tool", ComponentType.TOOL, name, description, parameters, said, where)


def action(
    name: str = "",
    *,
    description: str = "",
    parameters: Mapping[str, Any] | None = None,
    timeout: float | None = None,
    idempotent: bool = False,
    quick: bool = False,
    chat_scope: Literal["all", "group", "private"] = "all",
    allowed_session: Sequence[str] = (),
) -> Callable[[_F], _F]:
    """Something that the bot may choose to do; the arguments are as of ``tool``."""
    said = {**limits("action", timeout, idempotent), **quickness("action", quick)}
    where = scoped("action", chat_scope, allowed_session)
    return _callable_tool("action", ComponentType.ACTION, name, description, parameters, said, where)


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
    check_text("message_gateway", name, "a name", example)
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
        **limits("message_gateway", timeout, False),
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
    check_text("api", name, "a name", '@api("dice_of", public=True)', optional=True)
    said = {**limits("api", timeout, idempotent), **quickness("api", quick)}
    metadata = {"description": description, "version": version, "public": public, **said}
    return _named("api", '@api("dice_of", public=True)', ComponentType.API, name, metadata)


def _callable_tool(
    decorator: str,
    component_type: ComponentType,
    name: str,
    description: str,
    parameters: Mapping[str, Any] | None,
    said: Mapping[str, Any],
    where: Mapping[str, Any],
) -> Callable[[_F], _F]:
    example = f'@{decorator}("weather", description="Tells the weather of a city.")'
    check_text(decorator, name, "a name", example, optional=True)

    def declare(function: Any, own_name: str) -> Declared:
        check_quick(decorator, function, said.get("quick", False))
        metadata = {
            "description": description or inspect.getdoc(function) or "",
            "parameters_raw": parameters_of(function) if parameters is None else dict(parameters),
            **said,
        }
        return Declared(type=component_type, name=name or own_name, metadata=metadata, **where)

    return marking(decorator, example, declare)


def _named(
    decorator: str, example: str, component_type: ComponentType, name: str, metadata: dict[str, Any]
) -> Callable[[_F], _F]:
    def declare(function: Any, own_name: str) -> Declared:
        check_quick(decorator, function, metadata.get("quick", False))
        return Declared(type=component_type, name=name or own_name, metadata=metadata)

    return marking(decorator, example, declare)
