"""What does the bot do with a message, when nobody says otherwise?

store → hook ``chat.receive.before_process`` → command → event ``on_message`` → replies. Every message is an event,
commands too (``is_command`` is then true): a plugin that counts messages counts them all. The command is queued first,
so that it answers for the messages before it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs
import trio

from rookery.protocol import (
    PLUGIN_INVOKE_COMMAND,
    BadPayload,
    MessageMap,
    group_of,
    message_text,
    user_of,
    validate_message,
)

from .counters import Counters
from .dispatch import Dispatcher
from .events import Events
from .fate import DispatchFailed
from .hook_specs import (
    CHAT_AFTER_PROCESS,
    CHAT_BEFORE_PROCESS,
    COMMAND_AFTER_EXECUTE,
    COMMAND_BEFORE_EXECUTE,
)
from .hooks import Hooks
from .registry import Registry
from .speech import Speech
from .store import Store

if TYPE_CHECKING:
    from .call import Outcome
    from .commands import CommandMatch
    from .component import Component
    from .platform.inbox import Passage

ON_MESSAGE = "on_message"


@attrs.frozen(kw_only=True, eq=False)
class Pipeline:
    """The default flow of a message through the bot."""

    registry: Registry
    dispatcher: Dispatcher
    hooks: Hooks
    events: Events
    speech: Speech
    store: Store
    counters: Counters
    timeout: float
    """Seconds for a command that names none."""
    start_soon: Callable[..., None]
    """Runs what goes on beside the message, in a nursery that outlives it."""

    async def process(self, passage: Passage) -> None:
        """Take one message as far as its calls are queued."""
        inbound = passage.inbound
        message: MessageMap = inbound.message
        self.store.save_message_nowait(message, inbound.session_id, direction="in")
        if self.hooks.has_handlers(CHAT_BEFORE_PROCESS):
            result = await self.hooks.invoke(CHAT_BEFORE_PROCESS, message=message)
            if result.aborted:
                self.counters.aborted += 1
                return
            if result.kwargs["message"] is not message:
                message = self._changed(message, result.kwargs["message"])
        serves = _serves(message)
        match = self.registry.commands.match(message_text(message), serves)
        message["is_command"] = match is not None
        if match is not None:
            await self._command(passage, message, match)
        result_of_event = await self.events.dispatch(
            ON_MESSAGE, message, serves=serves, on_observer_settled=lambda _: passage.release()
        )
        passage.hold(result_of_event.observers)
        if self.hooks.has_handlers(CHAT_AFTER_PROCESS):
            await self.hooks.invoke(CHAT_AFTER_PROCESS, message=result_of_event.message)

    async def _command(self, passage: Passage, message: MessageMap, match: CommandMatch) -> None:
        command = match.command
        if self.hooks.has_handlers(COMMAND_BEFORE_EXECUTE):
            result = await self.hooks.invoke(COMMAND_BEFORE_EXECUTE, **_described(match, message))
            if result.aborted:
                return
        args = {
            **_arguments(message),
            "args": match.args,
            "matched_groups": match.groups,
        }

        def settled(outcome: Outcome) -> None:
            self.start_soon(self._answer, passage, message, match, outcome)

        passage.hold()
        seconds = command.timeout or self.timeout
        self.dispatcher.submit(
            command,
            PLUGIN_INVOKE_COMMAND,
            args,
            settled,
            deadline=trio.current_time() + seconds,
            key=message["session_id"],
        )

    async def _answer(
        self, passage: Passage, message: MessageMap, match: CommandMatch, outcome: Outcome
    ) -> None:
        try:
            succeeded, text = _reading(match, outcome)
            if self.hooks.has_handlers(COMMAND_AFTER_EXECUTE):
                result = await self.hooks.invoke(
                    COMMAND_AFTER_EXECUTE, **_described(match, message), success=succeeded, response=text
                )
                response = result.kwargs.get("response")
                text = response if isinstance(response, str) else text
            if text:
                await self.speech.say(
                    message["session_id"],
                    text,
                    plugin_id=match.command.plugin_id,
                    reply_to=message["message_id"],
                )
        finally:
            passage.release()

    def _changed(self, message: MessageMap, changed: object) -> MessageMap:
        """What a hook made of a message; who and where it came from stays as the host knows it."""
        try:
            validate_message(changed)
        except BadPayload:
            self.counters.errors += 1
            return message
        kept = {name: message[name] for name in ("message_id", "platform", "session_id")}
        return {**changed, **kept} if isinstance(changed, dict) else message


def _serves(message: MessageMap) -> Callable[[Component], bool]:
    session_id, group_id, platform = message["session_id"], group_of(message), message["platform"]

    def serves(component: Component) -> bool:
        return component.serves(session_id=session_id, group_id=group_id, platform=platform)

    return serves


def _arguments(message: MessageMap) -> dict[str, Any]:
    return {
        "text": message_text(message),
        "message": message,
        "stream_id": message["session_id"],
        "group_id": group_of(message) or "",
        "platform": message["platform"],
        "user_id": user_of(message)[0],
        "is_local_operator": False,
    }


def _described(match: CommandMatch, message: MessageMap) -> dict[str, Any]:
    return {
        "message": message,
        "command_name": match.command.name,
        "plugin_id": match.command.plugin_id,
        "matched_groups": match.groups,
    }


def _reading(match: CommandMatch, outcome: Outcome) -> tuple[bool, str]:
    """Whether a command went well, and what is to be said."""
    if isinstance(outcome, DispatchFailed):
        # Silence is what users complain about most; what went wrong inside is not for a chat.
        return False, f"{match.command.name} gave no answer ({outcome.fate.value})."
    if outcome.get("success") is False:
        return False, f"{match.command.name} did not work."
    result = outcome.get("result")
    if isinstance(result, list) and len(result) >= 2:
        # The original's form: success, text, and whether the message goes no further.
        result = result[1]
    return True, result if isinstance(result, str) else ""
