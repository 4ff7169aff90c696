"""Which tools and commands do the plugins offer, over the whole tree, and how is one used by its name?

Short names are found in the total order; who may not be used in a conversation does not stand in the way of who may. A tool or
an action that its short name does not reach is shadowed: it can be called by its full name, is told to the operator, and takes
over when the winner goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from rookery.protocol import PLUGIN_INVOKE_COMMAND

from .actions import TIMEOUT, action_arguments
from .component import Tool, Visibility
from .fate import DispatchFailed, Fate
from .tool_results import ToolResult, read_tool_result

if TYPE_CHECKING:
    from .commands import CommandMatch
    from .conversation import Conversation
    from .dispatch import Dispatcher
    from .registry import Registry

CONTEXT = ("stream_id", "chat_id", "group_id", "user_id", "platform")
"""What a tool is told of where it is used, unless its arguments say so themselves."""

NO_ARGUMENTS: Mapping[str, Any] = {"type": "object", "properties": {}}


@attrs.frozen(kw_only=True)
class ToolSpec:
    """A tool as a language model is told of it."""

    name: str
    full_name: str
    description: str
    parameters: Mapping[str, Any]
    """A JSON schema of an object."""
    provider_name: str
    """The plugin's id."""
    provider_type: str = "plugin"
    enabled: bool = True
    """False for one that is hidden from models."""
    visibility: Visibility = Visibility.DEFERRED
    is_action: bool = False
    metadata: Mapping[str, Any] = attrs.Factory(dict)

    def as_function(self) -> dict[str, Any]:
        """In the form that most language models take."""
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": dict(self.parameters),
            },
        }


@attrs.frozen(kw_only=True)
class CommandResult:
    """How a command went."""

    success: bool
    text: str = ""
    """What is to be said; "" for nothing."""
    intercepts: bool = False
    """Whether it wants the message to go no further."""


class Toolbox:
    """Tools and commands by name."""

    def __init__(self, registry: Registry, dispatcher: Dispatcher) -> None:
        self._registry = registry
        self._dispatcher = dispatcher
        self._names: dict[str, list[Tool]] = {}
        self._seen: int | None = None
        """The generation of the registry that the names are of."""

    # --- tools -------------------------------------------------------------------------------------------------

    def tools(
        self,
        conversation: Conversation | None = None,
        *,
        visibility: Visibility | None = None,
        with_actions: bool = False,
    ) -> tuple[ToolSpec, ...]:
        """Those that may be used in a conversation, by name.

        Args:
            conversation: ``None`` lists what may be used anywhere.
            visibility: Only tools of this kind.
            with_actions: Whether actions are listed as well.
        """
        self._look()
        found = []
        for name in sorted(self._names):
            tool = _first_serving(self._names[name], conversation)
            if tool is None or (tool.is_action and not with_actions):
                continue
            if visibility is None or tool.visibility is visibility:
                found.append(spec_of(tool))
        return tuple(found)

    def find(self, name: str, conversation: Conversation | None = None) -> Tool | None:
        """The tool of a short or a full name that may be used in a conversation."""
        self._look()
        tools = self._names.get(name)
        if tools is None:
            found = self._registry.by_full_name(name)
            tools = [found] if isinstance(found, Tool) else []
        return _first_serving(tools, conversation)

    async def use(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        conversation: Conversation | None = None,
        context: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> ToolResult:
        """Use a tool, or an action as one.

        Args:
            context: Where it is used, by the names of ``CONTEXT``; arguments that say it themselves stay.
            timeout: Seconds; ``None`` takes the tool's own, or a minute.

        Raises:
            DispatchFailed: There is none of this name here, or it did not end well in time.
        """
        tool = self.find(name, conversation)
        if tool is None:
            raise DispatchFailed(Fate.REFUSED, f"no tool {name!r} may be used here")
        args = dict(arguments or {})
        around = dict(context or {})
        if conversation is not None:
            around = {"stream_id": conversation.session_id, "chat_id": conversation.session_id, **around}
        if tool.is_action:
            args = action_arguments(
                {"action_data": args, "action_reasoning": args.get("reasoning"), **around}
            )
        for key in CONTEXT:
            if not args.get(key) and around.get(key):
                args[key] = around[key]
        answer = await self._dispatcher.call(
            tool, tool.invoke_method, args, timeout=timeout or tool.timeout or TIMEOUT
        )
        return read_tool_result(answer)

    @property
    def shadowed(self) -> tuple[tuple[str, Tool, Tool], ...]:
        """Name, who it does not reach, and who it reaches instead."""
        self._look()
        return tuple(
            (name, loser, tools[0]) for name, tools in sorted(self._names.items()) for loser in tools[1:]
        )

    # --- commands ----------------------------------------------------------------------------------------------

    def find_command(self, text: str, conversation: Conversation | None = None) -> CommandMatch | None:
        """The command that a text calls in a conversation."""
        return self._registry.commands.match(text, lambda command: command.serves_in(conversation))

    async def run_command(
        self,
        match: CommandMatch,
        args: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> CommandResult:
        """Run a command that was found; it never raises for what the command does.

        Args:
            args: What it is called with beside what the text says, e.g. ``message``, ``stream_id``, ``user_id``.
        """
        command = match.command
        given = {"args": match.args, "matched_groups": match.groups, **(args or {})}
        seconds = timeout or command.timeout or TIMEOUT
        try:
            answer = await self._dispatcher.call(command, PLUGIN_INVOKE_COMMAND, given, timeout=seconds)
        except DispatchFailed as failure:
            return CommandResult(success=False, text=str(failure), intercepts=True)
        return read_command_result(match, answer)

    # --- inside ------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        if self._seen != self._registry.generation:
            self._seen, self._names = self._registry.generation, {}
            for tool in self._registry.tools():
                self._names.setdefault(tool.name, []).append(tool)


def spec_of(tool: Tool) -> ToolSpec:
    """What is told of a tool."""
    return ToolSpec(
        name=tool.name,
        full_name=tool.full_name,
        description=tool.description,
        parameters=tool.parameters or NO_ARGUMENTS,
        provider_name=tool.plugin_id,
        enabled=tool.visibility is not Visibility.HIDDEN,
        visibility=tool.visibility,
        is_action=tool.is_action,
        metadata={
            "plugin_id": tool.plugin_id,
            "invoke_method": tool.invoke_method,
            "legacy_component_type": "ACTION" if tool.is_action else "",
            "visibility": tool.visibility.value,
        },
    )


def read_command_result(match: CommandMatch, answer: Mapping[str, Any]) -> CommandResult:
    """What a command's answer means. A list is the original's form: success, text, and whether the message ends here."""
    result = answer.get("result")
    if answer.get("success") is False:
        return CommandResult(success=False, text="" if result is None else str(result), intercepts=True)
    intercepts = match.command.metadata.get("intercept_message_level") in (True, 1)
    success = True
    if isinstance(result, list) and len(result) >= 2:
        success = bool(result[0])
        intercepts = bool(result[2]) if len(result) >= 3 else intercepts
        result = result[1]
    return CommandResult(
        success=success, text=result if isinstance(result, str) else "", intercepts=intercepts
    )


def _first_serving(tools: list[Tool], conversation: Conversation | None) -> Tool | None:
    return next((tool for tool in tools if tool.serves_in(conversation)), None)
