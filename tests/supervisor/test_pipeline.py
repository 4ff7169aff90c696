"""Does a message pass the default pipeline as it should: stored, hooked, answered, shown, in this order?"""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from rookery.protocol import ErrorCode, RemoteError
from tests.doubles.bots import open_bot
from tests.doubles.fake_links import Late
from tests.doubles.stage import said

# --- events ------------------------------------------------------------------------------------------------------------


async def test_a_message_is_stored_and_shown_to_everybody(autojump_clock: MockClock) -> None:
    """As it came in, and then with the word whether it is a command."""
    async with open_bot() as bot:
        bot.stage.watcher("p.a", "sees")
        bot.stage.watcher("p.b", "sees")

        bot.hear("hello", group="g")
        await bot.settle()

        assert bot.heard == ["p.a.sees", "p.b.sees"]
        (args,) = bot.stage.args_of("p.a.sees")
        assert (args["event_type"], args["message"]["is_command"]) == ("on_message", False)
        assert [(way, session) for way, session, _ in bot.store.saved] == [("in", "test:group:g")]
        assert (bot.stage.counters.accepted, bot.stage.counters.events) == (1, 1)
        assert bot.replies == []


async def test_a_stopped_event_reaches_nobody_else(autojump_clock: MockClock) -> None:
    """And the message is done all the same."""
    async with open_bot() as bot:
        bot.stage.interceptor("p.a", "stops", {"continue_processing": False})
        bot.stage.watcher("p.b", "sees")

        bot.hear("hello")
        await bot.settle()

        assert bot.heard == ["p.a.stops"]
        assert bot.inbox.in_flight == 0


async def test_handlers_of_other_chats_are_not_asked(autojump_clock: MockClock) -> None:
    """The scope that a component declares holds for events and commands."""
    async with open_bot() as bot:
        bot.stage.offer("event", "p.a", "group", {}, event_type="on_message", chat_scope="group")
        bot.stage.offer("event", "p.b", "private", {}, event_type="on_message", chat_scope="private")
        bot.command("p.c", "roll", said("rolled"), chat_scope="group")

        bot.hear("!roll", group="g")
        bot.hear("!roll")
        await bot.settle()

        assert bot.heard == ["p.c.roll", "p.a.group", "p.b.private"]
        assert bot.texts == ["rolled"]


async def test_a_message_is_in_flight_until_its_watchers_have_ended(autojump_clock: MockClock) -> None:
    """That is what the gateway's back-pressure and the end of the host go by."""
    async with open_bot() as bot:
        bot.stage.watcher("p.a", "slow", Late(4.0, {}))
        bot.hear("hello")

        await trio.sleep(1)
        during = bot.inbox.in_flight
        await bot.settle()

        assert during == 1
        assert trio.current_time() == pytest.approx(4.0)


# --- commands ----------------------------------------------------------------------------------------------------------


async def test_a_command_is_answered_as_a_reply_in_its_plugins_name(autojump_clock: MockClock) -> None:
    """It is told everything about the message, and what it returns is said."""
    async with open_bot() as bot:
        bot.command("p.a", "roll", lambda args: said(f"rolled {args['args']}"))

        message_id = bot.hear("!roll 2d6", user="u7", group="g")
        await bot.settle()

        (args,) = bot.stage.args_of("p.a.roll")
        expected = {
            "text": "!roll 2d6",
            "args": "2d6",
            "matched_groups": {},
            "stream_id": "test:group:g",
            "group_id": "g",
            "platform": "test",
            "user_id": "u7",
            "is_local_operator": False,
        }
        assert {name: args[name] for name in expected} == expected
        assert args["message"]["message_id"] == message_id
        (reply,) = bot.replies
        assert (reply["processed_plain_text"], reply["reply_to"]) == ("rolled 2d6", message_id)
        assert reply["session_id"] == "test:group:g"
        assert reply["message_info"]["additional_config"]["plugin_id"] == "p.a"
        assert [way for way, _, _ in bot.store.saved] == ["in", "out"]
        assert bot.stage.counters.replies == 1


@pytest.mark.parametrize("intercepts", [False, True])
async def test_a_command_is_queued_before_the_event_of_its_message(
    autojump_clock: MockClock, intercepts: bool
) -> None:
    """A plugin that counts messages and tells the count tells it for those before the command."""
    async with open_bot() as bot:
        count = 0

        def counts(_: dict[str, Any]) -> Any:
            nonlocal count
            count += 1
            return Late(0.3, {})

        bot.stage.watcher("p.a", "counts", counts, intercept_message=intercepts)
        bot.command("p.a", "stats", lambda _: said(str(count)))

        for text in ("one", "two", "!stats", "three", "!stats"):
            bot.hear(text, group="g")
        await bot.settle()

        assert bot.texts == ["2", "4"]


@pytest.mark.parametrize("intercepts", [False, True])
async def test_a_command_answers_for_what_came_before_although_it_is_under_way(
    autojump_clock: MockClock, intercepts: bool
) -> None:
    """Also when another plugin holds up the event of the message before."""
    async with open_bot() as bot:
        seen: list[str] = []

        def sees(args: dict[str, Any]) -> Any:
            seen.append(args["message"]["processed_plain_text"])
            return {}

        if intercepts:
            bot.stage.interceptor("p.z", "slow", Late(2.0, {}), weight=5)
        bot.stage.watcher("p.a", "sees", sees)
        bot.command("p.a", "seen", lambda _: said(",".join(seen)))

        for text in ("one", "two", "!seen"):
            bot.hear(text)
        await bot.settle()

        assert bot.texts == ["one,two"]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        pytest.param(
            {"success": False, "result": "ZeroDivisionError: secret"}, "roll did not work.", id="it raised"
        ),
        pytest.param(
            RemoteError(ErrorCode.E_UNKNOWN, "secret"), "roll gave no answer (handler error).", id="refused"
        ),
        pytest.param(None, "roll gave no answer (timeout).", id="it hangs"),
    ],
)
async def test_a_command_that_failed_says_so(autojump_clock: MockClock, answer: Any, text: str) -> None:
    """Silence is what users complain about most; what went wrong inside is not for a chat."""
    async with open_bot() as bot:
        bot.command("p.a", "roll", answer, timeout_ms=1000)

        bot.hear("!roll")
        await bot.settle()

        assert bot.texts == [text]
        assert bot.inbox.in_flight == 0


async def test_a_command_whose_runner_dies_says_so(autojump_clock: MockClock) -> None:
    """At once, and the bot goes on."""
    async with open_bot() as bot:
        bot.command("p.a", "roll")
        bot.hear("!roll")

        bot.stage.lose("one")
        await bot.settle()

        assert bot.texts == ["roll gave no answer (runner lost)."]
        assert trio.current_time() == 0.0


@pytest.mark.parametrize(
    ("result", "texts"),
    [
        (None, []),
        ("", []),
        ("text", ["text"]),
        ([True, "text", False], ["text"]),
        ([True, None], []),
        ({"a": 1}, []),
        (7, []),
    ],
)
async def test_what_a_command_may_return(autojump_clock: MockClock, result: Any, texts: list[str]) -> None:
    """A text, nothing, or the original's three values."""
    async with open_bot() as bot:
        bot.command("p.a", "roll", said(result))

        bot.hear("!roll")
        await bot.settle()

        assert bot.texts == texts


async def test_an_unknown_command_is_a_message(autojump_clock: MockClock) -> None:
    """Somebody may only be shouting."""
    async with open_bot() as bot:
        bot.stage.watcher("p.a", "sees")

        bot.hear("!what")
        await bot.settle()

        assert bot.stage.args_of("p.a.sees")[0]["message"]["is_command"] is False
        assert bot.replies == []


async def test_replies_of_one_chat_keep_their_order(autojump_clock: MockClock) -> None:
    """A slow command of one plugin, a quick one of the same: in the order of the chat."""
    async with open_bot() as bot:
        bot.command("p.a", "slow", Late(2.0, said("slow")))
        bot.command("p.a", "quick", said("quick"))

        bot.hear("!slow")
        bot.hear("!quick")
        await bot.settle()

        assert bot.texts == ["slow", "quick"]


# --- load --------------------------------------------------------------------------------------------------------------


async def test_five_hundred_messages_at_once_are_all_answered(autojump_clock: MockClock) -> None:
    """Over twenty chats, more than may be in flight: each is answered once, each chat in its order."""
    async with open_bot(max_inflight=64) as bot:
        bot.stage.watcher("p.a", "sees", Late(0.01, {}))
        bot.command("p.b", "echo", lambda args: Late(0.01, said(args["args"])))

        for number in range(500):
            bot.hear(f"!echo {number}", group=f"g{number % 20}")
        await bot.settle()

        assert sorted(int(text) for text in bot.texts) == list(range(500))
        for group in range(20):
            own = [
                int(each["processed_plain_text"])
                for each in bot.replies
                if each["session_id"].endswith(f":g{group}")
            ]
            assert own == sorted(own)
        counters = bot.stage.counters
        assert (counters.accepted, counters.replies, counters.errors, counters.lost) == (500, 500, 0, 0)
        assert counters.latencies.count == 500


async def test_a_chat_that_is_stuck_delays_no_other(autojump_clock: MockClock) -> None:
    """A handler that hangs in one chat holds up that chat only."""
    async with open_bot() as bot:

        def hangs(args: dict[str, Any]) -> Any:
            return None if args["stream_id"].endswith(":stuck") else said("well")

        bot.command("p.a", "ping", hangs)
        for _ in range(10):
            bot.hear("!ping", group="stuck")
        bot.hear("!ping", group="free")

        await trio.sleep(1)

        assert [reply["session_id"] for reply in bot.replies] == ["test:group:free"]
        await bot.settle()
