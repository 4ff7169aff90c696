"""What is a component once the host has checked its declaration, and what is wrong with one that it refuses?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from rookery.protocol import (
    EVENT_FILTER,
    EVERYTHING,
    INLINE,
    PLUGIN_INVOKE_ACTION,
    PLUGIN_INVOKE_API,
    PLUGIN_INVOKE_COMMAND,
    PLUGIN_INVOKE_MESSAGE_GATEWAY,
    PLUGIN_INVOKE_TOOL,
    BadPayload,
    ComponentDeclaration,
    ComponentType,
    EventFilter,
    full_name,
    read_event_filter,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_E = TypeVar("_E", bound=StrEnum)

MAX_NAME_CHARS = 128
MAX_TIMEOUT_MS = 3_600_000
"""An hour. A hook handler holds a conversation up for as long as it may take."""
MAX_PATTERN_CHARS = 1000
"""A command's regular expression runs in the host: long enough for every honest one."""


class HookMode(StrEnum):
    BLOCKING = "blocking"
    OBSERVE = "observe"


class HookOrder(StrEnum):
    EARLY = "early"
    NORMAL = "normal"
    LATE = "late"


class ErrorPolicy(StrEnum):
    """What a failing hook handler means for the flow that asked it."""

    ABORT = "abort"
    SKIP = "skip"
    LOG = "log"


class RouteType(StrEnum):
    """The directions that a message gateway serves."""

    SEND = "send"
    RECEIVE = "receive"
    DUPLEX = "duplex"


@attrs.frozen(kw_only=True, eq=False)
class Component:
    """One named thing that a plugin offers, as the registry keeps it."""

    plugin_id: str
    name: str
    type: ComponentType
    shard: str
    """Where its plugin lives."""
    is_trusted: bool = True
    """The trust of its shard."""
    metadata: Mapping[str, Any]
    """As declared."""
    timeout: float | None = None
    """Seconds that the author wants for one call; ``None`` takes the method's own."""
    is_idempotent: bool = False
    """Whether the author says that a call may run again after it was cut off."""
    is_inline: bool = False
    """Whether it runs on its runner's loop, from its first line on."""
    enabled: bool = True
    chat_scope: str = "all"
    allowed_session: frozenset[str] = frozenset()

    @property
    def full_name(self) -> str:
        return full_name(self.plugin_id, self.name)

    def serves(self, *, session_id: str, group_id: str | None, platform: str) -> bool:
        """Whether the component may be used in this chat: its scope, its sessions, and whether it is switched on."""
        if not self.enabled:
            return False
        if self.chat_scope != "all" and (self.chat_scope == "group") != (group_id is not None):
            return False
        if not self.allowed_session:
            return True
        names = {session_id} if group_id is None else {session_id, group_id, f"{platform}:{group_id}"}
        return not names.isdisjoint(self.allowed_session)


@attrs.frozen(kw_only=True, eq=False)
class EventHandler(Component):
    event_type: str
    weight: int = 0
    """Larger comes earlier."""
    intercepts: bool = False
    """May change or stop the event; the others only see it."""
    filter: EventFilter = EVERYTHING
    """Which events it gets at all; its chat scope and sessions are part of it."""


@attrs.frozen(kw_only=True, eq=False)
class HookHandler(Component):
    hook: str
    mode: HookMode = HookMode.BLOCKING
    order: HookOrder = HookOrder.NORMAL
    error_policy: ErrorPolicy = ErrorPolicy.SKIP


@attrs.frozen(kw_only=True, eq=False)
class Command(Component):
    command_name: str = ""
    """What follows the prefix; "" for a command that is found by its pattern only."""
    aliases: tuple[str, ...] = ()
    """Texts that a message may begin with, prefix included."""
    pattern: re.Pattern[str] | None = None


@attrs.frozen(kw_only=True, eq=False)
class Gateway(Component):
    route_type: RouteType
    platform: str = ""
    protocol: str = ""
    account_id: str = ""
    scope: str = ""

    @property
    def sends(self) -> bool:
        return self.route_type is not RouteType.RECEIVE

    @property
    def receives(self) -> bool:
        return self.route_type is not RouteType.SEND


@attrs.frozen(kw_only=True, eq=False)
class Api(Component):
    version: str = "1"
    is_public: bool = False


INVOKE_METHODS: Mapping[ComponentType, str] = {
    ComponentType.COMMAND: PLUGIN_INVOKE_COMMAND,
    ComponentType.ACTION: PLUGIN_INVOKE_ACTION,
    ComponentType.TOOL: PLUGIN_INVOKE_TOOL,
    ComponentType.API: PLUGIN_INVOKE_API,
    ComponentType.MESSAGE_GATEWAY: PLUGIN_INVOKE_MESSAGE_GATEWAY,
}
"""How each type is called by name; events and hooks have methods and answers of their own."""


def make_component(
    declared: ComponentDeclaration, *, plugin_id: str, shard: str, is_trusted: bool, path: str
) -> Component:
    """Check a declaration and give it its form.

    Args:
        path: Where in the registration it stands, for errors.

    Raises:
        BadPayload: The first mistake, with its path.
    """
    if not declared.name or len(declared.name) > MAX_NAME_CHARS:
        raise BadPayload(f"must be a text of 1 to {MAX_NAME_CHARS} characters", f"{path}.name")
    kind = _type_of(declared, path)
    metadata = declared.metadata
    known: dict[str, Any] = {
        "plugin_id": plugin_id,
        "name": declared.name,
        "type": kind,
        "shard": shard,
        "is_trusted": is_trusted,
        "metadata": metadata,
        "timeout": _timeout(metadata, path),
        "is_idempotent": metadata.get("idempotent") is True,
        "is_inline": metadata.get(INLINE) is True,
        "enabled": metadata.get("enabled", True) is not False,
        "chat_scope": declared.chat_scope if declared.chat_scope in ("group", "private") else "all",
        "allowed_session": frozenset(text.strip() for text in declared.allowed_session if text.strip()),
    }
    build = _BUILDERS.get(kind)
    return Component(**known) if build is None else build(metadata, known, f"{path}.metadata")


def _type_of(declared: ComponentDeclaration, path: str) -> ComponentType:
    text = declared.component_type.strip().upper()
    try:
        return ComponentType(text)
    except ValueError:
        known = ", ".join(ComponentType)
        raise BadPayload(f"must be one of {known}, got {shown(text)}", f"{path}.component_type") from None


def _timeout(metadata: Mapping[str, Any], path: str) -> float | None:
    value = metadata.get("timeout_ms") or 0
    if type(value) is not int or not 0 <= value <= MAX_TIMEOUT_MS:
        raise BadPayload(
            f"must be milliseconds from 0 to {MAX_TIMEOUT_MS}, got {shown(value)}",
            f"{path}.metadata.timeout_ms",
        )
    return value / 1000 or None


def _event_handler(metadata: Mapping[str, Any], known: dict[str, Any], path: str) -> Component:
    weight = metadata.get("weight", 0)
    if type(weight) is not int:
        raise BadPayload(f"must be an integer, got {shown(weight)}", f"{path}.weight")
    wanted = read_event_filter(
        metadata.get(EVENT_FILTER),
        f"{path}.{EVENT_FILTER}",
        chat_scope=known["chat_scope"],
        sessions=known["allowed_session"],
    )
    return EventHandler(
        event_type=_text(metadata, "event_type", path),
        weight=weight,
        intercepts=metadata.get("intercept_message") is True,
        filter=wanted,
        **known,
    )


def _hook_handler(metadata: Mapping[str, Any], known: dict[str, Any], path: str) -> Component:
    return HookHandler(
        hook=_text(metadata, "hook", path),
        mode=_choice(HookMode, metadata.get("mode"), HookMode.BLOCKING, f"{path}.mode"),
        order=_choice(HookOrder, metadata.get("order"), HookOrder.NORMAL, f"{path}.order"),
        error_policy=_choice(
            ErrorPolicy, metadata.get("error_policy"), ErrorPolicy.SKIP, f"{path}.error_policy"
        ),
        **known,
    )


def _command(metadata: Mapping[str, Any], known: dict[str, Any], path: str) -> Component:
    aliases = metadata.get("aliases") or []
    if type(aliases) is not list or not all(type(alias) is str for alias in aliases):
        raise BadPayload(f"must be a list of texts, got {shown(aliases)}", f"{path}.aliases")
    text = metadata.get("command_pattern") or ""
    name = metadata.get("command_name") or ""
    if type(name) is not str:
        raise BadPayload(f"must be a text, got {shown(name)}", f"{path}.command_name")
    pattern = _pattern(text, f"{path}.command_pattern", is_trusted=known["is_trusted"]) if text else None
    return Command(
        command_name=name.casefold(),
        aliases=tuple(alias for alias in aliases if alias),
        pattern=pattern,
        **known,
    )


def _pattern(text: Any, path: str, *, is_trusted: bool) -> re.Pattern[str]:
    if not is_trusted:
        # It would run here, and a hostile one takes for ever while it holds the interpreter.
        raise BadPayload("only plugins of trusted shards may match commands by pattern; use a name", path)
    if type(text) is not str or len(text) > MAX_PATTERN_CHARS:
        raise BadPayload(f"must be a text of at most {MAX_PATTERN_CHARS} characters", path)
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise BadPayload(f"is not a regular expression: {error}", path) from None


def _gateway(metadata: Mapping[str, Any], known: dict[str, Any], path: str) -> Component:
    route = metadata.get("route_type")
    # Two spellings of "receive" that authors of the original have used.
    route = RouteType.RECEIVE if route in ("recv", "recive") else route
    texts: dict[str, Any] = {
        name: str(metadata.get(name) or "").strip() for name in ("protocol", "account_id", "scope")
    }
    return Gateway(
        route_type=_choice(RouteType, route, None, f"{path}.route_type"),
        platform=str(metadata.get("platform") or "").strip().lower(),
        **texts,
        **known,
    )


def _api(metadata: Mapping[str, Any], known: dict[str, Any], path: str) -> Component:
    return Api(version=str(metadata.get("version") or "1"), is_public=metadata.get("public") is True, **known)


def _text(metadata: Mapping[str, Any], name: str, path: str) -> str:
    value = metadata.get(name)
    if type(value) is not str or not value.strip():
        raise BadPayload(f"must be a text that is not empty, got {shown(value)}", f"{path}.{name}")
    return value.strip()


def _choice(kind: type[_E], value: Any, default: _E | None, path: str) -> _E:
    if value is None and default is not None:
        return default
    try:
        return kind(value.strip().lower() if type(value) is str else value)
    except ValueError:
        raise BadPayload(f"must be one of {', '.join(kind)}, got {shown(value)}", path) from None


_BUILDERS: Mapping[ComponentType, Callable[[Mapping[str, Any], dict[str, Any], str], Component]] = {
    ComponentType.EVENT_HANDLER: _event_handler,
    ComponentType.HOOK_HANDLER: _hook_handler,
    ComponentType.COMMAND: _command,
    ComponentType.MESSAGE_GATEWAY: _gateway,
    ComponentType.API: _api,
}
