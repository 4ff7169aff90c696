"""What is wrong with a component that a plugin declares, and what does one that is right become?

What an author says may stand at the top of the metadata or in a map ``metadata`` inside of it, where an older SDK puts it:
the top counts. A restriction to chats and sessions holds wherever it is said.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from rookery.protocol import (
    EVENT_FILTER,
    INLINE,
    PLUGIN_INVOKE_ACTION,
    BadPayload,
    ComponentDeclaration,
    ComponentType,
    read_event_filter,
    shown,
)

from .component import (
    Api,
    CardWidth,
    Command,
    Component,
    ErrorPolicy,
    EventHandler,
    Gateway,
    HomeCard,
    HookHandler,
    HookMode,
    HookOrder,
    RouteType,
    StageHandler,
    Tool,
    Visibility,
)
from .tool_schema import action_schema, tool_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_E = TypeVar("_E", bound=StrEnum)

MAX_NAME_CHARS = 128
MAX_TIMEOUT_MS = 3_600_000
"""An hour. A hook handler holds a conversation up for as long as it may take."""
MAX_PATTERN_CHARS = 1000
"""A command's regular expression runs in the host: long enough for every honest one."""


MAX_PATTERNS = 20
MAX_PATTERNS_SIZE = 1000
"""Of one plugin of an untrusted shard, in the filters of its event handlers."""


class BadComponent(BadPayload):
    """A component that was declared wrongly; nothing of its plugin was registered.

    Attributes:
        plugin_id, component_name, component_type: Which one, as it was declared.
    """

    def __init__(self, mistake: BadPayload, plugin_id: str, declared: ComponentDeclaration) -> None:
        self.plugin_id = plugin_id
        self.component_name = declared.name
        self.component_type = declared.component_type
        kind, name = shown(declared.component_type), shown(declared.name)
        super().__init__(f"{mistake.message} (component {name} of {plugin_id}, type {kind})", mistake.path)

    @property
    def details(self) -> dict[str, Any]:
        return {
            **super().details,
            "component_name": self.component_name[:MAX_NAME_CHARS],
            "component_type": self.component_type[:MAX_NAME_CHARS],
            "plugin_id": self.plugin_id,
        }


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
    metadata = laid_flat(declared.metadata)
    known: dict[str, Any] = {
        "plugin_id": plugin_id,
        "name": declared.name,
        "type": kind,
        "shard": shard,
        "is_trusted": is_trusted,
        "metadata": declared.metadata,
        "timeout": _timeout(metadata, path),
        "is_idempotent": metadata.get("idempotent") is True,
        "is_inline": metadata.get(INLINE) is True,
        "enabled": metadata.get("enabled", True) is not False,
        "chat_scope": _scope(declared.chat_scope) or _scope(metadata.get("chat_scope")) or "all",
        "allowed_session": _sessions(declared.allowed_session) or _sessions(metadata.get("allowed_session")),
    }
    build = _BUILDERS.get(kind)
    return Component(**known) if build is None else build(metadata, known, f"{path}.metadata")


def laid_flat(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Metadata with what stands in metadata within it, which counts less."""
    inner = metadata.get("metadata")
    return {**inner, **metadata} if type(inner) is dict else metadata


def _scope(declared: Any) -> str:
    scope = declared.strip().lower() if type(declared) is str else ""
    return scope if scope in ("group", "private") else ""


def _sessions(declared: Any) -> frozenset[str]:
    if type(declared) is not list:
        return frozenset()
    return frozenset(text.strip() for text in declared if type(text) is str and text.strip())


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
    if metadata.get("stage") and not metadata.get("hook"):
        return _stage_handler(metadata, known, path)
    return HookHandler(
        hook=_text(metadata, "hook", path),
        mode=_choice(HookMode, metadata.get("mode"), HookMode.BLOCKING, f"{path}.mode"),
        order=_choice(HookOrder, metadata.get("order"), HookOrder.NORMAL, f"{path}.order"),
        error_policy=_choice(
            ErrorPolicy, metadata.get("error_policy"), ErrorPolicy.SKIP, f"{path}.error_policy"
        ),
        **known,
    )


def _stage_handler(metadata: Mapping[str, Any], known: dict[str, Any], path: str) -> Component:
    priority = metadata.get("priority", 0)
    if type(priority) is not int:
        raise BadPayload(f"must be an integer, got {shown(priority)}", f"{path}.priority")
    return StageHandler(
        stage=_text(metadata, "stage", path),
        priority=priority,
        blocks=metadata.get("blocking") is True,
        **known,
    )


def _tool(metadata: Mapping[str, Any], known: dict[str, Any], path: str) -> Component:
    is_action = known["type"] is ComponentType.ACTION or (
        metadata.get("legacy_action") is True or metadata.get("invoke_method") == PLUGIN_INVOKE_ACTION
    )
    schema = tool_schema(metadata, path)
    if schema is None and is_action:
        schema = action_schema(metadata)
    default = Visibility.VISIBLE if metadata.get("core_tool") is True else Visibility.DEFERRED
    return Tool(
        description=str(metadata.get("description") or metadata.get("brief_description") or ""),
        parameters=schema,
        visibility=_choice(Visibility, metadata.get("visibility"), default, f"{path}.visibility"),
        is_action=is_action,
        **known,
    )


def _home_card(metadata: Mapping[str, Any], known: dict[str, Any], path: str) -> Component:
    order = metadata.get("order", 1000)
    if type(order) is not int:
        raise BadPayload(f"must be an integer, got {shown(order)}", f"{path}.order")
    return HomeCard(
        title=str(metadata.get("title") or known["name"]).strip(),
        description=str(metadata.get("description") or "").strip(),
        width=_choice(CardWidth, metadata.get("width"), CardWidth.MEDIUM, f"{path}.width"),
        order=order,
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
    ComponentType.TOOL: _tool,
    ComponentType.ACTION: _tool,
    ComponentType.HOME_CARD: _home_card,
    ComponentType.EVENT_HANDLER: _event_handler,
    ComponentType.HOOK_HANDLER: _hook_handler,
    ComponentType.COMMAND: _command,
    ComponentType.MESSAGE_GATEWAY: _gateway,
    ComponentType.API: _api,
}


def check_patterns(components: tuple[Component, ...]) -> None:
    """A pattern takes the host's time with each event: what strangers may have of it is bounded."""
    sizes: dict[object, int] = {}
    for index, component in enumerate(components):
        if isinstance(component, EventHandler) and component.filter.pattern and not component.is_trusted:
            sizes[component.filter.pattern] = component.filter.pattern.size
            if len(sizes) > MAX_PATTERNS or sum(sizes.values()) > MAX_PATTERNS_SIZE:
                raise BadPayload(
                    f"a plugin of an untrusted shard has at most {MAX_PATTERNS} patterns,"
                    f" and together of size {MAX_PATTERNS_SIZE}",
                    f"components[{index}].metadata.event_filter.pattern",
                )
