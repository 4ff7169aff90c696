"""What does the bot do with a message, when nobody says otherwise?

store → hook ``chat.receive.before_process`` → event ``on_message_pre_process`` → is it a command? → hook
``chat.receive.after_process`` → command → event ``on_message`` → replies. Every message is an event, commands too
(``is_command`` is then true): a plugin that counts messages counts them all. The command is queued first, so that it answers
for the messages before it.
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
from .event_names import ON_MESSAGE, ON_MESSAGE_PRE_PROCESS
from .events import Events, Passing
from .fate import DispatchFailed
from .hook_catalogue import (
    CHAT_AFTER_PROCESS,
    CHAT_BEFORE_PROCESS,
    COMMAND_AFTER_EXECUTE,
    COMMAND_BEFORE_EXECUTE,
)
from .hooks import HookResult, Hooks
from .registry import Registry
from .speech import Speech
from .store import Store
from .toolbox import read_command_result

if TYPE_CHECKING:
    from .call import Outcome
    from .commands import CommandMatch
    from .component import Component
    from .platform.passage import Passage


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
        self._ask_hook(CHAT_BEFORE_PROCESS, passage, self._show_early)

    def start(self, passage: Passage) -> None:
        """Queue the command, if it is one, and then ask those who may change the event."""
        match: CommandMatch | None = passage.note
        if match is None:
            self._intercept(passage)
        elif not self.hooks.has_handlers(COMMAND_BEFORE_EXECUTE):
            self._call_command(passage, match, passage.message)
            self._intercept(passage)
        else:

            def asked(result: HookResult) -> None:
                if not result.aborted:
                    message, groups = passage.message, result.kwargs["matched_groups"]
                    if result.kwargs["message"] is not message:
                        message = self._changed(message, result.kwargs["message"])
                    if groups is not match.groups and type(groups) is dict:
                        self._call_command(passage, attrs.evolve(match, groups=groups), message)
                    else:
                        self._call_command(passage, match, message)
                self._intercept(passage)

            self.hooks.start(COMMAND_BEFORE_EXECUTE, _described(match, passage.message), asked)

    def finish(self, passage: Passage) -> None:
        """Show the event to everybody else."""
        result = self.events.show(passage.note, lambda _: passage.release())
        passage.hold(result.observers)

    def _ask_hook(self, name: str, passage: Passage, go_on: Callable[[Passage], None]) -> None:
        """Those of a hook may change a message and drop it."""
        message = passage.message
        if not self.hooks.has_handlers(name):
            go_on(passage)
            return

        def asked(result: HookResult) -> None:
            if result.aborted:
                if result.stopped_by in result.skipped:
                    passage.fail()  # nobody decided that: the one who has to was not there
                self._drop(passage)
                return
            if result.kwargs["message"] is not message:
                passage.message = self._changed(message, result.kwargs["message"])
            go_on(passage)

        self.hooks.start(name, {"message": message}, asked, key=message["session_id"])

    def _drop(self, passage: Passage) -> None:
        self.counters.aborted += 1
        passage.prepared(goes_on=False)

    def _show_early(self, passage: Passage) -> None:
        if not self.events.has_handlers(ON_MESSAGE_PRE_PROCESS):
            self._look_for_command(passage)
            return

        def intercepted(passing: Passing) -> None:
            result = self.events.show(passing, lambda _: passage.release())
            passage.hold(result.observers)
            if result.message is not None and result.message is not passage.message:
                passage.message = self._changed(passage.message, result.message)
            if result.continues:
                self._look_for_command(passage)
            else:
                self._drop(passage)

        self.events.start(ON_MESSAGE_PRE_PROCESS, passage.message, None, intercepted)

    def _look_for_command(self, passage: Passage) -> None:
        self._match(passage)
        message = passage.message

        def prepared(passage: Passage) -> None:
            if passage.message is not message:
                self._match(passage)
            passage.prepared(goes_on=True, waits=passage.note is not None)

        self._ask_hook(CHAT_AFTER_PROCESS, passage, prepared)

    def _match(self, passage: Passage) -> None:
        message = passage.message
        passage.note = self.registry.commands.match(message_text(message), _serves(message))
        message["is_command"] = passage.note is not None

    def _intercept(self, passage: Passage) -> None:
        def intercepted(passing: Passing) -> None:
            passage.note = passing
            passage.ready()

        self.events.start(ON_MESSAGE, passage.message, None, intercepted)

    def _call_command(self, passage: Passage, match: CommandMatch, message: MessageMap) -> None:
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
            succeeded, text, intercepts = _reading(match, outcome)
            if self.hooks.has_handlers(COMMAND_AFTER_EXECUTE):
                result = await self.hooks.invoke(
                    COMMAND_AFTER_EXECUTE,
                    **_described(match, message),
                    success=succeeded,
                    response=text,
                    intercept_message_level=intercepts,
                    continue_process=not intercepts,
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


def _reading(match: CommandMatch, outcome: Outcome) -> tuple[bool, str, bool]:
    """Whether a command went well, what is to be said, and whether it wants the message to go no further.

    The last is told to hooks and changes nothing here: a message that calls a command is an event like any other.
    """
    if isinstance(outcome, DispatchFailed):
        # Silence is what users complain about most; what went wrong inside is not for a chat.
        return False, f"{match.command.name} gave no answer ({outcome.fate.value}).", True
    if outcome.get("success") is False:
        return False, f"{match.command.name} did not work.", True
    result = read_command_result(match, outcome)
    return True, result.text, result.intercepts
