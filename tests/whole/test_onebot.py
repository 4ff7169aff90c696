"""The bot behind a OneBot implementation, started as a user starts it, with a real WebSocket to it in both directions."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from websockets.exceptions import InvalidStatus

from tests.doubles.onebot_platform import PATIENCE, Platform, open_platform_client, open_platform_server
from tests.whole.deployment import EXAMPLE, kill, rookery
from tests.whole.running_bot import Bot, changed_example, running_bot

pytestmark = pytest.mark.slow

ONEBOT_EXAMPLE = EXAMPLE.parents[1] / "onebot"
QUICK = "send_rate = 0\nreconnect_min = 0.05\nreconnect_max = 0.2\n"


@asynccontextmanager
async def running(
    state: Path, directory: Path, changes: dict[str, str], chats: str | None = None
) -> AsyncIterator[Bot]:
    """A bot that is being started.

    Args:
        changes: Lines of the example and what stands in their place.
        chats: Another chat policy than the example's.
    """
    config = directory / "rookery.toml"
    config.write_text(changed_example(ONEBOT_EXAMPLE / "rookery.toml", changes))
    (directory / "chats.toml").write_text(
        (ONEBOT_EXAMPLE / "chats.toml").read_text() if chats is None else chats
    )
    with running_bot(config, state) as bot:
        yield bot


def forward(url: str) -> dict[str, str]:
    return {'url = "ws://127.0.0.1:3001/"\n': f'url = "{url}"\n{QUICK}'}


def said_by(frame: dict[str, Any]) -> str:
    """The text of an action that sends one."""
    return "".join(part["data"]["text"] for part in frame["params"]["message"] if part["type"] == "text")


async def ask(platform: Platform, text: str, *, number: int, answers: int = 1, **more: Any) -> list[str]:
    """Say something and wait for what the bot says to it."""
    before = len(platform.sent())
    await platform.say(text, number=number, **more)
    sent = await platform.wait_sent(before + answers)
    return [said_by(frame) for frame in sent[before:]]


async def wait_open(port: int) -> None:
    """Somebody listens there."""
    with trio.fail_after(PATIENCE):
        while True:
            try:
                await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
                return
            except OSError:
                await trio.sleep(0.05)  # nobody tells when it is


async def test_a_command_is_answered_where_it_was_asked(state_dir: Path, tmp_path: Path) -> None:
    """In a group and in private; the status knows the account, the driver and the route."""
    async with open_platform_server() as server, running(state_dir, tmp_path, forward(server.url)) as bot:
        platform = await server.accept()
        assert await ask(platform, "!roll 1d1", number=1) == ["1d1: 1"]
        assert await ask(platform, "!roll 1d1", number=2, group=None) == ["1d1: 1"]
        status = await bot.status()
        bot.stop()

    assert [frame["params"].get("group_id", frame["params"].get("user_id")) for frame in platform.sent()] == [
        777,
        42,
    ]
    told = status["platform"]
    assert [(each["driver_id"], each["state"]) for each in told["drivers"]] == [
        ("gateway:rookery.onebot:onebot", "ready")
    ]
    assert [(each["platform"], each["account_id"], each["state"]) for each in told["accounts"]] == [
        ("qq", "10000", "online")
    ]
    assert told["routes"][0]["senders"] == ["gateway:rookery.onebot:onebot"]
    assert (told["chat_policy_mistakes"], told["receipts"]) == ([], 2)
    assert [status["counters"][name] for name in ("lost", "errors", "refused", "denied")] == [0, 0, 0, 0]


async def test_a_platform_that_dials_is_served_and_a_wrong_token_is_not(
    state_dir: Path, tmp_path: Path
) -> None:
    """The other direction; the same answers."""
    (free,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = int(free.socket.getsockname()[1])
    await free.aclose()
    changes = {
        'direction = "forward" ': f'direction = "reverse"\nport = {port}\n{QUICK}#',
        'access_token = ""': 'access_token = "right"',
    }
    async with running(state_dir, tmp_path, changes) as bot:
        await wait_open(port)
        with pytest.raises(InvalidStatus, match="403"):
            async with open_platform_client(port, token="wrong"):
                pass
        async with open_platform_client(port, token="right") as platform:
            assert await ask(platform, "!roll 1d1", number=1) == ["1d1: 1"]
        told = bot.stop()

    assert "refused: a wrong access token" in told


async def test_a_killed_gateway_and_a_dead_platform_come_back(state_dir: Path, tmp_path: Path) -> None:
    """What was counted before is counted after; the other shards notice nothing."""
    async with open_platform_server() as server, running(state_dir, tmp_path, forward(server.url)) as bot:
        platform = await server.accept()
        await ask(platform, "!roll 1d1", number=1)
        (gateway,) = (each for each in (await bot.status())["shards"] if each["name"] == "gateway")

        kill(gateway["pid"])
        platform = await server.accept()
        await ask(platform, "!roll 1d1", number=2)
        await platform.socket.aclose(1012, "restart")
        platform = await server.accept()
        counted = await ask(platform, "!stats", number=3)
        status = await bot.status()
        bot.stop()

    assert counted == ["2 messages from 1 people"]
    assert {each["name"]: each["restarts"] for each in status["shards"]} == {
        "gateway": 1,
        "shard-1": 0,
        "shard-2": 0,
    }


async def test_the_chat_policy_keeps_a_group_out_until_it_changes(state_dir: Path, tmp_path: Path) -> None:
    """Without a restart; denied messages are counted and nobody sees them."""
    chats = "[defaults.group]\ndeny_ids = [777]\n"
    async with (
        open_platform_server() as server,
        running(state_dir, tmp_path, forward(server.url), chats) as bot,
    ):
        platform = await server.accept()
        await platform.say("!roll 1d1", number=1)
        assert await ask(platform, "!stats", number=2, group=778) == ["0 messages from 0 people"]
        denied = (await bot.status())["counters"]["denied"]

        (tmp_path / "chats.toml").write_text("[defaults.group]\n")
        os.utime(tmp_path / "chats.toml", (1, 1))
        with trio.fail_after(PATIENCE):
            number = 3
            while not platform.sent()[1:]:
                await platform.say("!roll 1d1", number=number)
                number += 1
                await trio.sleep(0.2)  # the file is looked at once a second, and nobody tells when
        blocked = await rookery("chats", "block", "778", "--config", bot.config, state=bot.state)
        await platform.say("!roll 1d1", number=100, group=778)
        await ask(platform, "!roll 1d1", number=101, group=779)
        wrong = await rookery("chats", "block", "1", "--for", "qq", "--config", bot.config, state=bot.state)
        bot.stop()

    assert denied == 1
    assert said_by(platform.sent()[1]) == "1d1: 1"
    assert (blocked.code, blocked.out.endswith("chats.toml says so now\n")) == (0, True)
    assert 778 not in [frame["params"]["group_id"] for frame in platform.sent()[1:]]
    assert (tmp_path / "chats.toml").read_text() == '[defaults.group]\ndeny_ids = ["778"]\n'
    assert "--for is NAME=VALUE" in wrong.err


async def test_a_gateway_is_taken_offline_and_brought_back(state_dir: Path, tmp_path: Path) -> None:
    """The account leaves its platform, a new runner leaves it out, and it comes back when it is told to."""
    async with open_platform_server() as server, running(state_dir, tmp_path, forward(server.url)) as bot:
        platform = await server.accept()
        await ask(platform, "!roll 1d1", number=1)

        offline = await rookery("offline", "--config", bot.config, "rookery.onebot", state=bot.state)
        with trio.fail_after(PATIENCE):
            await platform.ended.wait()
        told = (await bot.status())["platform"]
        again = await rookery("offline", "--config", bot.config, "--all", state=bot.state)
        reload = await rookery("reload", "--config", bot.config, "rookery.onebot", state=bot.state)
        after_reload = (await bot.status())["platform"]
        online = await rookery("online", "--config", bot.config, "--all", state=bot.state)
        platform = await server.accept()
        answered = await ask(platform, "!roll 1d1", number=2)

        await rookery("offline", "--config", bot.config, "--all", state=bot.state)
        await platform.ended.wait()
        await rookery("restart", "--config", bot.config, "gateway", state=bot.state)
        left_out = (await bot.status())["platform"]["offline"]
        back = await rookery("online", "--config", bot.config, "rookery.onebot", state=bot.state)
        platform = await server.accept()
        answered += await ask(platform, "!roll 1d1", number=3)
        wrong = await rookery("offline", "--config", bot.config, "chatbot.dice", state=bot.state)
        bot.stop()

    assert (offline.code, offline.out) == (0, "rookery.onebot is offline\n")
    assert told["offline"] == {"rookery.onebot": "an operator has taken it offline"}
    assert [(each["state"], each["account_id"]) for each in told["accounts"]] == [("offline", "10000")]
    assert [each["state"] for each in told["drivers"]] == ["offline"]
    assert (again.code, again.out) == (0, "nothing to do: what you named is offline already\n")
    assert (reload.code, "rookery online" in reload.out) == (0, True), reload
    assert after_reload == told
    assert (online.code, online.out) == (0, "rookery.onebot is online\n")
    assert list(left_out) == ["rookery.onebot"]
    assert (back.code, back.out.startswith("rookery.onebot will be online: ")) == (0, True)
    assert answered == ["1d1: 1", "1d1: 1"]
    assert wrong.code == 1
    assert "'chatbot.dice' is no adapter of this bot" in wrong.err
