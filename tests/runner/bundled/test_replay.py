"""A recording is played in order, once, and goes on where it was after its runner has died."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rookery.runner.testing import run_plugin
from tests.runner.polling import wait_until

REPLAY = Path(__file__).parents[3] / "runner" / "bundled" / "replay"


def a_line(text: str, **changes: Any) -> str:
    record = {"platform": "irc", "chat": "#a", "user": "ann", "time": "2024-01-01T00:00:00Z", "text": text}
    return json.dumps({**record, **changes})


async def played(recording: Path, data_dir: Path, **config: Any) -> tuple[list[str], dict[str, Any]]:
    """Play to the end; the texts that the host got, and the last report."""
    async with run_plugin(
        REPLAY, config={"input": str(recording), "output": "-", **config}, data_dir=data_dir
    ) as plugin:
        await wait_until(lambda: plugin.host.gateways["replay"]["metadata"]["finished"])
    return [message.text for message in plugin.routed], plugin.host.gateways["replay"]["metadata"]


async def test_every_good_line_is_a_message_and_every_bad_one_is_reported(tmp_path: Path) -> None:
    """With its number and its reason."""
    recording = tmp_path / "chat.jsonl"
    recording.write_text("\n".join([a_line("one"), "", "{broken", a_line("two"), a_line("x", user=5)]) + "\n")

    texts, report = await played(recording, tmp_path / "data")

    assert sorted(texts) == ["one", "two"]
    assert (report["read"], report["broken"]) == (4, 2)
    assert [number for number, _ in report["mistakes"]] == [3, 5]
    assert report["position"] == report["size"]


async def test_no_line_ends_the_replay(tmp_path: Path) -> None:
    """Neither one that is nested without end nor one that no frame can hold; both are broken."""
    recording = tmp_path / "chat.jsonl"
    lines = ["[" * 100_000, a_line("\ud800"), a_line("two")]
    recording.write_text("\n".join(lines) + "\n")

    texts, report = await played(recording, tmp_path / "data")

    assert texts == ["two"]
    assert (report["read"], report["broken"]) == (3, 2)
    assert report["mistakes"][0] == [1, "it is nested too deeply"]
    assert "surrogates not allowed" in report["mistakes"][1][1]


async def test_replies_that_cannot_be_written_are_a_reason_to_end(tmp_path: Path) -> None:
    """The host is told why, because a recording without its replies is for nothing."""
    recording = tmp_path / "chat.jsonl"
    recording.write_text("")
    async with run_plugin(REPLAY, config={"input": str(recording), "output": "/dev/full"}) as plugin:
        said = await plugin.deliver("replay", "hi", plugin_id="test.dice")
        report = plugin.host.gateways["replay"]["metadata"]

    assert said == {"success": False, "error": "the replies cannot be written: No space left on device"}
    assert report["failure"] == said["error"]


async def test_a_second_runner_goes_on_where_the_first_was(tmp_path: Path) -> None:
    """What was taken is not sent again."""
    recording = tmp_path / "chat.jsonl"
    recording.write_text(a_line("one") + "\n")
    await played(recording, tmp_path / "data")
    with recording.open("a") as file:
        file.write(a_line("two") + "\n")

    texts, report = await played(recording, tmp_path / "data")

    assert texts == ["two"]
    assert report["read"] == 2


async def test_replies_are_written_one_a_line(tmp_path: Path) -> None:
    """With what they answer, so that a run can be compared with another."""
    recording, output = tmp_path / "chat.jsonl", tmp_path / "replies.jsonl"
    recording.write_text("")
    config = {"input": str(recording), "output": str(output)}
    async with run_plugin(REPLAY, config=config) as plugin:
        said = await plugin.deliver("replay", "hi", plugin_id="test.dice")

    reply = json.loads(output.read_text())
    assert said == "reply-to-None"
    assert reply == {
        "platform": "test",
        "chat": "lobby",
        "text": "hi",
        "reply_to": None,
        "plugin": "test.dice",
    }
