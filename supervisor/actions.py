"""Which actions may the bot choose to take: those of the host application, and those of its plugins mirrored among them?

One name, one action. An action of the application goes before those of plugins, and among these the total order decides; who
loses is shadowed, which is said in the status, and takes over when the winner goes: the mirror is a view of what plugins offer
now, and holds nothing that could be left behind by a plugin, a runner or a shard that is gone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import attrs

from rookery.protocol import PLUGIN_INVOKE_ACTION

from .component import Tool
from .fate import DispatchFailed, Fate

if TYPE_CHECKING:
    from .conversation import Conversation
    from .dispatch import Dispatcher
    from .registry import Registry

Execute = Callable[..., Awaitable[tuple[bool, str]]]
"""Called with the planner's arguments by name; whether it went well, and what came of it."""

APPLICATION = "the application"
"""Whose an action is that no plugin has."""

TIMEOUT = 60.0
"""Seconds for an action that names none."""


class Activation(StrEnum):
    """When the bot may think of an action at all."""

    NEVER = "never"
    ALWAYS = "always"
    RANDOM = "random"
    KEYWORD = "keyword"


@attrs.frozen(kw_only=True)
class ActionDescription:
    """What a planner has to know of an action."""

    name: str
    plugin_name: str = ""
    """The plugin's id; "" for one of the application."""
    description: str = ""
    enabled: bool = True
    metadata: Mapping[str, Any] = attrs.Factory(dict)
    """As declared."""
    action_parameters: Mapping[str, str] = attrs.Factory(dict)
    action_require: tuple[str, ...] = ()
    associated_types: tuple[str, ...] = ()
    activation_type: Activation = Activation.ALWAYS
    activation_keywords: tuple[str, ...] = ()
    random_activation_probability: float = 0.0
    parallel_action: bool = False
    component_type: str = "ACTION"


@attrs.frozen(eq=False)
class Action:
    """One action by its name."""

    info: ActionDescription
    execute: Execute


@attrs.frozen
class ShadowedAction:
    """An action that its name does not reach."""

    name: str
    full_name: str
    by: str
    """Whose it is instead: a component's full name, or "the application"."""


def read_action(tool: Tool) -> ActionDescription:
    """What a plugin declares of an action, with what it leaves out or spoils put right."""
    inner = tool.metadata.get("metadata")
    said: Mapping[str, Any] = {**inner, **tool.metadata} if isinstance(inner, dict) else tool.metadata
    return ActionDescription(
        name=tool.name,
        plugin_name=tool.plugin_id,
        description=tool.description,
        enabled=tool.enabled,
        metadata=dict(tool.metadata),
        action_parameters=_text_map(said.get("action_parameters")) or _described(tool.parameters),
        action_require=_texts(said.get("action_require")),
        associated_types=_texts(said.get("associated_types")),
        activation_type=_activation(said.get("activation_type")),
        activation_keywords=_texts(said.get("activation_keywords")),
        random_activation_probability=_number(said.get("activation_probability")),
        parallel_action=said.get("parallel_action") is True,
    )


def action_arguments(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What a plugin's action is called with, of what a planner gives: the action's own data first, the rest over it."""
    given = inputs.get("action_data")
    data: dict[str, Any] = dict(given) if isinstance(given, Mapping) else {}
    session_id = getattr(inputs.get("chat_stream"), "session_id", None) or inputs.get("stream_id") or ""
    reasoning = inputs.get("action_reasoning") or inputs.get("reasoning")
    args: dict[str, Any] = {
        **data,
        "action_data": data,
        "stream_id": str(session_id),
        "chat_id": str(session_id),
        "reasoning": "" if reasoning is None else str(reasoning),
    }
    for name, kind in _OPTIONAL.items():
        value = inputs.get(name)
        if isinstance(value, kind):
            args[name] = dict(value) if isinstance(value, Mapping) else value
    return args


def action_result(answer: Mapping[str, Any]) -> tuple[bool, str]:
    """What a plugin's answer means: whether it went well, and what came of it."""
    result = answer.get("result")
    if isinstance(result, list) and result:
        told = result[1] if len(result) > 1 else None
        return bool(result[0]), "" if told is None else str(told)
    return answer.get("success") is not False, "" if result is None else str(result)


class Actions:
    """The actions by name.

    Args:
        registry: Where those of plugins are found.
    """

    def __init__(self, registry: Registry, dispatcher: Dispatcher) -> None:
        self._registry = registry
        self._dispatcher = dispatcher
        self._own: dict[str, Action] = {}
        self._mirror: dict[str, list[Tool]] = {}
        self._seen: int | None = None
        """The generation of the registry that the mirror shows."""

    def register(self, info: ActionDescription, execute: Execute) -> bool:
        """Add an action of the application; False when it has one of this name."""
        if info.name in self._own:
            return False
        self._own[info.name] = Action(info, execute)
        return True

    def unregister(self, name: str) -> bool:
        """Remove an action of the application; one of a plugin takes over. False when there is none."""
        return self._own.pop(name, None) is not None

    def get(self, name: str, conversation: Conversation | None = None) -> Action | None:
        """The action of a name, or of a full name, as it may be taken in a conversation; ``None`` when there is none.

        Args:
            conversation: ``None`` finds what may be taken anywhere.
        """
        if name in self._own:
            return self._own[name]
        for tool in self._named(name):
            if tool.serves_in(conversation):
                return self._mirrored(tool)
        return None

    def all(self, conversation: Conversation | None = None) -> dict[str, Action]:
        """Every action that may be taken in a conversation, by name."""
        self._look()
        found = {name: self.get(name, conversation) for name in sorted({*self._own, *self._mirror})}
        return {name: action for name, action in found.items() if action is not None and action.info.enabled}

    async def take(
        self, name: str, *, conversation: Conversation | None = None, **inputs: Any
    ) -> tuple[bool, str]:
        """Take an action with a planner's arguments; whether it went well, and what came of it.

        Raises:
            DispatchFailed: There is none of this name here.
        """
        action = self.get(name, conversation)
        if action is None:
            raise DispatchFailed(Fate.REFUSED, f"no action {name!r} may be taken here")
        return await action.execute(**inputs)

    @property
    def shadowed(self) -> tuple[ShadowedAction, ...]:
        """Those that their name does not reach."""
        self._look()
        found = []
        for name, tools in sorted(self._mirror.items()):
            own = name in self._own
            by = APPLICATION if own else tools[0].full_name
            found += [ShadowedAction(name, each.full_name, by) for each in (tools if own else tools[1:])]
        return tuple(found)

    def _named(self, name: str) -> list[Tool]:
        self._look()
        tools = self._mirror.get(name)
        if tools is not None:
            return tools
        found = self._registry.by_full_name(name)
        return [found] if isinstance(found, Tool) and found.is_action else []

    def _look(self) -> None:
        if self._seen != self._registry.generation:
            self._seen, self._mirror = self._registry.generation, {}
            for tool in self._registry.tools():
                if tool.is_action:
                    self._mirror.setdefault(tool.name, []).append(tool)

    def _mirrored(self, tool: Tool) -> Action:
        async def execute(**inputs: Any) -> tuple[bool, str]:
            try:
                answer = await self._dispatcher.call(
                    tool, PLUGIN_INVOKE_ACTION, action_arguments(inputs), timeout=tool.timeout or TIMEOUT
                )
            except DispatchFailed as failure:
                return False, str(failure)
            return action_result(answer)

        return Action(read_action(tool), execute)


_OPTIONAL: dict[str, type] = {
    "thinking_id": str,
    "cycle_timers": Mapping,
    "plugin_config": Mapping,
    "log_prefix": str,
    "shutting_down": bool,
}


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, (list, tuple)):
        return ()
    texts = (str(value).strip() for value in values if value is not None)
    return tuple(text for text in texts if text)


def _text_map(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        return {}
    return {str(key): "" if told is None else str(told) for key, told in value.items()}


def _described(schema: Mapping[str, Any] | None) -> dict[str, str]:
    properties = (schema or {}).get("properties")
    if not isinstance(properties, Mapping):
        return {}
    return {
        str(name): str(about.get("description") or "") if isinstance(about, Mapping) else ""
        for name, about in properties.items()
    }


def _activation(value: Any) -> Activation:
    try:
        return Activation(str(value).strip().lower())
    except ValueError:
        return Activation.ALWAYS


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0
