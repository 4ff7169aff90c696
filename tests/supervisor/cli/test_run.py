"""`rookery run` ends for one of three reasons, each with its exit code, and says when it is ready."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing

from rookery.supervisor.cli import run as run_file
from rookery.supervisor.cli.run import count, run_bot
from rookery.supervisor.outcome import Outcome

SETTINGS: Any = SimpleNamespace(name="bot")


def _shard(name: str, state: str, *plugins: str) -> Any:
    loaded = plugins if state == "ready" else ()
    value = SimpleNamespace(value=SimpleNamespace(value=state))
    return SimpleNamespace(name=name, plugins=plugins, loaded=loaded, state=value)


class Host:
    """A supervisor that does what a test's script says."""

    def __init__(self) -> None:
        self.settings = SETTINGS
        self.ready, self.input_end = trio.Event(), trio.Event()
        self.idle, self.failed = trio.Event(), trio.Event()
        self.shards = {
            "a": _shard("a", "ready", "x.y", "x.z"),
            "b": _shard("b", "loading", "x.w"),
        }
        self.forced = False
        self.escalated, self.finished = Outcome(), Outcome()
        self.is_restart_wanted = False

    wait_ready = property(lambda self: self.ready.wait)
    wait_input_end = property(lambda self: self.input_end.wait)
    wait_idle = property(lambda self: self.idle.wait)
    wait_failed = property(lambda self: self.failed.wait)

    def status(self) -> Any:
        return SimpleNamespace(as_json=lambda: {"shards": [{"queue": 2, "in_flight": 1}]})

    def request_stop(self, *, force: bool) -> None:
        self.forced = force


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Awaitable[int]]:
    """Run a bot whose host follows a script; ``stopping`` runs while the host stops."""

    async def run(script: Callable[[Host], Awaitable[None]], stopping: Any = None) -> int:
        @asynccontextmanager
        async def open_host(_: object, **__: object) -> AsyncIterator[Host]:
            host = Host()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(script, host)
                yield host
                nursery.cancel_scope.cancel()
            if stopping is not None:
                await stopping(host)

        monkeypatch.setattr(run_file, "open_supervisor", open_host)
        return await run_bot(SETTINGS, lambda _: None)

    return run


async def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    await trio.testing.wait_all_tasks_blocked(0.01)


async def test_readiness_is_one_line(
    play: Any, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    """How many plugins in how many shards, and how long it took."""
    caplog.set_level(logging.INFO)

    async def script(host: Host) -> None:
        await trio.sleep(0.8)
        host.ready.set()
        await trio.sleep(1)
        host.failed.set()

    await play(script)

    [record] = [each for each in caplog.records if "ready" in each.message]
    assert record.message == "bot: 2 of 3 plugins in 2 shards, ready in 0.8 s"
    assert getattr(record, "shown", False)


async def test_a_slow_start_says_what_is_waited_for(
    play: Any, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    """One plugin that hangs while it loads holds up every message: the user is told which shard it is."""

    async def script(host: Host) -> None:
        await trio.sleep(20)
        host.ready.set()
        await trio.sleep(1)
        host.failed.set()

    await play(script)

    [record] = [each for each in caplog.records if "waiting" in each.message]
    assert record.message == 'still waiting for shard "b" (loading); messages wait too'


@pytest.mark.slow
def test_a_bot_without_plugins_is_a_mistake(tmp_path: Path) -> None:
    """It would wait for ever; the line says what to write."""
    config = tmp_path / "rookery.toml"
    config.touch()

    done = subprocess.run(
        [sys.executable, "-m", "rookery.supervisor.cli", "run", str(config), "--state", str(tmp_path / "s")],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith(f"rookery: {config}: there is no plugin to run; name directories of them")
    assert done.stderr.count("\n") == 1


async def test_the_end_of_input_waits_for_the_answers(
    play: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """What was asked is answered before the end."""

    async def script(host: Host) -> None:
        host.input_end.set()
        await trio.sleep(5)
        host.idle.set()

    code = await play(script)

    assert (code, trio.current_time()) == (0, 5)


async def test_answers_that_never_come_are_counted(
    play: Any, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    """Half a minute is enough; the line says how many were still open."""

    async def script(host: Host) -> None:
        host.input_end.set()

    code = await play(script)

    assert (code, trio.current_time()) == (0, 30)
    assert "still open 30 s after the end of the input: 3 calls" in caplog.messages


async def test_every_shard_given_up_is_an_error(play: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A service manager sees it in the exit code."""

    async def script(host: Host) -> None:
        host.failed.set()

    assert await play(script) == 70
    assert "every shard was given up; the log file says why" in caplog.messages


async def test_one_signal_ends_it_well(play: Any) -> None:
    """Asked for, so no error."""

    async def script(host: Host) -> None:
        await interrupt()

    assert await play(script) == 0


async def test_a_second_signal_while_it_stops_forces(play: Any) -> None:
    """The receiver outlives the host's block."""
    forced = []

    async def script(host: Host) -> None:
        await interrupt()

    async def stopping(host: Host) -> None:
        await interrupt()
        forced.append(host.forced)

    code = await play(script, stopping)

    assert (forced, code) == ([True], 130)


@pytest.mark.parametrize(("number", "text"), [(0, "0 calls"), (1, "1 call"), (2, "2 calls")])
def test_a_count_agrees_with_its_noun(number: int, text: str) -> None:
    """Grammar."""
    assert count(number, "call") == text


@pytest.mark.slow
@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_closed_standard_descriptor_is_replaced(closed: int, tmp_path: Path) -> None:
    """What is opened later does not take the terminal's number, and printing is no error."""
    program = (
        "import os, pathlib, sys\n"
        "from rookery.supervisor.cli.descriptors import open_missing_descriptors\n"
        "open_missing_descriptors()\n"
        f"assert os.fstat({closed}).st_rdev == os.stat(os.devnull).st_rdev\n"
        "print('out'), print('err', file=sys.stderr), sys.stdin.isatty()\n"
        "pathlib.Path(sys.argv[1]).touch()"
    )
    sign = tmp_path / "all went well"

    subprocess.run(
        ["sh", "-c", f'exec "$0" "$@" {closed}>&-', sys.executable, "-c", program, str(sign)],
        check=True,
        capture_output=True,
    )

    assert sign.exists()
