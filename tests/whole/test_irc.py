"""The bot on a real IRC server, started as a user starts it, with a second real connection as the other person."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from tests.doubles.irc_peers import LinePeer, open_person
from tests.doubles.ircd import Ircd, open_ircd
from tests.whole.deployment import EXAMPLE, kill
from tests.whole.running_bot import Bot, changed_example, running_bot

pytestmark = pytest.mark.slow

IRC_EXAMPLE = EXAMPLE.parents[1] / "irc" / "rookery.toml"
CHANNEL = "#rookery"
BOT = "rookery"
QUICK = """
flood_rate = 0
reconnect_min = 0.1
reconnect_max = 0.5

[plugins."chatbot.dice".config]
max_dice = 400
"""
"""For a server that slows nobody down: the example's last table goes on, and another follows."""
HELP = ("help", "karma", "remind", "roll", "seen", "stats")
LOSSES = ("lost", "errors", "refused", "deduplicated")
BURST = 3000


@pytest.fixture
def ircd(state_dir: Path) -> Iterator[Ircd]:
    with open_ircd(state_dir) as server:
        yield server


@contextmanager
def running(ircd: Ircd, state: Path, directory: Path) -> Iterator[Bot]:
    """A bot that is being started."""
    config = directory / "rookery.toml"
    config.write_text(changed_example(IRC_EXAMPLE, {"port = 6667\n": f"port = {ircd.port}\n"}) + QUICK)
    with running_bot(config, state) as bot:
        yield bot


async def wait_joined(person: LinePeer) -> None:
    """The bot comes into the channel."""
    await person.wait("JOIN", lambda line: line.nick == BOT)


async def say(person: LinePeer, *texts: str, to: str = CHANNEL) -> None:
    await person.send(*(f"PRIVMSG {to} :{text}" for text in texts))


async def hear(person: LinePeer, pattern: str, *, where: str = CHANNEL) -> re.Match[str]:
    """The next line of the bot there, which has to be this."""
    line = await person.wait("PRIVMSG", lambda line: line.nick == BOT)
    found = re.fullmatch(pattern, line.param(1))
    assert line.param(0) == where, line
    assert found is not None, f"expected {pattern!r}, heard {line.param(1)!r}"
    return found


async def test_a_conversation_in_a_channel_and_in_private(
    ircd: Ircd, state_dir: Path, tmp_path: Path
) -> None:
    """What is said from the moment in which the bot joins is answered where it was said, and counted there."""
    async with open_person(ircd.port, "me", CHANNEL) as me:
        with running(ircd, state_dir, tmp_path) as bot:
            await wait_joined(me)
            await say(me, "!help")
            for name in HELP:
                await hear(me, rf"!{name}\b.*")
            await say(me, "!roll 2d6")
            rolled = await hear(me, r"2d6: (\d) \+ (\d) = (\d+)")
            await say(me, "alice++", "!karma alice")
            await hear(me, r"alice has 1 karma\.")
            await say(me, "!stats")
            await hear(me, "4 messages from 1 people")

            await say(me, "alice++", "alice++", "!karma alice", to=BOT)
            await hear(me, r"alice has 2 karma\.", where="me")
            await say(me, "!stats", to=BOT)
            await hear(me, "3 messages from 1 people", where="me")
            await say(me, "!help", to=BOT)
            for name in HELP:
                await hear(me, rf"!{name}\b.*", where="me")

            bot.stop()
            await me.wait("QUIT", lambda line: line.nick == BOT)

    assert int(rolled[1]) + int(rolled[2]) == int(rolled[3])


async def test_a_reply_longer_than_a_line_arrives_whole(ircd: Ircd, state_dir: Path, tmp_path: Path) -> None:
    """A reply of more than 512 bytes comes in several lines that say all of it, in order."""
    async with open_person(ircd.port, "me", CHANNEL) as me:
        with running(ircd, state_dir, tmp_path) as bot:
            await wait_joined(me)
            await say(me, "!roll 400d6", "!roll 1d1")
            pieces: list[str] = []
            while (line := await me.wait_text()).param(1) != "1d1: 1":
                pieces.append(line.param(1))
            bot.stop()

    reply = "".join(piece if piece.endswith(" ") else f"{piece} " for piece in pieces).rstrip()
    said = re.fullmatch(r"400d6: ((?:\d \+ ){399}\d) = (\d+)", reply)
    assert said is not None, pieces
    assert sum(map(int, said[1].split(" + "))) == int(said[2])
    assert len(pieces) > 2
    assert len(reply) > 3 * 512


async def test_a_killed_gateway_comes_back_and_answers(ircd: Ircd, state_dir: Path, tmp_path: Path) -> None:
    """After `kill -9` of the runner with the connection the bot joins again; what it knew it still knows."""
    async with open_person(ircd.port, "me", CHANNEL) as me:
        with running(ircd, state_dir, tmp_path) as bot:
            await wait_joined(me)
            await say(me, "alice++", "!karma alice")
            await hear(me, r"alice has 1 karma\.")

            kill((await bot.shard("gateway"))["pid"])
            await me.wait("QUIT", lambda line: line.nick == BOT)
            await wait_joined(me)

            await say(me, "alice++", "!karma alice")
            await hear(me, r"alice has 2 karma\.")
            await say(me, "!stats")
            await hear(me, "4 messages from 1 people")
            counters = (await bot.status())["counters"]
            told = bot.stop()

    assert re.search(r'^shard "gateway" #1 \(pid \d+\) was killed by SIGKILL \(.*\); back ', told, re.M), told
    assert counters["restarts"] == 1
    assert [counters[name] for name in LOSSES] == [0, 0, 0, 0]


async def test_a_server_restart_is_survived(ircd: Ircd, state_dir: Path, tmp_path: Path) -> None:
    """The bot says what it lost, comes back by itself, and goes on; no runner is replaced for it."""
    with running(ircd, state_dir, tmp_path) as bot:
        async with open_person(ircd.port, "me", CHANNEL) as me:
            await wait_joined(me)
            await say(me, "!roll 1d1")
            await hear(me, "1d1: 1")
        ircd.stop()

        ircd.start()
        async with open_person(ircd.port, "me") as me:
            # Private: whether the bot or this person is in the channel first, nobody can say.
            with trio.fail_after(20):
                while await absent(me):
                    await trio.sleep(0.05)  # the server tells nobody outside of a channel who comes
            await say(me, "!roll 1d1", to=BOT)
            await hear(me, "1d1: 1", where="me")
        restarts = (await bot.status())["counters"]["restarts"]
        told = bot.stop()

    assert f"rookery.irc: 127.0.0.1:{ircd.port}: " in told
    assert "next attempt in" in told
    assert restarts == 0


async def test_a_reply_that_meets_a_server_restart_is_said_after_it(
    ircd: Ircd, state_dir: Path, tmp_path: Path
) -> None:
    """What a plugin says while the server is away waits for it, as long as the configuration allows."""
    with running(ircd, state_dir, tmp_path) as bot:
        async with open_person(ircd.port, "me", CHANNEL) as me:
            await wait_joined(me)
            await say(me, "!remind 1s tea", to=BOT)
            await hear(me, r"I will remind you in 1 s\.", where="me")
        ircd.stop()
        with trio.fail_after(10):
            while not (gateway := await bot.shard("gateway"))["in_flight"]:
                pass  # the reminder is not due yet; each look is a process of its own

        # Stopped, so that this person is there before the bot is.
        os.kill(gateway["pid"], signal.SIGSTOP)
        try:
            ircd.start()
            async with open_person(ircd.port, "me") as me:
                os.kill(gateway["pid"], signal.SIGCONT)
                await hear(me, "me: tea", where="me")
        finally:
            os.kill(gateway["pid"], signal.SIGCONT)
        counters = (await bot.status())["counters"]
        bot.stop()

    assert [counters[name] for name in (*LOSSES, "restarts")] == [0, 0, 0, 0, 0]


async def absent(person: LinePeer) -> bool:
    """Whether nobody with the bot's nick is on the server."""
    await person.send(f"ISON {BOT}")
    line = await person.wait("303")
    return BOT not in line.param(-1).split()


async def test_a_burst_is_counted_to_the_last_message(ircd: Ircd, state_dir: Path, tmp_path: Path) -> None:
    """Thousands of lines as fast as the server takes them: `!stats` behind them answers their number."""
    async with open_person(ircd.port, "me", CHANNEL) as me:
        with running(ircd, state_dir, tmp_path) as bot:
            await wait_joined(me)
            for first in range(0, BURST, 100):
                await say(me, *(f"number {number}" for number in range(first, first + 100)))
            await say(me, "!stats")
            with trio.fail_after(60):
                line = await me.read()
                while line.command != "PRIVMSG":
                    line = await me.read()
            counters = (await bot.status())["counters"]
            bot.stop()

    assert line.param(1) == f"{BURST} messages from 1 people"
    assert counters["accepted"] == BURST + 1
    assert [counters[name] for name in LOSSES] == [0, 0, 0, 0]
