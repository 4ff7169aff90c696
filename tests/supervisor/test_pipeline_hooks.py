"""Do hooks stop and change what passes the pipeline, and only what they may?"""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock

from rookery.protocol import with_text
from rookery.supervisor.hook_catalogue import (
    CHAT_AFTER_PROCESS,
    CHAT_BEFORE_PROCESS,
    COMMAND_AFTER_EXECUTE,
    COMMAND_BEFORE_EXECUTE,
)
from tests.doubles.bots import open_bot
from tests.doubles.stage import said


def _changes(**kwargs: Any) -> dict[str, Any]:
    return {"success": True, "modified_kwargs": kwargs}


ABORT = {"success": True, "action": "abort"}


# --- the hook before ---------------------------------------------------------------------------------------------------


async def test_an_abort_stops_everything_but_the_store(autojump_clock: MockClock) -> None:
    """No command, no event, no reply; it is counted."""
    async with open_bot() as bot:
        bot.stage.hook("p.a", "guard", ABORT, hook=CHAT_BEFORE_PROCESS)
        bot.command("p.b", "roll", said("rolled"))
        bot.stage.watcher("p.c", "sees")

        bot.hear("!roll")
        await bot.settle()

        assert bot.heard == ["p.a.guard"]
        assert bot.stage.counters.aborted == 1
        assert (len(bot.store.saved), bot.replies) == (1, [])


async def test_a_message_that_nobody_could_be_asked_about_may_come_again(autojump_clock: MockClock) -> None:
    """A guard that fails closed because it was away has not decided anything: a repeat is no repeat."""
    async with open_bot() as bot:
        answers = iter([None, ABORT])
        bot.stage.hook(
            "p.a", "guard", lambda _: next(answers), hook=CHAT_BEFORE_PROCESS, error_policy="abort"
        )
        bot.stage.watcher("p.c", "sees")
        bot.hear("hi", message_id="m1")
        await bot.settle()
        before = bot.heard.copy()

        bot.hear("hi", message_id="m1")
        await bot.settle()
        bot.hear("hi", message_id="m1")
        await bot.settle()

        assert before == ["p.a.guard"]
        assert bot.heard == ["p.a.guard", "p.a.guard"]
        assert (bot.stage.counters.accepted, bot.stage.counters.deduplicated) == (2, 1)


async def test_a_changed_message_is_what_everybody_gets(autojump_clock: MockClock) -> None:
    """Commands too: a hook may make one of a text. Where it came from stays."""
    async with open_bot() as bot:

        def translates(args: dict[str, Any]) -> Any:
            changed = with_text(args["message"], "!roll 2")
            return _changes(
                message={**changed, "session_id": "test:group:vip", "message_id": "x", "platform": "y"}
            )

        bot.stage.hook("p.a", "translates", translates, hook=CHAT_BEFORE_PROCESS)
        bot.command("p.b", "roll", lambda args: said(f"rolled {args['args']}"))
        bot.stage.watcher("p.c", "sees")

        message_id = bot.hear("wuerfle 2")
        await bot.settle()

        seen = bot.stage.args_of("p.c.sees")[0]["message"]
        assert (seen["processed_plain_text"], seen["is_command"]) == ("!roll 2", True)
        assert (seen["session_id"], seen["message_id"], seen["platform"]) == (
            "test:private:u1",
            message_id,
            "test",
        )
        assert bot.texts == ["rolled 2"]
        assert bot.store.saved[0][2]["processed_plain_text"] == "wuerfle 2"


@pytest.mark.parametrize("nonsense", [None, "text", {}, {"message_id": "m"}])
async def test_nonsense_of_a_hook_is_ignored(autojump_clock: MockClock, nonsense: Any) -> None:
    """It is that plugin's error; the message passes as it was."""
    async with open_bot() as bot:
        bot.stage.hook("p.a", "odd", _changes(message=nonsense), hook=CHAT_BEFORE_PROCESS)
        bot.stage.watcher("p.b", "sees")

        bot.hear("hello")
        await bot.settle()

        assert bot.stage.args_of("p.b.sees")[0]["message"]["processed_plain_text"] == "hello"
        assert bot.stage.counters.errors == 1


# --- hooks of commands -------------------------------------------------------------------------------------------------


async def test_a_command_that_a_hook_aborts_is_not_run(autojump_clock: MockClock) -> None:
    """The message goes on as an event."""
    async with open_bot() as bot:
        bot.stage.hook("p.a", "forbids", ABORT, hook=COMMAND_BEFORE_EXECUTE)
        bot.command("p.b", "roll", said("rolled"))
        bot.stage.watcher("p.c", "sees")

        bot.hear("!roll")
        await bot.settle()

        assert bot.heard == ["p.a.forbids", "p.c.sees"]
        (args,) = bot.stage.args_of("p.a.forbids")
        assert (args["command_name"], args["plugin_id"]) == ("roll", "p.b")
        assert bot.replies == []


async def test_a_hook_may_change_the_answer_of_a_command(autojump_clock: MockClock) -> None:
    """A text that is none is ignored."""
    async with open_bot() as bot:
        bot.stage.hook(
            "p.a",
            "louder",
            lambda args: _changes(response=args["response"] + "!"),
            hook=COMMAND_AFTER_EXECUTE,
        )
        bot.stage.hook("p.b", "odd", _changes(success=False), hook=COMMAND_AFTER_EXECUTE)
        bot.command("p.c", "roll", said("rolled"))

        bot.hear("!roll")
        await bot.settle()

        assert bot.texts == ["rolled!"]


@pytest.mark.parametrize("response", [None, 7, {"text": "x"}])
async def test_an_answer_that_a_hook_spoils_is_said_as_it_was(
    autojump_clock: MockClock, response: Any
) -> None:
    """Only a text can be said."""
    async with open_bot() as bot:
        bot.stage.hook("p.a", "odd", _changes(response=response), hook=COMMAND_AFTER_EXECUTE)
        bot.command("p.c", "roll", said("rolled"))

        bot.hear("!roll")
        await bot.settle()

        assert bot.texts == ["rolled"]


async def test_the_hook_after_knows_whether_it_is_a_command_and_may_drop_it(
    autojump_clock: MockClock,
) -> None:
    """Nobody has been called yet: neither the command nor the event comes of what it aborts."""
    async with open_bot() as bot:
        bot.stage.hook("p.a", "guard", ABORT, hook=CHAT_AFTER_PROCESS)
        bot.command("p.b", "roll", said("rolled"))
        bot.stage.watcher("p.c", "sees")

        bot.hear("!roll")
        await bot.settle()

        assert bot.heard == ["p.a.guard"]
        assert bot.stage.args_of("p.a.guard")[0]["message"]["is_command"] is True
        assert (bot.stage.counters.aborted, bot.replies) == (1, [])


async def test_the_hook_after_may_make_a_command_of_a_text_and_a_text_of_a_command(
    autojump_clock: MockClock,
) -> None:
    """What it leaves is looked at again."""
    async with open_bot() as bot:

        def swaps(args: dict[str, Any]) -> Any:
            text = args["message"]["processed_plain_text"]
            return _changes(message=with_text(args["message"], "hello" if text == "!roll" else "!roll"))

        bot.stage.hook("p.a", "swaps", swaps, hook=CHAT_AFTER_PROCESS)
        bot.command("p.b", "roll", said("rolled"))
        bot.stage.watcher("p.c", "sees")

        bot.hear("!roll")
        bot.hear("hello")
        await bot.settle()

        seen = [args["message"] for args in bot.stage.args_of("p.c.sees")]
        assert [(each["processed_plain_text"], each["is_command"]) for each in seen] == [
            ("hello", False),
            ("!roll", True),
        ]
        assert bot.texts == ["rolled"]


async def test_the_hook_before_a_command_changes_what_the_command_gets(autojump_clock: MockClock) -> None:
    """Its message and its groups; the event keeps the message as it was, and whose command it is stays."""
    async with open_bot() as bot:

        def changes(args: dict[str, Any]) -> Any:
            return _changes(
                message=with_text(args["message"], "changed"), matched_groups={"n": "2"}, command_name="x"
            )

        bot.stage.hook("p.a", "changes", changes, hook=COMMAND_BEFORE_EXECUTE)
        bot.command("p.b", "roll", said("rolled"))
        bot.stage.watcher("p.c", "sees")

        bot.hear("!roll 1")
        await bot.settle()

        (got,) = bot.stage.args_of("p.b.roll")
        assert (got["text"], got["matched_groups"], got["args"]) == ("changed", {"n": "2"}, "1")
        assert bot.stage.args_of("p.c.sees")[0]["message"]["processed_plain_text"] == "!roll 1"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param(said("text"), (True, "text", False, True), id="a text"),
        pytest.param(
            said([True, "text", 1]), (True, "text", True, False), id="it wants the message to end here"
        ),
        pytest.param(said([True, "text"]), (True, "text", False, True), id="it says nothing of that"),
        pytest.param({"success": False}, (False, "roll did not work.", True, False), id="it failed"),
    ],
)
async def test_the_hook_after_a_command_is_told_how_it_went(
    autojump_clock: MockClock, answer: Any, told: tuple[Any, ...]
) -> None:
    """Whether it did, what is to be said, and whether the message should go further."""
    async with open_bot() as bot:
        bot.stage.hook("p.a", "sees", {}, hook=COMMAND_AFTER_EXECUTE, mode="observe")
        bot.command("p.b", "roll", answer)

        bot.hear("!roll")
        await bot.settle()

        (args,) = bot.stage.args_of("p.a.sees")
        names = ("success", "response", "intercept_message_level", "continue_process")
        assert tuple(args[name] for name in names) == told


# --- the event before --------------------------------------------------------------------------------------------------


async def test_the_early_event_may_stop_and_change_a_message(autojump_clock: MockClock) -> None:
    """What it stops is no command and no event; what it changes is what everybody gets."""
    async with open_bot() as bot:

        def early(args: dict[str, Any]) -> Any:
            text = args["message"]["processed_plain_text"]
            if text == "spam":
                return {"continue_processing": False}
            return {"modified_message": with_text(args["message"], "!roll")}

        bot.stage.interceptor("p.a", "early", early, event_type="on_message_pre_process")
        bot.stage.watcher("p.a", "watches", event_type="on_message_pre_process")
        bot.command("p.b", "roll", said("rolled"))
        bot.stage.watcher("p.c", "sees")

        bot.hear("spam")
        bot.hear("please roll")
        await bot.settle()

        assert sorted(bot.heard) == ["p.a.early", "p.a.early", "p.a.watches", "p.b.roll", "p.c.sees"]
        assert (bot.texts, bot.stage.counters.aborted) == (["rolled"], 1)
