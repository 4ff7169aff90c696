"""What a runner of the original kind can do to its host: die, hang, be another, outlive it. Real processes, real hosts."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from rookery.supervisor import DispatchFailed, Supervisor
from rookery.supervisor.exit_report import ExitKind, ExitReport
from rookery.supervisor.observers import LogWritten, RunnerDied, SecurityViolation
from rookery.supervisor.shard_state import ShardState
from tests.doubles.processes import wait_asleep
from tests.whole.deployment import start
from tests.whole.original_stage import OriginalStage, call, works

pytestmark = pytest.mark.slow

QUICK_HEALTH = "[shard.health]\ninterval = 0.2\n"
OUTLIVES = 10
"""Seconds after which a runner counts as one that has outlived its host."""


@pytest.fixture
def stage(tmp_path: Path, state_dir: Path) -> OriginalStage:
    return OriginalStage(tmp_path, state_dir)


async def wait_back(supervisor: Supervisor, incarnation: int = 2) -> None:
    shard = supervisor.shards["old"]
    with trio.fail_after(20):
        while not (shard.state.value is ShardState.READY and shard.incarnation >= incarnation):
            await shard.state.wait_transition()


async def first_death(stage: OriginalStage) -> ExitReport:
    died: RunnerDied = await stage.wait_told(RunnerDied, lambda record: record.report.shard == "old")
    return died.report


async def test_one_that_dies_in_a_call(stage: OriginalStage) -> None:
    """A10: the caller is told, the shard is back, and the neighbour has not noticed."""
    async with stage.run() as supervisor:
        pid = supervisor.shards["new"].pid
        with pytest.raises(DispatchFailed, match="runner lost"):
            await call(supervisor, "die")
        report = await first_death(stage)
        await wait_back(supervisor)
        assert (await call(supervisor, "echo", timeout=20))["version"] == "# v1"
        assert await works(supervisor)
        assert supervisor.shards["new"].pid == pid

    assert (report.kind, report.signal) == (ExitKind.SIGNAL, signal.SIGABRT)


async def test_one_whose_loop_hangs(stage: OriginalStage) -> None:
    """Without beats a hang is found by two questions that it does not answer; a stopped process is no different."""
    stage.shard_more = QUICK_HEALTH
    async with stage.run() as supervisor:
        with pytest.raises(DispatchFailed):
            await call(supervisor, "loop", timeout=20)
        report = await first_death(stage)
        await wait_back(supervisor)
        assert await works(supervisor)

    assert report.kind is ExitKind.HANG
    assert "did not answer when it was asked for its health, twice" in report.describe()


async def test_one_that_says_that_it_is_not_well(stage: OriginalStage) -> None:
    """The contract has it restarted."""
    stage.shard_more = QUICK_HEALTH
    stage.behave("sick")
    async with stage.run() as supervisor:
        report = await first_death(stage)
        stage.behave("")
        await wait_back(supervisor)
        assert await works(supervisor)

    assert "it says that it is not healthy" in report.describe()


@pytest.mark.parametrize(
    ("behaviour", "violation"),
    [("wrong token", "another token than it was given"), ("old sdk", ""), ("no hello", "")],
)
async def test_one_that_never_says_a_right_hello(
    stage: OriginalStage, behaviour: str, violation: str
) -> None:
    """A wrong token is refused and told; silence ends with the time for a hello. The next one is let in."""
    if behaviour == "no hello":
        stage.shard_more = "hello = 3.0\n"  # else it is not in a hurry
    stage.behave(behaviour)
    with trio.fail_after(30):
        async with stage.open() as supervisor:
            report = await first_death(stage)
            stage.behave("")
            await wait_back(supervisor)
            await supervisor.wait_ready()
            assert (await call(supervisor, "echo", timeout=20))["version"] == "# v1"
            assert await works(supervisor)

    claims = [record.claim for record in stage.told(SecurityViolation)]
    assert report.kind is (ExitKind.HELLO_TIMEOUT if behaviour == "no hello" else ExitKind.REFUSED)
    assert all(violation in claim for claim in claims)
    assert bool(claims) is bool(violation)


async def test_a_second_connection_finds_no_one(stage: OriginalStage) -> None:
    """W7: the original host let the newest connection take the place of the first. Here the door is shut behind the first."""
    stage.behave("second connection")
    async with stage.run() as supervisor:
        assert (await call(supervisor, "echo"))["version"] == "# v1"

    assert any(
        re.match("second connection: (FileNotFound|ConnectionRefused)Error", line) for line in stage.journal
    )


async def test_one_that_prints_before_its_hello(stage: OriginalStage) -> None:
    """D10: its pipe is read from the start, or it would stop in a full one before it has said a word."""
    stage.behave("talkative")
    async with stage.run() as supervisor:
        assert (await call(supervisor, "echo"))["version"] == "# v1"

    assert any("a talkative original" in record.text for record in stage.told(LogWritten))


async def test_one_that_was_killed_before_its_hello(stage: OriginalStage) -> None:
    """A2: nobody has connected yet, and nothing of it is left."""
    stage.shard_more = "hello = 20.0\n"
    stage.behave("no hello")
    with trio.fail_after(30):
        async with stage.open() as supervisor:
            await stage.wait_line("started")
            pid = supervisor.shards["old"].pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            report = await first_death(stage)
            stage.behave("")
            await wait_back(supervisor)

    assert (report.state, report.kind) == (ShardState.HELLO, ExitKind.SIGNAL)
    assert list((stage.state / "originals").iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="what ends orphans is the Linux kernel's")
async def test_none_outlives_a_host_that_is_killed(stage: OriginalStage) -> None:
    """A21, W4: it does not end by itself when its connection does; the kernel ends it, also one that is stopped."""
    path = stage.write()
    process = start("run", path, state=stage.state, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        with trio.fail_after(30):
            await stage.wait_line("ready")
        pid = int(next(line for line in stage.journal if line.startswith("started")).split()[1])
        await wait_asleep(pid)
        os.kill(pid, signal.SIGSTOP)
        pidfd = os.pidfd_open(pid)
    finally:
        process.kill()
        process.wait()
    readable, _, _ = select.select([pidfd], [], [], OUTLIVES)
    os.close(pidfd)

    assert readable
