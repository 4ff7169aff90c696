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
from .events import Events, Passing
from .fate import DispatchFailed
from .hook_specs import (
    CHAT_AFTER_PROCESS,
    CHAT_BEFORE_PROCESS,
    COMMAND_AFTER_EXECUTE,
    COMMAND_BEFORE_EXECUTE,
)
from .hooks import HookResult, Hooks
from .registry import Registry
from .speech import Speech
from .store import Store

if TYPE_CHECKING:
    from .call import Outcome
    from .commands import CommandMatch
    from .component import Component
    from .platform.passage import Passage

ON_MESSAGE = "on_message"


@attrs.frozen(kw_only=True, eq=False)
class Pipeline:
    """The default flow of a message through the bot; see `platform/passage.py` for the order of the steps."""

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

    def prepare(self, passage: Passage) -> None:
        """Store a message and ask those who may stop or change it."""
        message = passage.message
        self.store.save_message_nowait(message, message["session_id"], direction="in")
        if not self.hooks.has_handlers(CHAT_BEFORE_PROCESS):
            self._look_for_command(passage)
            return

        def asked(result: HookResult) -> None:
            if result.aborted:
                self.counters.aborted += 1
                if result.stopped_by in result.skipped:
                    passage.fail()  # nobody decided that: the one who has to was not there
                passage.prepared(goes_on=False)
                return
            if result.kwargs["message"] is not message:
                passage.message = self._changed(message, result.kwargs["message"])
            self._look_for_command(passage)

        self.hooks.start(CHAT_BEFORE_PROCESS, {"message": message}, asked, key=message["session_id"])

    def start(self, passage: Passage) -> None:
        """Queue the command, if it is one, and then ask those who may change the event."""
        match: CommandMatch | None = passage.note
        if match is None:
            self._intercept(passage)
        elif not self.hooks.has_handlers(COMMAND_BEFORE_EXECUTE):
            self._call_command(passage, match)
            self._intercept(passage)
        else:

            def asked(result: HookResult) -> None:
                if not result.aborted:
                    self._call_command(passage, match)
                self._intercept(passage)

            self.hooks.start(COMMAND_BEFORE_EXECUTE, _described(match, passage.message), asked)

    def finish(self, passage: Passage) -> None:
        """Show the event to everybody else."""
        result = self.events.show(passage.note, lambda _: passage.release())
        passage.hold(result.observers)
        if self.hooks.has_handlers(CHAT_AFTER_PROCESS):
            passage.hold()
            self.hooks.start(CHAT_AFTER_PROCESS, {"message": result.message}, lambda _: passage.release())

    def _look_for_command(self, passage: Passage) -> None:
        message = passage.message
        match = self.registry.commands.match(message_text(message), _serves(message))
        message["is_command"] = match is not None
        passage.note = match
        passage.prepared(goes_on=True, waits=match is not None)

    def _intercept(self, passage: Passage) -> None:
        def intercepted(passing: Passing) -> None:
            passage.note = passing
            passage.ready()

        self.events.start(ON_MESSAGE, passage.message, None, intercepted)

    def _call_command(self, passage: Passage, match: CommandMatch) -> None:
        message = passage.message

        def settled(outcome: Outcome) -> None:
            self.start_soon(self._answer, passage, message, match, outcome)

        passage.hold()
        self.dispatcher.submit(
            match.command,
            PLUGIN_INVOKE_COMMAND,
            {**_arguments(message), "args": match.args, "matched_groups": match.groups},
            settled,
            deadline=trio.current_time() + (match.command.timeout or self.timeout),
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
