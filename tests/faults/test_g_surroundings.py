"""B6, C12, F10, G1: what is around a runner: its stack, its machine, its neighbours, the clock on the wall."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trio

from rookery.supervisor.fate import DispatchFailed
from rookery.supervisor.observers import RunnerDied
from tests.whole.host import Deployment

pytestmark = pytest.mark.slow

HOGS = 4

GREET = """
@tool("greet")
async def greet(self):
    return "hello"
"""

DEEP = """
@tool("deepen")
async def deepen(self):
    import sys
    sys.setrecursionlimit(10**6)
    found = []
    for _ in range(200_000):
        found = [found]
    repr(found)
"""

CALLS_OTHER = """
@api("bounce", public=True)
async def bounce(self, left: int) -> int:
    return await self.ctx.api.call("test.{other}.bounce", left=left + 1)

@tool(description="")
async def start(self) -> object:
    return await self.ctx.api.call("test.{other}.bounce", left=0)
"""


@pytest.fixture
def deployment(tmp_path: Path, state_dir: Path) -> Deployment:
    return Deployment(tmp_path, state_dir)


async def test_a_stack_that_is_too_deep_costs_a_runner_at_most(deployment: Deployment) -> None:
    """B6: an error of the call, or the end of its runner, as the version of Python has it. The next call is answered."""
    deployment.plugin("games", "deep", DEEP + GREET)

    async with deployment.run() as supervisor:
        with pytest.raises(DispatchFailed):
            await supervisor.invoke("test.deep", "deepen", timeout=20)
        answer = await supervisor.invoke("test.deep", "greet", timeout=20)

    assert answer == "hello"


async def test_a_busy_machine_kills_nobody(deployment: Deployment) -> None:
    """C12: more work than processors, for longer than a hang may take by the policy of this test."""
    deployment.shard_more = "[shard.health]\nbeat_timeout = 2.0\nack_timeout = 2.0\nhang_timeout = 4.0\n"
    deployment.plugin("games", "good", GREET)
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(HOGS)]

    try:
        async with deployment.run() as supervisor:
            until = trio.current_time() + 6.0
            while trio.current_time() < until:
                assert await supervisor.invoke("test.good", "greet", timeout=20) == "hello"
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()

    assert all(died.report.planned for died in deployment.told(RunnerDied))


async def test_plugins_that_call_each_other_for_ever_end(deployment: Deployment) -> None:
    """F10: by the deadline of the first; the shards are as good as before."""
    deployment.plugin("one", "left", CALLS_OTHER.format(other="right") + GREET, capabilities=["api.call"])
    deployment.plugin("two", "right", CALLS_OTHER.format(other="left") + GREET, capabilities=["api.call"])

    async with deployment.run() as supervisor:
        with pytest.raises(DispatchFailed):
            await supervisor.invoke("test.left", "start", timeout=1.0)
        answers = [await supervisor.invoke(f"test.{name}", "greet", timeout=20) for name in ("left", "right")]

    assert answers == ["hello", "hello"]
    assert all(died.report.planned for died in deployment.told(RunnerDied))


async def test_the_wall_clock_decides_nothing(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G1: a day forward and two back, over a death and a deadline."""
    deployment.plugin("games", "good", GREET)
    now = time.time

    async with deployment.run() as supervisor:
        for shift in (86_400.0, -86_400.0, 3_600.0):
            monkeypatch.setattr(time, "time", lambda shift=shift: now() + shift)
            pid = supervisor.shards["games"].pid
            assert pid is not None
            os.kill(pid, 9)
            await deployment.wait_told(RunnerDied, lambda died, pid=pid: died.report.pid == pid)
            assert await supervisor.invoke("test.good", "greet", timeout=20) == "hello"
        monkeypatch.undo()

    assert len([died for died in deployment.told(RunnerDied) if not died.report.planned]) == 3
