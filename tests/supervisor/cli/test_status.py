"""`rookery status` finds a running bot, shows it, and says clearly when there is none."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.lowlevel
from click.testing import CliRunner, Result

from rookery.supervisor.cli import status as status_file
from rookery.supervisor.cli.status import command, status_lines
from rookery.supervisor.control import Request, serve_control

SHARD: dict[str, Any] = {
    "name": "games", "incarnation": 2, "pid": 4711, "state": "ready", "since": 65.0, "restarts": 1,
    "plugins": ["chatbot.dice", "chatbot.karma"], "failed_plugins": {}, "queue": 3, "in_flight": 12,
    "trust": "trusted", "last_exit": "shard \"games\" was killed by SIGKILL", "next_start": None,
}  # fmt: skip
STATUS: dict[str, Any] = {
    "name": "chatbot", "pid": 4000, "version": "0.1.0", "config": "rookery.toml", "started_at": 0.0, "uptime": 7391.0,
    "state": "running", "shards": [SHARD], "gateways": [], "counters": {}, "shadowed_commands": [],
    "quarantine": [], "dead_letters": 0, "logs": {"degraded": False, "reason": "", "lost": 0},
}  # fmt: skip


def changed(**shard: Any) -> dict[str, Any]:
    status = copy.deepcopy(STATUS)
    status["shards"][0].update(shard)
    return status


def test_the_table() -> None:
    """Names of the columns, numbers to the right, one row a shard."""
    lines = status_lines(STATUS, colour=False)

    assert lines == [
        "chatbot (pid 4000) running, up 2 h 03 m",
        "",
        "SHARD  INC   PID  STATE  SINCE     RESTARTS  QUEUE  INFLIGHT  PLUGINS",
        "games    2  4711  READY  1 m 05 s         1      3        12  chatbot.dice, chatbot.karma",
    ]


def test_a_shard_that_is_away_says_why_and_until_when() -> None:
    """Below the table, where a sentence has room."""
    lines = status_lines(changed(state="backoff", pid=None, next_start=1.54), colour=False)

    assert "  -  BACKOFF  " in lines[3]
    assert lines[-1] == 'shard "games" was killed by SIGKILL; next start in 1.5 s'


def test_a_plugin_that_did_not_load_is_marked_and_explained() -> None:
    """In the table and below it."""
    lines = status_lines(changed(failed_plugins={"chatbot.dice": "SyntaxError"}), colour=False)

    assert lines[3].endswith("chatbot.karma, chatbot.dice (failed)")
    assert lines[-1] == "chatbot.dice in games did not load: SyntaxError"


def test_a_shard_that_flaps_is_a_remark() -> None:
    """It works now, and somebody should know that it did not."""
    lines = status_lines(changed(flaps=3), colour=False)

    assert lines[-1] == "games was suspect and came back 3 times"


def test_a_shard_that_says_too_much_is_a_remark() -> None:
    """That a plugin is slow, or is refused something, may have this for a reason."""
    connection = {"held_seconds": 12.0, "refused_requests": 3}
    lines = status_lines(changed(connection=connection), colour=False)

    assert lines[-2] == "games says too much at once: it was not listened to for 12 s"
    assert lines[-1] == "3 requests of plugins in games refused: too many at once, see limits.calls_rate"


def test_a_host_without_shards_has_an_empty_table() -> None:
    """Nothing to show is not an error."""
    lines = status_lines({**STATUS, "shards": []}, colour=False)

    assert lines[-1].startswith("SHARD  INC")


@pytest.mark.parametrize(
    ("state", "colour"), [("ready", "\x1b[32m"), ("backoff", "\x1b[33m"), ("failed", "\x1b[31m")]
)
def test_colour_tells_the_state(state: str, colour: str) -> None:
    """Green works, yellow will pass, red needs somebody; the columns stay where they are."""
    lines = status_lines(changed(state=state), colour=True)

    assert f"{colour}{state.upper()}\x1b[0m" in lines[3]
    assert (
        lines[3].replace(colour, "").replace("\x1b[0m", "")
        == status_lines(changed(state=state), colour=False)[3]
    )


def test_a_gateway_that_does_not_work_is_a_remark() -> None:
    """With how it comes back; one that works is none."""
    drivers = [
        {"plugin_id": "a.b", "gateway": "gw", "state": state, "reported": reported}
        for state, reported in (
            ("ready", {}),
            ("not ready", {}),
            ("not ready", {"finished": True}),
            ("offline", {}),
        )
    ]
    platform = {
        "drivers": drivers,
        "offline": {"a.c": "holidays"},
        "chat_policy_mistakes": ["chats.toml: no"],
    }

    lines = status_lines({**STATUS, "platform": platform}, colour=False)

    assert lines[-3:] == [
        "a.c is offline: holidays; `rookery online a.c` brings it back",
        "gateway gw of a.b is not connected",
        "the chat policy stays as it was: chats.toml: no",
    ]


def test_a_log_that_cannot_be_written_is_a_remark() -> None:
    """With where the newest lines are."""
    logs = {"degraded": True, "reason": "No space left on device", "lost": 12}

    lines = status_lines({**STATUS, "logs": logs}, colour=False)

    assert lines[-2:] == [
        "the log file cannot be written: No space left on device; the newest lines are in `rookery logs`",
        "12 lines are missing in the log file",
    ]


def test_a_frame_is_drawn_over_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it stays, nothing flickers, and a long one does not scroll the terminal."""
    monkeypatch.setenv("LINES", "5")

    first = status_file._frame("a\nb", is_first=True)
    later = status_file._frame("\n".join("abcdefgh"), is_first=False)

    assert first == "\x1b[H\x1b[2Ja\x1b[K\nb\x1b[K\n\x1b[J"
    assert later == "\x1b[Ha\x1b[K\nb\x1b[K\nc\x1b[K\n(5 more lines)\x1b[K\n\x1b[J"


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


async def ask_served(state_dir: Path, *arguments: str | Path) -> Result:
    async def status(_: Request) -> Any:
        return STATUS

    async with trio.open_nursery() as nursery:
        await nursery.start(serve_control, state_dir, {"status": status})
        result = await trio.to_thread.run_sync(invoke, *arguments)
        nursery.cancel_scope.cancel()
    return result


async def test_a_running_bot_is_found_by_its_configuration(state_dir: Path, tmp_path: Path) -> None:
    """The state directory comes from the file; --json prints all the host said."""
    config = tmp_path / "rookery.toml"
    config.write_text(f'[rookery]\nstate_dir = "{state_dir}"\n')

    table = await ask_served(state_dir, config)
    whole = await ask_served(state_dir, "--json", config)

    assert table.output.splitlines()[0] == "chatbot (pid 4000) running, up 2 h 03 m"
    assert json.loads(whole.output) == STATUS


async def test_a_running_bot_is_found_by_its_state(state_dir: Path) -> None:
    """--state needs no configuration at all."""
    result = await ask_served(state_dir, "--state", state_dir)

    assert result.exit_code == 0
    assert "games" in result.output


def test_nothing_runs_is_one_line_with_the_directory(state_dir: Path) -> None:
    """Whoever looks in the wrong place sees which one it was."""
    result = invoke("--state", state_dir)

    assert result.exit_code == 1
    assert (
        result.output
        == f"Error: no bot is running with its state in {state_dir} (No such file or directory)\n"
    )


@pytest.mark.parametrize("content", [None, "[rook"])
def test_a_configuration_that_cannot_be_read_is_one_line(content: str | None, tmp_path: Path) -> None:
    """A missing file and a broken one."""
    config = tmp_path / "rookery.toml"
    if content is not None:
        config.write_text(content)

    result = invoke(config)

    assert result.exit_code == 1
    assert len(result.output.splitlines()) == 1
    assert str(config) in result.output


@pytest.mark.parametrize("as_json", [False, True])
async def test_a_bot_is_watched_until_it_goes(as_json: bool, state_dir: Path) -> None:
    """One connection, a block for each state, and the end is said."""
    connections = []

    async def watch(request: Request) -> Any:
        connections.append(request)
        return states()

    async def states() -> AsyncIterator[Any]:
        for _ in range(3):
            yield STATUS
            await trio.lowlevel.checkpoint()
        stop.set()
        await trio.sleep_forever()

    stop = trio.Event()
    results = []

    async def ask() -> None:
        options = ["--json"] if as_json else []
        results.append(
            await trio.to_thread.run_sync(lambda: invoke("--watch", *options, "--state", state_dir))
        )

    async with trio.open_nursery() as nursery, trio.open_nursery() as host:
        await host.start(serve_control, state_dir, {"watch": watch})
        nursery.start_soon(ask)
        await stop.wait()
        host.cancel_scope.cancel()

    [result] = results
    assert (result.exit_code, len(connections)) == (0, 1)
    if as_json:
        assert [json.loads(line) for line in result.stdout.splitlines()] == [STATUS] * 3
    else:
        assert result.stdout.count("chatbot (pid 4000) running") == 3
        assert result.stdout.endswith("\n\nchatbot has gone\n") or result.stdout.endswith(
            "\nchatbot has gone\n"
        )


def test_a_configuration_that_is_given_twice_is_a_mistake(tmp_path: Path) -> None:
    """As an argument or as an option, as the other commands take it."""
    result = invoke(tmp_path / "a.toml", "--config", tmp_path / "b.toml")

    assert result.exit_code == 2
    assert "given twice" in result.output


def test_the_isolation_of_a_shard_is_told_and_less_than_wished_in_red() -> None:
    """A plain process is what everybody has, and not worth a line."""
    boxed = changed(isolation="sandbox", mechanisms=["bubblewrap", "landlock 7", "seccomp"])
    weaker = changed(isolation="process", mechanisms=[], is_weaker=True)

    assert status_lines(changed(isolation="process"), colour=True)[4:] == []
    assert (
        status_lines(boxed, colour=False)[-1]
        == "games has isolation sandbox: bubblewrap, landlock 7, seccomp"
    )
    assert status_lines(weaker, colour=False)[-1] == (
        "games has isolation process, less than it should have: the operator allows that"
    )
    assert status_lines(weaker, colour=True)[-1].startswith("\x1b[31mgames")
