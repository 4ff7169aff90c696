"""What does a handler's result mean on the wire, and what may it return at all?"""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING, Any

import attrs

from rookery.protocol import (
    PLUGIN_EMIT_EVENT,
    PLUGIN_INVOKE_HOOK,
    SILENCE,
    CannotEncode,
    ComponentType,
    RookeryError,
    limits,
    shown,
)

from .message import Message
from .outcomes import EventOutcome, HookOutcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from .components import Component
    from .loaded import LoadedPlugin


class BadResult(RookeryError):
    """A handler returned what means nothing. The text says what it may return."""


@attrs.frozen
class Reply:
    """A text that an event handler has returned."""

    text: str
    session_id: str
    """The chat that the event's message came from."""
    reply_to: str
    """That message."""

    async def send(self, plugin: LoadedPlugin) -> None:
        """Say it.

        Raises:
            RookeryError: It was not delivered; the text says why.
        """
        await plugin.ctx.send.text(self.text, self.session_id, reply_to=self.reply_to)


@attrs.define
class Answer:
    payload: dict[str, Any]
    reply: Reply | None = None
    """To be sent before the answer; ``None`` for nothing."""


SILENT = {
    ComponentType.EVENT_HANDLER: dict(SILENCE[PLUGIN_EMIT_EVENT]),
    ComponentType.HOOK_HANDLER: dict(SILENCE[PLUGIN_INVOKE_HOOK]),
}
"""What a handler answers that returns nothing; only ever read."""


def failed_answer(component_type: ComponentType, reason: str) -> dict[str, Any]:
    """What the caller is told when a component failed."""
    if component_type is ComponentType.EVENT_HANDLER:
        return {
            "success": False,
            "continue_processing": True,
            "modified_message": None,
            "custom_result": None,
        }
    if component_type is ComponentType.HOOK_HANDLER:
        return _hook(success=False, error_message=reason)
    return {"success": False, "result": reason}


def plain_value(value: Any, depth: int = 0) -> Any:
    """The value with lists for sets and maps for messages, all the way down.

    Raises:
        CannotEncode: It nests too deep, or in a circle.
    """
    if depth > limits.MAX_DEPTH:
        raise CannotEncode(f"the value nests deeper than {limits.MAX_DEPTH} levels")
    if isinstance(value, Message):
        return value.raw
    if isinstance(value, dict):
        return {key: plain_value(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_value(item, depth + 1) for item in value]
    if isinstance(value, Set):
        # Ordered by their look, so that the answer does not hang on the hash seed of this process.
        return [plain_value(item, depth + 1) for item in sorted(value, key=repr)]
    return value


def _result_answer(component: Component, args: dict[str, Any], result: Any) -> Answer:
    return Answer({"success": True, "result": result.raw if type(result) is Message else result})


def _command_answer(component: Component, args: dict[str, Any], result: Any) -> Answer:
    if result is None or type(result) is str:
        return Answer({"success": True, "result": result})
    if type(result) in (bool, int, float):
        raise BadResult(
            f"{component.name} returned {type(result).__name__} {shown(result)}: a command returns the text of its"
            " reply, or None for no reply; write return str(…)"
        )
    return _result_answer(component, args, result)


def _event_answer(component: Component, args: dict[str, Any], result: Any) -> Answer:
    if result is None:
        return Answer(SILENT[ComponentType.EVENT_HANDLER])
    if type(result) is str:
        return Answer(
            {"success": True, "continue_processing": True, "modified_message": None, "custom_result": None},
            _reply(component, args, result),
        )
    if type(result) is not EventOutcome:
        raise BadResult(
            f"{component.name} returned {type(result).__name__} {shown(result)}: an event handler returns None, a text"
            " that is sent as a reply, or an EventOutcome such as EventOutcome.change(message.with_text(…)) or"
            " EventOutcome.stop()"
        )
    if not component.intercepts and (result.message is not None or not result.continues):
        raise BadResult(
            f"{component.name} returned an EventOutcome that changes or stops the event, and it is not one that may:"
            f' write @event_handler("{component.declared.metadata["event_type"]}", intercept=True)'
        )
    return Answer(
        {
            "success": True,
            "continue_processing": result.continues,
            "modified_message": None if result.message is None else result.message.raw,
            "custom_result": result.result,
        }
    )


def _reply(component: Component, args: dict[str, Any], text: str) -> Reply | None:
    try:
        message = Message(args["message"])
        reply = Reply(text, message.session_id, message.id)
    except (KeyError, TypeError, AttributeError):
        raise BadResult(
            f"{component.name} returned a text, and the event {shown(args.get('event_type', ''))} has no message that"
            " it could answer; use self.ctx.send.text(text, session_id)"
        ) from None
    return reply if text else None


def _hook_answer(component: Component, args: dict[str, Any], result: Any) -> Answer:
    if result is None:
        return Answer(SILENT[ComponentType.HOOK_HANDLER])
    if type(result) is not HookOutcome:
        raise BadResult(
            f"{component.name} returned {type(result).__name__} {shown(result)}: a hook handler returns None,"
            ' HookOutcome.abort("why") or HookOutcome.change(message=…)'
        )
    if result.aborts:
        return Answer(_hook(action="abort", custom_result=result.result))
    if result.changes is None:
        return Answer(_hook(custom_result=result.result))
    # The host replaces all arguments by these, so those that the handler did not name have to be among them.
    changed = {key: value for key, value in args.items() if key != "hook_name"}
    for key, value in result.changes.items():
        changed[key] = value.raw if type(value) is Message else value
    return Answer(_hook(modified_kwargs=changed, custom_result=result.result))


def _hook(
    *,
    success: bool = True,
    action: str = "continue",
    modified_kwargs: dict[str, Any] | None = None,
    custom_result: Any = None,
    error_message: str = "",
) -> dict[str, Any]:
    return {
        "success": success,
        "action": action,
        "modified_kwargs": modified_kwargs,
        "custom_result": custom_result,
        "error_message": error_message,
    }


ANSWERS: dict[ComponentType, Callable[[Component, dict[str, Any], Any], Answer]] = {
    ComponentType.COMMAND: _command_answer,
    ComponentType.EVENT_HANDLER: _event_answer,
    ComponentType.HOOK_HANDLER: _hook_answer,
    ComponentType.TOOL: _result_answer,
    ComponentType.ACTION: _result_answer,
    ComponentType.API: _result_answer,
    ComponentType.MESSAGE_GATEWAY: _result_answer,
    ComponentType.LLM_PROVIDER: _result_answer,
}
"""``answer(component, arguments of the call, result)`` for each type."""
