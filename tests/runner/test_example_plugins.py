"""Every example plugin does what its first line says."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import trio

from rookery.runner.testing import run_plugin

PLUGINS = Path(__file__).parents[2] / "examples" / "chatbot" / "plugins"


async def test_dice_fall_the_same_for_the_same_message() -> None:
    """The luck hangs on the message; what is no roll is explained."""
    async with run_plugin(PLUGINS / "dice", config={"seed": "x", "max_dice": 3}) as plugin:
        message = plugin.message("!roll 2d6")
        first = await plugin.command("roll", "2d6", message=message)
        again = await plugin.command("roll", "2d6", message=message)
        one = await plugin.command("roll")
        wrong = await plugin.command("roll", "two dice")
        many = await plugin.command("roll", "4d6")

    assert first == again
    assert first.startswith("2d6: ")
    assert one.startswith("1d6: ")
    assert wrong == "'two dice' is not a roll. Try !roll 2d6."
    assert many == "I have 1 to 3 dice, each with at least one side."


async def test_karma_is_counted_and_shown() -> None:
    """Votes in messages, each chat its own."""
    async with run_plugin(PLUGINS / "karma") as plugin:
        await plugin.event("on_message", "ann++ ann++ bob-- C++")
        ann = await plugin.command("karma", "Ann")
        elsewhere = await plugin.command("karma", "ann", chat="elsewhere")
        own = await plugin.command("karma", user="bob")

    assert (ann, elsewhere, own) == ("Ann has 2 karma.", "ann has 0 karma.", "bob has -1 karma.")


async def test_who_was_seen_is_remembered() -> None:
    """With the time of the message, not of the question."""
    async with run_plugin(PLUGINS / "seen") as plugin:
        await plugin.event("on_message", "hello", user="Ann", timestamp=0.0)
        seen = await plugin.command("seen", "ann")
        unseen = await plugin.command("seen", "bob")
        whom = await plugin.command("seen")

    assert seen == "Ann was here on 1970-01-01 at 00:00 UTC and said: hello"
    assert (unseen, whom) == ("I have not seen bob here.", "Whom? Try !seen NAME.")


async def test_messages_are_counted() -> None:
    """All of them, by person."""
    async with run_plugin(PLUGINS / "stats") as plugin:
        for user in ("ann", "bob", "ann"):
            await plugin.event("on_message", "hello", user=user)
        answer = await plugin.command("stats")

    assert answer == "3 messages from 2 people"


async def test_unwanted_words_go_no_further() -> None:
    """In any case, and only those that are configured."""
    async with run_plugin(PLUGINS / "wordfilter", config={"words": ["Pills"]}) as plugin:
        bad = await plugin.hook("chat.receive.before_process", message="buy PILLS")
        good = await plugin.hook("chat.receive.before_process", message="good morning")

    assert (bad.stopped, bad.reason, good.stopped) == (True, "unwanted word 'Pills'", False)


async def test_leet_becomes_words() -> None:
    """Later handlers read the translation; ordinary words stay."""
    async with run_plugin(PLUGINS / "translate_leet") as plugin:
        leet = await plugin.event("on_message", "h3ll0 world mp3")
        plain = await plugin.event("on_message", "hello")

    assert leet.message is not None
    assert plain.message is not None
    assert (leet.message.text, plain.message.text) == ("hello world mp3", "hello")


async def test_addresses_are_explained_in_a_thread() -> None:
    """The returned text is sent as the reply; at most as many as are configured."""
    text = "see https://example.org/a/report?x=1&y=2 and https://example.org"
    async with run_plugin(PLUGINS / "urlinfo", config={"most": 1}) as plugin:
        await plugin.event("on_message", text)
        await plugin.event("on_message", "nothing to see")

    assert [sent.text for sent in plugin.sent] == ["'report' on example.org, https, 2 fields"]


async def test_help_lists_the_commands_of_every_plugin() -> None:
    """Wherever they run; what is switched off is left out."""

    def component(description: str, *, enabled: bool = True, kind: str = "COMMAND") -> dict[str, Any]:
        return {"name": "x", "type": kind, "enabled": enabled, "metadata": {"description": description}}

    answer = {
        "plugins": {
            "a.b": {"components": [component("!z"), component("!off", enabled=False)]},
            "c.d": {"components": [component("!a"), component("no command", kind="TOOL")]},
        }
    }
    async with run_plugin(
        PLUGINS / "help", capabilities={"component.get_all_plugins": lambda: answer}
    ) as plugin:
        lines = await plugin.command("help")

    assert lines == "!a\n!z"


async def test_a_reminder_comes_in_its_time(autojump_clock: trio.testing.MockClock) -> None:
    """And is forgotten then."""
    async with run_plugin(PLUGINS / "remind") as plugin:
        answer = await plugin.command("remind", "5m tea")
        before = list(plugin.sent)
        await trio.sleep(301)
        left = plugin.database["reminders"]

    assert (answer, before, left) == ("I will remind you in 5 m.", [], {})
    assert [(sent.text, sent.session_id) for sent in plugin.sent] == [("ann: tea", "test:group:lobby")]


async def test_a_reminder_outlives_its_runner() -> None:
    """What waits in the database is said when the plugin is loaded again."""
    row = {"at": time.time() - 1, "session": "s", "name": "ann", "text": "tea"}
    kept = {"database.find_rows": lambda table: {"rows": [{**row, "key": "m1"}]}}

    async with run_plugin(PLUGINS / "remind", capabilities=kept) as plugin:
        await trio.testing.wait_all_tasks_blocked()

    assert [sent.text for sent in plugin.sent] == ["ann: tea"]


async def test_a_reminder_waits_for_its_gateway(autojump_clock: trio.testing.MockClock) -> None:
    """After a restart the chat may be back later than the plugin; late is better than never."""
    row = {"at": time.time() - 1, "session": "s", "name": "ann", "text": "tea"}
    answers = [{"success": False, "error": "no gateway"}, {"success": True}]
    asked: list[float] = []

    def send_text(text: str, stream_id: str) -> dict[str, object]:
        asked.append(trio.current_time())
        return answers.pop(0)

    services = {
        "database.find_rows": lambda table: {"rows": [{**row, "key": "m1"}]},
        "send.text": send_text,
    }

    async with run_plugin(PLUGINS / "remind", capabilities=services) as plugin:
        await trio.sleep(10)
        failures = list(plugin.failures)

    assert (asked, failures) == ([0.0, 2.0], [])


def test_every_example_plugin_is_tested_here() -> None:
    """A new example gets a test of its own."""
    tested = Path(__file__).read_text()

    untested = [path.name for path in PLUGINS.iterdir() if f'PLUGINS / "{path.name}"' not in tested]

    assert untested == []


@pytest.mark.parametrize("name", sorted(path.name for path in PLUGINS.iterdir()))
async def test_every_example_plugin_can_be_loaded_without_a_word(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Manifest and code agree; nothing is warned of."""
    async with run_plugin(PLUGINS / name):
        pass

    assert caplog.text == ""
