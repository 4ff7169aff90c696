"""Nothing outlives its parent: what plugins leave behind, and runners whose host is killed. Real hosts, real runners."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import pytest
import trio

from rookery.supervisor.fate import DispatchFailed
from rookery.supervisor.observers import RunnerDied
from rookery.supervisor.process_look import all_processes, look_at, started_with
from rookery.supervisor.run_name import RUN_VARIABLE
from rookery.supervisor.runs import RUNS_DIRECTORY
from tests.doubles.processes import wait_asleep, wait_gone
from tests.whole.deployment import start
from tests.whole.host import Deployment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="what ends orphans is the Linux kernel's"),
]

PROMISED = 0.05
"""Seconds between the death of a host and that of its runners."""

ROUNDS = 3

DAEMONIZE = """
import os, time

def daemonize(path):
    \"\"\"As the books say that it is done; the daemon keeps every descriptor, the connection's among them.\"\"\"
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            with open(path + ".new", "w") as file:
                file.write(str(os.getpid()))
            os.rename(path + ".new", path)
            time.sleep(3600)
        os._exit(0)
    os.wait()
"""

PLUGIN = """
import os, re, time
from pathlib import Path
from rookery.runner import Plugin, tool
{more}

class It(Plugin):
    async def on_load(self):
        Path({marker!r}).write_text(str(os.getpid()))
        {load}

    @tool(description="")
    def act(self) -> None:
        {act}
"""


@pytest.fixture
def deployment(tmp_path: Path, state_dir: Path) -> Deployment:
    return Deployment(tmp_path, state_dir)


def plug(deployment: Deployment, name: str, *, load: str = "pass", act: str = "pass", more: str = "") -> Path:
    """A plugin in a shard of its own; the file that it writes its process id to."""
    marker = deployment.directory / f"{name}.pid"
    deployment.module(name, name, PLUGIN.format(marker=str(marker), load=load, act=act, more=more))
    return marker


async def read_pid(path: Path) -> int:
    with trio.fail_after(20):
        while not (path.exists() and path.read_text()):
            await trio.sleep(0.005)
    return int(path.read_text())


async def test_a_daemon_of_a_plugin_dies_with_its_runner(deployment: Deployment) -> None:
    """B10, E24: it holds the connection, so nobody sees an end of file. The death is proved, and it is swept."""
    path = deployment.directory / "daemon.pid"
    plug(deployment, "maker", act=f"daemonize({str(path)!r})", more=DAEMONIZE)

    async with deployment.run() as supervisor:
        await supervisor.invoke("test.maker", "act")
        daemon = await read_pid(path)
        shard = supervisor.shards["maker"]
        assert shard.pid is not None
        os.kill(shard.pid, signal.SIGKILL)
        died = await deployment.wait_told(RunnerDied)
        await wait_gone(daemon)
        status = supervisor.status()

    assert died.report.signal == signal.SIGKILL
    assert status.custody["adoption"] == "on"


async def test_a_daemon_of_a_plugin_dies_with_its_host(deployment: Deployment) -> None:
    """I1: an orderly stop leaves no process, no zombie, no file."""
    path = deployment.directory / "daemon.pid"
    plug(deployment, "maker", act=f"daemonize({str(path)!r})", more=DAEMONIZE)

    async with deployment.run() as supervisor:
        await supervisor.invoke("test.maker", "act")
        daemon = await read_pid(path)
        names = [path.name for path in deployment.state.glob(f"{RUNS_DIRECTORY}/*/[!~]*")]  # no zygote
        cookie = supervisor.custody.names.cookie_of("maker.1")
        named = [pid for pid in all_processes() if started_with(pid, RUN_VARIABLE) == cookie]

    assert daemon in named
    assert [look_at(pid).state for pid in named] == [""] * len(named)
    assert names == ["maker.1"]
    assert not (deployment.state / RUNS_DIRECTORY).exists()


async def test_a_plugin_that_kills_its_group_kills_its_runner_only(deployment: Deployment) -> None:
    """B16: the host is in another session and another group."""
    plug(deployment, "killer", act="os.killpg(0, 9)")
    plug(deployment, "other")

    async with deployment.run() as supervisor:
        with pytest.raises(DispatchFailed, match="runner lost"):
            await supervisor.invoke("test.killer", "act")
        await deployment.wait_told(RunnerDied)
        await supervisor.invoke("test.other", "act")

    assert {died.report.shard for died in deployment.told(RunnerDied) if not died.report.planned} == {
        "killer"
    }


@contextmanager
def host(deployment: Deployment) -> Iterator[subprocess.Popen[bytes]]:
    """A host of its own, by the command line; killed in the end. It may take its time to load."""
    path = deployment.write()
    path.write_text(path.read_text().replace("plugin_load = 2.0", "plugin_load = 25.0"))
    process = start("run", path, state=deployment.state, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("round_number", range(ROUNDS))
async def test_no_runner_outlives_a_host_that_is_killed(round_number: int, deployment: Deployment) -> None:
    """A21: idle, stopped, busy, holding the interpreter; within 50 ms. The one that is started next finds nothing."""
    del round_number
    markers = [
        plug(deployment, "idle"),
        plug(deployment, "stopped"),
        plug(deployment, "busy", load="while True: pass"),
        plug(deployment, "locked", load="re.match('(a+)+$', 'a' * 50 + 'b')"),
    ]
    with host(deployment) as process:
        pids = [await read_pid(marker) for marker in markers]
        os.kill(pids[1], signal.SIGSTOP)
        pidfds = [os.pidfd_open(pid) for pid in pids]

        process.kill()
        before = time.monotonic()
        delays = [_wait_end(pidfd, before) for pidfd in pidfds]

    for pidfd in pidfds:
        os.close(pidfd)
    assert median(delays) < 10 * PROMISED  # how long exactly is measured by benchmarks/orphans.py
    assert max(delays) < 1.0
    for marker in markers:
        marker.unlink()
    with host(deployment) as process:
        again = [await read_pid(marker) for marker in markers]
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        assert not set(again) & set(pids)


def _wait_end(pidfd: int, before: float) -> float:
    readable, _, _ = select.select([pidfd], [], [], 10)
    assert readable
    return time.monotonic() - before


async def test_the_next_host_ends_the_daemons_of_one_that_was_killed(deployment: Deployment) -> None:
    """A21, G8: the kernel ends the runners with their host, and not what has left their group."""
    path = deployment.directory / "daemon.pid"
    marker = plug(deployment, "maker", load=f"daemonize({str(path)!r})", more=DAEMONIZE)
    with host(deployment) as process:
        runner, daemon = await read_pid(marker), await read_pid(path)
        process.kill()
        process.wait()
        await wait_gone(runner)
        await wait_asleep(daemon)
        path.unlink()
        marker.unlink()

    with host(deployment):
        await wait_gone(daemon)
        await read_pid(marker)
        left = await read_pid(path)
        names = [path.name for path in deployment.state.glob(f"{RUNS_DIRECTORY}/*/[!~]*")]  # no zygote
    os.kill(left, signal.SIGKILL)

    assert names == ["maker.1"]
    assert daemon not in all_processes()
