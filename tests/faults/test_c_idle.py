"""C: a runner that nobody asks for anything hangs all the same, and is found. Nobody next door notices."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from rookery.supervisor.exit_report import ExitKind
from rookery.supervisor.hang import HangClass
from rookery.supervisor.observers import RunnerDied, ShardMoved
from rookery.supervisor.shard_state import ShardState
from tests.whole.host import Deployment

pytestmark = pytest.mark.slow

LATER = """
@tool("block_later")
async def block_later(self):
    async def block():
        await trio.sleep(0.5)
        import time
        time.sleep(3600)
    self.ctx.start_task(block)

@tool("hold_later")
async def hold_later(self):
    import re, threading, time
    def hold():
        time.sleep(0.5)
        re.match("(a+)+$", "a" * 50 + "b")
    threading.Thread(target=hold, daemon=True).start()

@tool("block_as_guest_later")
async def block_as_guest_later(self):
    import asyncio, time
    async def block():
        await asyncio.sleep(0.5)
        time.sleep(3600)
    self.kept = asyncio.get_running_loop().create_task(block())

@tool("greet")
async def greet(self):
    return "hello"
"""

SHORT = "[shard.health]\nbeat_timeout = 1.5\nack_timeout = 1.5\nhang_timeout = 3.0\nstopped_timeout = 2.0\n"


@pytest.fixture
async def deployment(tmp_path: Path, state_dir: Path) -> AsyncIterator[Deployment]:
    """Two shards; the one next door lives through every test with its first runner."""
    made = Deployment(tmp_path, state_dir)
    made.shard_more = SHORT
    made.plugin("games", "odd", LATER)
    made.plugin("other", "bystander", LATER)
    yield made
    (bystander,) = [died.report for died in made.told(RunnerDied) if died.report.shard == "other"]
    assert (bystander.planned, bystander.incarnation) == (True, 1)


@pytest.mark.parametrize(
    ("tool", "classes"),
    [
        pytest.param(
            "block_later", (HangClass.BLOCKED, HangClass.LOCKED), id="a task of its own blocks the loop"
        ),
        pytest.param("hold_later", (HangClass.LOCKED,), id="a thread of its own holds the interpreter"),
    ],
)
async def test_what_hangs_while_nothing_is_asked_is_found(
    deployment: Deployment, tool: str, classes: tuple[HangClass, ...]
) -> None:
    """C4, C5: the call has long been answered, and nobody calls again before it is killed."""
    async with deployment.run() as supervisor:
        await supervisor.invoke("test.odd", tool, {}, timeout=20.0)
        died = await deployment.wait_told(RunnerDied)
        assert await supervisor.invoke("test.odd", "greet", {}, timeout=20.0) == "hello"

    assert (died.report.shard, died.report.kind) == ("games", ExitKind.HANG)
    assert died.report.hang in classes


async def test_a_loop_that_has_trio_for_a_guest_and_hangs_is_found(deployment: Deployment) -> None:
    """C5: trio waits, by its own account; it is asked, and cannot answer."""
    deployment.tables["games"] = 'runtime = "asyncio"'
    async with deployment.run() as supervisor:
        await supervisor.invoke("test.odd", "block_as_guest_later", {}, timeout=20.0)
        died = await deployment.wait_told(RunnerDied)

    assert (died.report.shard, died.report.kind) == ("games", ExitKind.HANG)
    assert died.report.hang in (HangClass.BLOCKED, HangClass.LOCKED)


async def test_an_idle_runner_that_is_stopped_is_continued(deployment: Deployment) -> None:
    """C1: it is suspect, is sent SIGCONT, and works."""
    async with deployment.run() as supervisor:
        pid = supervisor.shards["games"].pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        await deployment.wait_told(ShardMoved, lambda moved: moved.new is ShardState.SUSPECT)
        with trio.fail_after(20):
            await supervisor.shards["games"].state.wait_value(ShardState.READY)
        assert await supervisor.invoke("test.odd", "greet", {}, timeout=20.0) == "hello"

    assert all(died.report.planned for died in deployment.told(RunnerDied))
