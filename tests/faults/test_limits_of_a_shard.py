"""What real runners do that use more than they may: each is ended, told why, and nobody next door notices."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rookery.supervisor.exit_report import ExitKind, ExitReport
from rookery.supervisor.fate import DispatchFailed
from rookery.supervisor.observers import RunnerDied
from rookery.supervisor.shard_state import ShardState
from tests.whole.host import Deployment

pytestmark = pytest.mark.slow

GREEDY = r"""
@tool("greet")
async def greet(self):
    return "hello"

@tool("fill")
async def fill(self, mib: int):
    self.kept = [bytearray(b"x") * 1048576 for _ in range(mib)]
    await trio.sleep(60)

@tool("fill_in_children")
async def fill_in_children(self, children: int, mib: int):
    import subprocess, sys
    program = f"import time; kept = bytearray(b'x') * ({mib} * 1048576); time.sleep(60)"
    self.kept = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(children)]
    await trio.sleep(60)

@tool("fork_with")
async def fork_with(self, children: int, mib: int):
    import os, signal, time
    kept = bytearray(b"x") * (mib * 1048576)
    pids = []
    for _ in range(children):
        pid = os.fork()
        if not pid:
            time.sleep(60)
            os._exit(0)
        pids.append(pid)
    await trio.sleep(3)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return len(kept)

@tool("start_threads")
async def start_threads(self, count: int):
    import threading, time
    for _ in range(count):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    await trio.sleep(60)

@tool("start_daemons")
async def start_daemons(self, count: int):
    import os, time
    for _ in range(count):
        pid = os.fork()
        if not pid:
            os.setsid()
            if os.fork():
                os._exit(0)
            time.sleep(60)
            os._exit(0)
        os.waitpid(pid, 0)
        await trio.sleep(0.01)
    await trio.sleep(60)

@tool("write")
async def write(self, files: int, kib: int):
    import os, pathlib
    below = pathlib.Path(self.ctx.data_dir) / "below"
    below.mkdir(exist_ok=True)
    for number in range(files):
        (below / str(number)).write_bytes(os.urandom(1024 * kib))
    await trio.sleep(60)

@tool("niceness")
async def niceness(self):
    import os
    return os.getpriority(os.PRIO_PROCESS, 0)
"""


@pytest.fixture
async def deployment(tmp_path: Path, state_dir: Path) -> AsyncIterator[Deployment]:
    """Two shards; the one next door lives through every test with its first runner. That nothing is left of them is looked for after each
    test (tests/leaks.py)."""
    made = Deployment(tmp_path, state_dir)
    made.plugin("games", "greedy", GREEDY)
    made.plugin("other", "bystander", GREEDY)
    yield made
    (bystander,) = [died.report for died in made.told(RunnerDied) if died.report.shard == "other"]
    assert (bystander.planned, bystander.incarnation) == (True, 1)


async def overuse(deployment: Deployment, tool: str, **arguments: int) -> ExitReport:
    """Call a tool that uses too much; what became of its runner. Afterwards both shards answer."""
    async with deployment.run() as supervisor:
        with pytest.raises(DispatchFailed):
            await supervisor.invoke("test.greedy", tool, arguments, timeout=20.0)
        died = await deployment.wait_told(RunnerDied)
        assert await supervisor.invoke("test.bystander", "greet", {}, timeout=20.0) == "hello"
        assert await supervisor.invoke("test.greedy", "greet", {}, timeout=20.0) == "hello"
    report: ExitReport = died.report
    assert report.shard == "games"
    return report


def _numbers(report: ExitReport, words: str) -> tuple[float, float]:
    """How much there was, and how much there may be."""
    kind, _, rest = report.reason.partition(": ")
    assert kind == words
    parts = [float(part) for part in rest.replace("used ", "").replace(" MB", "").split(" of ")]
    assert report.reason in report.describe()
    return parts[0], parts[1]


async def test_more_memory_than_a_shard_may_have_ends_its_runner(deployment: Deployment) -> None:
    """The sum is in the report."""
    deployment.tables["games"] = '[shard.limits]\nmemory = "128M"\nrss_soft = 0\n'

    report = await overuse(deployment, "fill", mib=200)

    assert report.kind is ExitKind.OUT_OF_MEMORY
    used, most = _numbers(report, "out of memory")
    assert most == 128
    assert 128 < used < 300


async def test_memory_is_that_of_all_processes_together(deployment: Deployment) -> None:
    """None of them has as much as that."""
    deployment.tables["games"] = '[shard.limits]\nmemory = "128M"\nrss_soft = 0\n'

    report = await overuse(deployment, "fill_in_children", children=4, mib=50)

    assert report.kind is ExitKind.OUT_OF_MEMORY
    used, _ = _numbers(report, "out of memory")
    assert 128 < used < 350


async def test_memory_that_children_share_is_counted_once(deployment: Deployment) -> None:
    """Four that were forked and have written nothing since."""
    deployment.tables["games"] = '[shard.limits]\nmemory = "160M"\nrss_soft = 0\n'
    async with deployment.run() as supervisor:
        assert await supervisor.invoke("test.greedy", "fork_with", {"children": 4, "mib": 80}, timeout=20.0)

    assert [died.report.planned for died in deployment.told(RunnerDied)] == [True, True]


@pytest.mark.parametrize("tool", ["start_threads", "start_daemons"])
async def test_more_processes_than_a_shard_may_have_end_its_runner(deployment: Deployment, tool: str) -> None:
    """Threads count, and so do daemons that have left the runner."""
    deployment.tables["games"] = "[shard.limits]\npids = 64\n"

    report = await overuse(deployment, tool, count=100)

    assert report.kind is ExitKind.TOO_MANY_PROCESSES
    count, most = _numbers(report, "too many processes")
    assert most == 64
    assert 64 < count < 140


@pytest.mark.parametrize(
    ("limit", "arguments", "words"),
    [
        pytest.param('disk = "10M"', {"files": 20, "kib": 1024}, r"[0-9.]+ MB of 10 MB in ", id="bytes"),
        pytest.param("files = 20", {"files": 50, "kib": 0}, "21 files of 20 in ", id="files"),
    ],
)
async def test_more_on_the_disk_than_a_shard_may_have_gives_it_up(
    deployment: Deployment, limit: str, arguments: dict[str, int], words: str
) -> None:
    """It is not started again until somebody has cleaned up, and is told what. The call fails, and the neighbour answers."""
    deployment.tables["games"] = f"[shard.limits]\n{limit}\n"
    data = deployment.state / "plugins" / "test.greedy"
    async with deployment.run() as supervisor:
        shard = supervisor.shards["games"]
        with pytest.raises(DispatchFailed):
            await supervisor.invoke("test.greedy", "write", arguments, timeout=20.0)
        died = await deployment.wait_told(RunnerDied)
        assert await supervisor.invoke("test.bystander", "greet", {}, timeout=20.0) == "hello"
        await shard.state.wait_value(ShardState.FAILED)
        given_up = shard.reason

        shutil.rmtree(data / "below")
        supervisor.start_shard("games")
        await shard.state.wait_value(ShardState.READY)
        assert await supervisor.invoke("test.greedy", "greet", {}, timeout=20.0) == "hello"

    assert died.report.kind is ExitKind.OUT_OF_DISK
    assert re.fullmatch(f"out of disk: {words}{re.escape(str(data))}", died.report.reason)
    assert died.report.reason in died.report.describe()
    assert given_up.startswith(f"{died.report.reason}; remove what is not needed there or raise the limit")
    assert "`rookery start games`" in given_up


async def test_a_shard_of_less_weight_is_nice(deployment: Deployment) -> None:
    """Also when it was forked. Its neighbour is not."""
    deployment.tables["games"] = "[shard.limits]\ncpu_weight = 50\n"
    own = os.getpriority(os.PRIO_PROCESS, 0)
    async with deployment.run() as supervisor:
        nice = await supervisor.invoke("test.greedy", "niceness", {}, timeout=20.0)
        usual = await supervisor.invoke("test.bystander", "niceness", {}, timeout=20.0)

    assert (nice, usual) == (min(19, own + 9), min(19, own + 5))
