"""A17: what becomes of a bot whose zygote, the warm process that its runners are forked from, dies or hangs?

It is what stands by for a runner that dies. Runners that are there go on, the next one comes at once all the same, another
zygote is made, and nothing is left of the old one.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from rookery.supervisor import DispatchFailed, Supervisor
from rookery.supervisor import zygote as zygote_module
from rookery.supervisor.observers import RunnerBack, RunnerDied
from rookery.supervisor.process_look import children_of, look_at
from rookery.supervisor.zygote_keeper import ZygoteKeeper
from tests.doubles.processes import wait_gone
from tests.whole.host import PATIENCE, Deployment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="runners are forked on Linux only"),
]

WORKS = """
@tool("seed")
async def seed(self) -> int:
    return hash("seed")

@tool("leave")
def leave(self, code: int) -> None:
    import os
    os._exit(code)
"""


class Bot:
    """Two shards, and their zygote."""

    def __init__(self, deployment: Deployment, supervisor: Supervisor) -> None:
        self.deployment = deployment
        self.supervisor = supervisor
        assert supervisor.custody.keeper is not None
        self.keeper: ZygoteKeeper = supervisor.custody.keeper

    def pid_of(self, shard: str) -> int:
        pid = self.supervisor.shards[shard].pid
        assert pid is not None
        return pid

    async def seed_of(self, shard: str) -> int:
        """Runners with the same one come from the same zygote."""
        return int(await self.supervisor.invoke(f"test.{shard}", "seed"))

    async def wait_warm(self, after: int | None = None) -> int:
        """The zygote, once there is another than this one."""
        with trio.fail_after(PATIENCE):
            while (pid := self.keeper.pid) in (None, after):
                await trio.sleep(0.01)  # a real process on the real clock
        assert pid is not None
        return pid

    async def kill_and_wait(self, shard: str, number: int = signal.SIGKILL) -> RunnerBack:
        """Kill the runner; the record of the next one."""
        before = self.supervisor.shards[shard].incarnation
        os.kill(self.pid_of(shard), number)
        return await self.wait_back(shard, before + 1)

    async def wait_back(self, shard: str, incarnation: int) -> RunnerBack:
        back: RunnerBack = await self.deployment.wait_told(
            RunnerBack, lambda record: record.shard == shard and record.incarnation == incarnation
        )
        return back


@asynccontextmanager
async def running_bot(tmp_path: Path, state_dir: Path) -> AsyncIterator[Bot]:
    deployment = Deployment(tmp_path, state_dir)
    deployment.more = 'start = "zygote"'
    for name in ("one", "two"):
        deployment.plugin(name, name, WORKS)
    async with deployment.run() as supervisor:
        bot = Bot(deployment, supervisor)
        await bot.wait_warm()
        yield bot


def told_of_zygotes(caplog: pytest.LogCaptureFixture) -> list[str]:
    records = [r for r in caplog.records if r.name == "rookery.supervisor.zygote_keeper"]
    assert all(record.levelno == logging.WARNING for record in records)
    return [record.getMessage() for record in records]


async def test_killed_it_takes_nobody_along_and_is_replaced(
    tmp_path: Path, state_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Both runners go on. One that dies now is spawned at once; the next one after that comes from the new zygote."""
    async with running_bot(tmp_path, state_dir) as bot:
        zygote, runners = bot.keeper.pid, [bot.pid_of("one"), bot.pid_of("two")]
        assert zygote is not None
        seed = await bot.seed_of("one")

        os.kill(zygote, signal.SIGKILL)
        spawned = await bot.kill_and_wait("one")
        spawned_seed = await bot.seed_of("one")
        await bot.wait_warm(after=zygote)
        await bot.kill_and_wait("one")
        new_seed = await bot.seed_of("one")

        assert await bot.seed_of("two") == seed
        assert bot.pid_of("two") == runners[1]
        await bot.kill_and_wait("two")
        assert await bot.seed_of("two") == new_seed
        assert spawned.after is not None
    assert len({seed, spawned_seed, new_seed}) == 3
    [line] = told_of_zygotes(caplog)
    assert line == (
        f"the zygote (pid {zygote}) was killed by SIGKILL; runners are spawned, another one starts in 0.5 s"
    )


async def test_stopped_it_delays_a_start_by_half_a_second_at_most(
    tmp_path: Path, state_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A zygote that does not answer is killed, and the runner is spawned. One runner, not two, and only one life is counted."""
    async with running_bot(tmp_path, state_dir) as bot:
        zygote = bot.keeper.pid
        assert zygote is not None
        seed = await bot.seed_of("one")

        os.kill(zygote, signal.SIGSTOP)
        await bot.kill_and_wait("one")
        await wait_gone(zygote)

        assert await bot.seed_of("one") != seed
        assert await bot.seed_of("two") == seed
        assert len(bot.deployment.told(RunnerDied)) == 1
        await bot.wait_warm(after=zygote)
        own = {bot.pid_of("one"), bot.pid_of("two"), bot.keeper.pid}
        assert {pid for pid in children_of(os.getpid()) if look_at(pid).state != "Z"} == own
    [line] = told_of_zygotes(caplog)
    assert "was killed because it did not answer within 0.5 s" in line


async def test_killed_with_an_order_in_hand(
    tmp_path: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows whether it was carried out: the runner is spawned with descriptors of its own, under another name."""
    monkeypatch.setattr(zygote_module, "ANSWER_LIMIT", PATIENCE)
    async with running_bot(tmp_path, state_dir) as bot:
        zygote = bot.keeper.pid
        assert zygote is not None
        os.kill(zygote, signal.SIGSTOP)

        os.kill(bot.pid_of("one"), signal.SIGKILL)
        with trio.fail_after(PATIENCE):
            while not bot.keeper.has_order:
                await trio.sleep(0.001)  # a real process on the real clock
        os.kill(zygote, signal.SIGKILL)
        back = await bot.wait_back("one", 2)

        assert await bot.seed_of("one") != await bot.seed_of("two")
        names = {entry.name for entry in (state_dir / "runs").glob("*/one.*")}
        assert back.pid == bot.pid_of("one")
        assert names == {"one.2b"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_zygote_that_is_told_to_go_goes(tmp_path: Path, state_dir: Path, number: int) -> None:
    """It has no handlers of its own that could keep it."""
    async with running_bot(tmp_path, state_dir) as bot:
        zygote = bot.keeper.pid
        assert zygote is not None

        os.kill(zygote, number)

        await bot.wait_warm(after=zygote)


async def test_with_a_second_thread_it_does_not_fork(tmp_path: Path, state_dir: Path) -> None:
    """A fork copies locks that other threads hold. The host is told, and spawns."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import sys, threading, time\nif '--zygote' in sys.orig_argv:\n"
        "    threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()\n"
    )
    os.environ["PYTHONPATH"], before = os.pathsep.join([str(site), *sys.path]), os.environ.get("PYTHONPATH")
    try:
        async with running_bot(tmp_path, state_dir) as bot:
            seeds = {await bot.seed_of("one"), await bot.seed_of("two")}
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before

    assert len(seeds) == 2


@pytest.mark.parametrize(
    ("end", "code", "number"), [("kill", None, 9), ("abort", None, 6), ("leave", 3, None)]
)
async def test_the_end_of_a_forked_runner_is_told_as_any_other(
    tmp_path: Path, state_dir: Path, end: str, code: int | None, number: int | None
) -> None:
    """Its status and what it has used come to the host, which is its parent."""
    async with running_bot(tmp_path, state_dir) as bot:
        if end == "leave":
            with pytest.raises(DispatchFailed):
                await bot.supervisor.invoke("test.one", "leave", {"code": 3})
        else:
            os.kill(bot.pid_of("one"), number or 0)
        died: RunnerDied = await bot.deployment.wait_told(RunnerDied)
        await bot.wait_back("one", 2)

    assert (died.report.code, died.report.signal) == (code, number)
    assert died.report.cpu is not None
    assert died.report.max_rss is not None
