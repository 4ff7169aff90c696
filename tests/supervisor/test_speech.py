"""Does what the bot says reach its conversation, and is the time it took noted?"""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.doubles.bots import open_bot
from tests.doubles.fake_links import Late
from tests.doubles.stage import said


async def test_a_text_goes_into_a_session_that_was_seen(autojump_clock: MockClock) -> None:
    """With its group, in a plugin's name, as an answer."""
    async with open_bot() as bot:
        message_id = bot.hear("hello", group="g")

        receipt = await bot.speech.say("test:group:g", "hi", plugin_id="p.a", reply_to=message_id)

        (reply,) = bot.replies
        assert (receipt.sent, receipt.external_id) == (True, "e")
        assert reply["message_info"]["group_info"]["group_id"] == "g"
        assert (reply["reply_to"], reply["session_id"]) == (message_id, "test:group:g")


async def test_every_message_of_the_bot_has_its_own_id(autojump_clock: MockClock) -> None:
    """Also over two runs of the host."""
    async with open_bot() as first, open_bot() as second:
        for bot in (first, first, second):
            await bot.speech.say("test:private:u1", "hi")

        ids = {reply["message_id"] for bot in (first, second) for reply in bot.replies}

        assert len(ids) == 3


@pytest.mark.parametrize("session_id", ["", "nonsense", "test:room:1", " :group:g"])
async def test_what_is_no_session_is_told(autojump_clock: MockClock, session_id: str) -> None:
    """In the receipt, with the form that was expected."""
    async with open_bot() as bot:
        receipt = await bot.speech.say(session_id, "hi")

        assert not receipt.sent
        assert "expected PLATFORM:group:ID" in receipt.error
        assert bot.replies == []


async def test_the_time_from_a_message_to_its_answer_is_noted(autojump_clock: MockClock) -> None:
    """Once the answer has gone out; what answers nothing, or did not leave, has no such time."""
    async with open_bot() as bot:
        bot.command("p.a", "slow", Late(2.0, said("done")))
        bot.hear("!slow")
        await bot.settle()
        bot.stage.dispatcher.close_shard("out", given_up="gone")
        bot.hear("!slow")

        await bot.settle()
        await bot.speech.say("test:private:u1", "by the way")

        latencies = bot.stage.counters.latencies
        assert latencies.count == 1
        assert latencies.largest == pytest.approx(2.0)


async def test_segments_are_sent_as_they_are(autojump_clock: MockClock) -> None:
    """The text is what a person would read."""
    async with open_bot() as bot:
        segments: list[dict[str, Any]] = [{"type": "image", "data": "[image]"}]

        await bot.speech.say("test:private:u1", "[image]", segments=segments)

        (reply,) = bot.replies
        assert (reply["raw_message"], reply["processed_plain_text"]) == (segments, "[image]")
        assert trio.current_time() == 0.0
