"""Do hooks stop and change what passes the pipeline, and only what they may?"""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from rookery.protocol import with_text
from rookery.supervisor.hook_specs import (
    CHAT_AFTER_PROCESS,
    CHAT_BEFORE_PROCESS,
    COMMAND_AFTER_EXECUTE,
    COMMAND_BEFORE_EXECUTE,
)
from tests.doubles.bots import open_bot
from tests.doubles.fake_links import Late
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


async def test_the_hook_after_sees_what_interceptors_left(autojump_clock: MockClock) -> None:
    """And keeps the message in flight until it has ended."""
    async with open_bot() as bot:
        bot.stage.interceptor(
            "p.a", "changes", lambda args: {"modified_message": with_text(args["message"], "new")}
        )
        bot.stage.hook("p.b", "after", Late(2.0, {}), hook=CHAT_AFTER_PROCESS)

        bot.hear("old")
        await trio.sleep(1)
        during = bot.inbox.in_flight
        await bot.settle()

        assert during == 1
        assert bot.stage.args_of("p.b.after")[0]["message"]["processed_plain_text"] == "new"
        assert trio.current_time() == pytest.approx(2.0)
