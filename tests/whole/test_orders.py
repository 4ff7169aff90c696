"""An operator at another terminal: restart, stop, start, logs, status, and the end of the bot."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from rookery.supervisor.control_client import NotRunning, ask
from rookery.supervisor.shard_state import ShardState
from tests.doubles.deployments import write_config, write_plugin
from tests.whole.deployment import COMMAND, Finished, environment, rookery
from tests.whole.host import Deployment

pytestmark = pytest.mark.slow

CHATTY = """
import trio
from rookery.runner import Plugin, tool

class Chatty(Plugin):
    async def on_load(self):
        self.ctx.start_task(self.talk)

    async def talk(self):
        number = 0
        while True:
            number += 1
            self.ctx.logger.info("line %d", number)
            await trio.sleep(0.05)
"""

QUIET = "from rookery.runner import Plugin\n\nclass Quiet(Plugin):\n    pass\n"

HANGING = """
import time
import trio
from rookery.runner import Plugin

class Hanging(Plugin):
    async def on_load(self):
        self.ctx.start_task(self.hang)

    async def hang(self):
        await trio.sleep(0.2)
        time.sleep(3600)
"""


class Running:
    """A bot in a process of its own."""

    def __init__(self, directory: Path, state: Path, process: subprocess.Popen[bytes]) -> None:
        self.directory = directory
        self.state_dir = state
        self.process = process

    async def order(self, *arguments: str, timeout: float = 60.0) -> Finished:
        return await rookery(*arguments, "--state", self.state_dir, state=self.directory, timeout=timeout)

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = ask(self.state_dir, "status")
        return status

    def shard(self, name: str) -> dict[str, Any]:
        return next(shard for shard in self.status()["shards"] if shard["name"] == name)

    async def wait_state(self, name: str, *states: str) -> dict[str, Any]:
        with trio.fail_after(30):
            while (shard := self.shard(name))["state"] not in states:
                await trio.sleep(0.02)  # another process
        return shard


@asynccontextmanager
async def bot(directory: Path, plugins: dict[str, str], more: str = "") -> AsyncIterator[Running]:
    """Run a bot with one shard for each plugin; it is killed in the end if it is still there."""
    state = directory / "state"
    text = f'[rookery]\nname = "test"\nplugin_dirs = ["plugins"]\nstate_dir = "{state}"\n'
    for name, code in plugins.items():
        write_plugin(directory, f"test.{name}", code=code)
        text += f'[[shard]]\nname = "{name}"\nplugins = ["test.{name}"]\n{more}'
    config = write_config(directory, text)
    with (directory / "out").open("wb") as out:
        process = subprocess.Popen(
            [*COMMAND, "run", str(config)],
            env=environment(directory),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    running = Running(directory, state, process)
    try:
        with trio.fail_after(30):
            while True:
                try:
                    running.status()
                    break
                except NotRunning:
                    assert process.poll() is None, (directory / "out").read_text()
                    await trio.sleep(0.02)
        yield running
    finally:
        process.kill()
        process.wait()


async def test_a_shard_is_restarted_stopped_and_started(tmp_path: Path) -> None:
    """Each command waits for its end and says what came of it; a name that is not there gets a suggestion."""
    async with bot(tmp_path, {"quiet": QUIET}) as running:
        before = await running.wait_state("quiet", "ready")
        restarted = await running.order("restart", "quiet")
        stopped = await running.order("stop", "quiet")
        between = running.shard("quiet")["state"]
        started = await running.order("start", "quiet")
        after = running.shard("quiet")
        wrong = await running.order("restart", "quit")
        released = await running.order("release", "test.quiet")

    assert (restarted.code, restarted.out.split("(")[0]) == (0, "quiet is ready, #2 ")
    assert between == "stopped"
    assert (stopped.code, stopped.out.strip()) == (0, "quiet is stopped: it ended as planned")
    assert (started.code, after["state"], after["incarnation"]) == (0, "ready", 3)
    assert after["pid"] != before["pid"]
    assert wrong.code == 1
    assert "did you mean 'quiet'?" in wrong.err
    assert released.code == 1
    assert "is not in quarantine" in released.err


async def test_the_bot_is_stopped_by_a_command(tmp_path: Path) -> None:
    """As by Ctrl-C: exit code 0, and the command returns when it has gone."""
    async with bot(tmp_path, {"quiet": QUIET}) as running:
        await running.wait_state("quiet", "ready")
        done = await running.order("stop")
        code = running.process.wait(10)

    assert (done.code, done.out.strip(), code) == (0, "stopped", 0)


async def test_logs_are_read_back_and_followed(tmp_path: Path) -> None:
    """The newest lines, then each further one, over a restart of the shard; filters hold; the host's end ends it."""
    async with bot(tmp_path, {"chatty": CHATTY, "quiet": QUIET}) as running:
        await running.wait_state("chatty", "ready")
        await trio.sleep(0.3)
        read = await running.order("logs", "-n", "3", "--shard", "chatty")
        nothing = await running.order("logs", "--plugin", "test.quiet")
        wrong = await running.order("logs", "--plugin", "test.quite")
        follower = await trio.lowlevel.open_process(
            [*COMMAND, "logs", "-f", "--json", "--plugin", "test.chatty", "--state", str(running.state_dir)],
            stdout=subprocess.PIPE,
            env=environment(tmp_path),
        )
        assert follower.stdout is not None
        text = b""
        with trio.fail_after(30):
            while text.count(b"\n") < 5:
                text += await follower.stdout.receive_some()
            await running.order("restart", "chatty")
            while text.count(b'"line 1"') < 2:
                text += await follower.stdout.receive_some()
            await running.order("stop")
            assert await follower.wait() == 1
        await follower.stdout.aclose()

    assert len(read.lines) == 3
    assert all("test.chatty: line " in line for line in read.lines)
    assert nothing.out == ""
    assert wrong.code == 1
    assert "did you mean 'test.quiet'?" in wrong.err
    assert {json.loads(line)["plugin"] for line in text.splitlines()[:5]} == {"test.chatty"}


async def test_status_answers_while_a_shard_hangs(tmp_path: Path) -> None:
    """I26: suspect is a state like any other; the answer takes milliseconds."""
    quick = "[shard.timeouts]\ndrain = 1.0\nterm_grace = 1.0\n"
    async with bot(tmp_path, {"hanging": HANGING, "quiet": QUIET}, quick) as running:
        shard = await running.wait_state("hanging", "suspect")
        took = []
        for _ in range(20):
            began = time.monotonic()
            running.status()
            took.append(time.monotonic() - began)
        watched = await trio.lowlevel.open_process(
            [*COMMAND, "status", "--watch", "--state", str(running.state_dir)],
            stdout=subprocess.PIPE,
            env=environment(tmp_path),
        )
        assert watched.stdout is not None
        text = b""
        with trio.fail_after(20):
            while text.count(b"SUSPECT") < 2:
                text += await watched.stdout.receive_some()
        await running.order("stop", "--no-wait")
        with trio.fail_after(40):
            while b"has gone" not in text:
                text += await watched.stdout.receive_some()
            assert await watched.wait() == 0
        await watched.stdout.aclose()

    assert sorted(took)[10] < 0.5  # ten times the bound, and as a median: the machine is shared
    assert shard["reason"].startswith("its loop is blocked")
    assert "test.hanging was at plugin.py line 12, in hang" in (tmp_path / "out").read_text()


async def test_a_status_takes_milliseconds_of_the_hosts_time(tmp_path: Path, state_dir: Path) -> None:
    """I26: measured inside, in every state that a wedged shard goes through until its runner is killed."""
    deployment = Deployment(tmp_path, state_dir)
    deployment.shard_more = "[shard.health]\nbeat_timeout = 1.5\nhang_timeout = 3.0\nack_timeout = 1.5\n"
    deployment.module("hanging", "hanging", HANGING)
    deployment.module("quiet", "quiet", QUIET)
    took: dict[str, list[float]] = {}
    async with deployment.run() as supervisor:
        shard = supervisor.shards["hanging"]
        while shard.incarnation < 2 or shard.state.value is not ShardState.READY:
            began = time.perf_counter()
            json.dumps(supervisor.status().as_json())
            took.setdefault(shard.state.value.value, []).append(time.perf_counter() - began)
            await trio.sleep(0.005)  # real processes: a sample every so often is what is wanted
        supervisor.request_stop(force=True)

    assert "suspect" in took
    assert {state: min(times) for state, times in took.items() if min(times) >= 0.05} == {}
    assert sorted(took["suspect"])[len(took["suspect"]) // 2] < 0.05


async def test_an_order_that_nobody_waits_for_and_one_that_cannot_succeed(tmp_path: Path) -> None:
    """--no-wait returns at once; a shard that is given up is told as that, with 1."""
    async with bot(
        tmp_path, {"quiet": QUIET}, more="[shard.restart]\nburst_limit = 1\nbackoff_base = 0.05\n"
    ) as running:
        await running.wait_state("quiet", "ready")
        quick = await running.order("restart", "quiet", "--no-wait")
        await running.wait_state("quiet", "ready")
        (tmp_path / "plugins" / "test.quiet" / "plugin.py").write_text("import os\nos._exit(3)\n")
        failed = await running.order("restart", "quiet")
        stopped = await running.order("stop", "--no-wait")
        code = running.process.wait(30)

    assert quick.code == 0
    assert failed.code == 1
    assert failed.out.startswith("quiet is failed: ")
    assert stopped.code in (0, 1)  # the only shard was given up, which ends the bot
    assert code in (0, 70)
