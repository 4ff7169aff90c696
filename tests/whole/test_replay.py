"""Recorded chat through the whole bot: nothing lost, the same answers wherever the plugins live."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.whole.deployment import EXAMPLE, PLUGINS, kill, replay, rookery, runner_pids, write_recording

pytestmark = pytest.mark.slow

NINE = ("dice", "help", "karma", "remind", "seen", "stats", "translate_leet", "urlinfo", "wordfilter")


def conversation(rounds: int) -> list[tuple[str, str, str]]:
    """Three chats with votes, addresses, leet, commands, and a count at the end of each."""
    lines = []
    for number in range(rounds):
        chat, user = f"#chat{number % 3}", f"user{number % 7}"
        text = (
            f"hello number {number}", "alice++", "4l1c3++ again", f"see https://example.org/page{number}",
            "!karma alice", f"!roll {number % 5 + 1}d6", "!seen user1", "bob-- please",
        )[number % 8]  # fmt: skip
        lines.append((chat, user, text))
    return lines + [(f"#chat{chat}", "counter", "!stats") for chat in range(3)]


def by_chat(replies: list[dict[str, Any]]) -> dict[str, Counter[tuple[str, ...]]]:
    found: dict[str, Counter[tuple[str, ...]]] = {}
    for reply in replies:
        key = (str(reply["text"]), str(reply["reply_to"]), str(reply["plugin"]))
        found.setdefault(reply["chat"], Counter())[key] += 1
    return found


def expected_counts(lines: list[tuple[str, str, str]]) -> dict[str, str]:
    """What counting the recording says about each chat, up to its ``!stats``."""
    answers, seen = {}, {}
    for chat, user, text in lines:
        people = seen.setdefault(chat, Counter())
        if text == "!stats":
            answers[chat] = f"{people.total()} messages from {len(people)} people"
        people[user] += 1
    return answers


def config_with_shards(directory: Path, count: int) -> Path:
    """The example's plugins on ``count`` shards, spread round robin by name."""
    shards = [[name for place, name in enumerate(NINE) if place % count == number] for number in range(count)]
    text = f'[rookery]\nname = "chatbot"\nplugin_dirs = [{json.dumps(str(PLUGINS))}]\n'
    for number, names in enumerate(shards):
        text += (
            f'[[shard]]\nname = "s{number}"\nplugins = {json.dumps([f"chatbot.{name}" for name in names])}\n'
        )
    config = directory / f"rookery-{count}.toml"
    config.write_text(text)
    return config


async def test_every_message_is_accepted_once_and_counted(state_dir: Path, tmp_path: Path) -> None:
    """A clean replay loses nothing, reports no error, and `!stats` answers what counting the file gives."""
    lines = conversation(600)
    recording = write_recording(tmp_path / "chat.jsonl", lines)

    summary, replies, done = await replay(EXAMPLE, recording, state=state_dir)

    assert done.code == 0, done
    assert (summary["read"], summary["accepted"]) == (len(lines), len(lines))
    assert (summary["lost"], summary["errors"], summary["deduplicated"], summary["restarts"]) == (0, 0, 0, 0)
    answers = {reply["chat"]: reply["text"] for reply in replies if reply["plugin"] == "chatbot.stats"}
    assert answers == expected_counts(lines)


async def test_one_four_and_nine_shards_answer_alike(state_dir: Path, tmp_path: Path) -> None:
    """Where the plugins live changes none of the replies."""
    recording = write_recording(tmp_path / "chat.jsonl", conversation(240))
    outcomes = []

    for count in (1, 4, 9):
        summary, replies, _ = await replay(config_with_shards(tmp_path, count), recording, state=state_dir)
        assert (summary["lost"], summary["errors"]) == (0, 0), summary
        outcomes.append(by_chat(replies))

    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert outcomes[0], "the conversation has commands, so there are replies"


async def test_a_replay_ends_while_runners_are_killed(state_dir: Path, tmp_path: Path) -> None:
    """`kill -9` ten times, on each in turn: it ends, says what it lost, and every line is accounted for.

    Ten, since whoever is killed without end waits longer each time, and so does the replay.
    """
    lines = conversation(6000)
    recording = write_recording(tmp_path / "chat.jsonl", lines)
    killed = 0

    async def kill_runners() -> None:
        nonlocal killed
        while killed < 10:
            await trio.sleep(1.0)  # the fault's own rhythm, nothing waits for it
            pids = sorted(runner_pids())
            if pids:
                kill(pids[killed % len(pids)])
                killed += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(kill_runners)
        summary, replies, done = await replay(EXAMPLE, recording, state=state_dir, timeout=150)
        nursery.cancel_scope.cancel()

    assert killed > 0
    assert summary["read"] == len(lines), done
    assert summary["complete"], done
    assert summary["accepted"] == summary["read"] - summary["broken"] - summary["refused"]
    assert summary["restarts"] > 0
    answered = {reply["chat"] for reply in replies if reply["plugin"] == "chatbot.stats"}
    assert summary["lost"] > 0 or answered == {"#chat0", "#chat1", "#chat2"}
    is_clean = not any(summary[count] for count in ("broken", "refused", "lost", "errors"))
    assert done.code == (0 if is_clean else 3), done
    assert runner_pids() == []


@pytest.mark.parametrize(
    ("content", "read", "broken"),
    [
        pytest.param(b"", 0, [], id="an empty file"),
        pytest.param(b"\n\n", 0, [], id="blank lines"),
        pytest.param(
            b'{"platform":"irc","chat":"#a","user":"u","time":"2026-01-01T00:00:00Z","text":"hi"}\n{"oops\n'
            b'{"platform":"irc","chat":"#a","user":"u","time":"2026-01-01T00:00:01Z","text":"!stats"}\n',
            3, [2], id="a broken line in the middle",
        ),
        pytest.param(b"[1, 2]\n" + b"\xff\xfe\n" + b'{"platform":"irc"}\n', 3, [1, 2, 3], id="nothing but broken lines"),
    ],
)  # fmt: skip
async def test_a_broken_recording_is_reported_by_line(
    content: bytes, read: int, broken: list[int], state_dir: Path, tmp_path: Path
) -> None:
    """A broken line is named by its number and the rest goes on."""
    recording = tmp_path / "chat.jsonl"
    recording.write_bytes(content)

    summary, _, done = await replay(EXAMPLE, recording, state=state_dir)

    assert summary["read"] == read
    assert [mistake["line"] for mistake in summary["broken_lines"]] == broken
    assert summary["accepted"] == read - len(broken)
    assert "Traceback" not in done.err
    for number in broken:
        assert f"line {number}" in done.err


async def test_a_text_of_a_megabyte_passes(state_dir: Path, tmp_path: Path) -> None:
    """A very long message is a message."""
    recording = write_recording(
        tmp_path / "chat.jsonl", [("#a", "u", "x" * 1024 * 1024), ("#a", "u", "!stats")]
    )

    summary, replies, _ = await replay(EXAMPLE, recording, state=state_dir)

    assert (summary["accepted"], summary["lost"], summary["errors"]) == (2, 0, 0)
    assert [reply["text"] for reply in replies] == ["1 messages from 1 people"]


async def test_a_missing_recording_is_one_line(state_dir: Path, tmp_path: Path) -> None:
    """A file that is not there is the user's mistake: named, no traceback, exit 1."""
    done = await rookery("replay", EXAMPLE, tmp_path / "nothing.jsonl", state=state_dir)

    assert done.code == 1
    assert "nothing.jsonl" in done.err
    assert "Traceback" not in done.err
