"""Does a confined runner work as any other does, and reach nothing that is not its own?"""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest
import trio

from rookery.supervisor import DispatchFailed
from rookery.supervisor.observers import RunnerDied
from rookery.supervisor.profiles import Isolation
from rookery.supervisor.shard_state import ShardState
from tests.doubles.confinement import need
from tests.whole.host import Deployment

pytestmark = pytest.mark.slow

PROBE = """
    async def on_load(self) -> None:
        self.data = self.ctx.data_dir

    async def on_unload(self) -> None:
        (self.data / "unloaded").write_text("in order")

    @tool(description="What it is, and what it can reach.")
    async def probe(self, path: str) -> dict:
        import os, socket, sqlite3, threading

        def tried(call) -> str:
            try:
                return repr(call())
            except OSError as error:
                return type(error).__name__

        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
        (self.data / "own").write_text("mine")
        status = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
        return {
            "file": tried(lambda: open(path).read()),
            "write": tried(lambda: open(path, "w")),
            "socket": tried(socket.socket),
            "pair": len(socket.socketpair()),
            "fork": tried(os.fork),
            "signal": tried(lambda: os.kill(os.getppid() or 1, 0)),
            "capabilities": status["CapEff"],
            "filter": status["Seccomp"],
            "privileges": status["NoNewPrivs"],
            "sqlite": sqlite3.connect(str(self.data / "db")).execute("select 1").fetchone()[0],
            "number": os.getpid(),
        }

    @tool(description="Never returns.")
    async def block(self) -> None:
        while True:
            pass
"""

CONFINING = [Isolation.CONFINED, Isolation.SANDBOX]


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("a token")
    return path


@pytest.fixture
def deployment(tmp_path: Path, state_dir: Path) -> Deployment:
    return Deployment(tmp_path, state_dir)


@pytest.mark.parametrize("isolation", CONFINING)
async def test_a_confined_runner_works_and_reaches_nothing_else(
    deployment: Deployment, secret: Path, isolation: Isolation
) -> None:
    """Threads, files of its own and a database work; files, sockets, processes and signals of others do not."""
    need(isolation)
    deployment.plugin("guests", "probe", PROBE)
    deployment.tables["guests"] = f'isolation = "{isolation}"'

    async with deployment.run() as supervisor:
        found: dict[str, Any] = await supervisor.invoke("test.probe", "probe", {"path": str(secret)})
        reached = supervisor.confiner.reached["guests"]
        pid = supervisor.shard("guests").pid
        assert pid is not None
        number = found.pop("number")

    assert found.pop("file") in ("PermissionError", "FileNotFoundError")
    del found["write"]  # a sandbox has a directory of the same name, and a file of its own in it
    assert found == {
        "socket": "PermissionError",
        "pair": 2,
        "fork": "PermissionError",
        "signal": "PermissionError",
        "capabilities": "0" * 16,
        "filter": "2",
        "privileges": "1",
        "sqlite": 1,
    }
    assert reached.profile is isolation
    assert secret.read_text() == "a token"
    assert (number == pid) is (isolation is Isolation.CONFINED)
    assert (deployment.state / "plugins" / "test.probe" / "unloaded").read_text() == "in order"


@pytest.mark.parametrize("isolation", CONFINING)
async def test_a_confined_runner_that_is_killed_is_replaced(
    deployment: Deployment, isolation: Isolation
) -> None:
    """Its death is told as that of any other, by the signal that ended it."""
    need(isolation)
    deployment.plugin("guests", "probe", PROBE)
    deployment.tables["guests"] = f'isolation = "{isolation}"'

    async with deployment.run() as supervisor:
        shard = supervisor.shard("guests")
        assert shard.pid is not None
        os.kill(shard.pid, signal.SIGKILL)
        died = await deployment.wait_told(RunnerDied)
        with trio.fail_after(20):
            await shard.state.wait_value(lambda state: state is ShardState.READY and shard.incarnation == 2)
        again = await supervisor.invoke("test.probe", "probe", {"path": "/nothing"})

    assert died.report.signal == signal.SIGKILL
    assert again["pair"] == 2


@pytest.mark.parametrize("isolation", CONFINING)
async def test_a_confined_runner_that_hangs_says_where(deployment: Deployment, isolation: Isolation) -> None:
    """It is asked for its stacks and killed, wherever its process lives."""
    need(isolation)
    deployment.plugin("guests", "probe", PROBE)
    deployment.tables["guests"] = (
        f'isolation = "{isolation}"\n[shard.health]\nbeat_timeout = 1.0\nhang_timeout = 2.0\nack_timeout = 1.0'
    )

    async with deployment.run() as supervisor, trio.open_nursery() as nursery:
        nursery.start_soon(_call, supervisor, "block")
        died = await deployment.wait_told(RunnerDied)
        nursery.cancel_scope.cancel()

    assert "block" in str(died.report.place), died.report


async def _call(supervisor: Any, tool: str) -> None:
    with pytest.raises(DispatchFailed, match="hung"):
        await supervisor.invoke("test.probe", tool)


async def test_a_shard_that_cannot_be_isolated_does_not_start_and_the_others_run(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given up at once, with what is missing; nothing of it has run."""
    monkeypatch.setenv("PATH", "/nowhere")  # where bubblewrap is looked for
    deployment.plugin("guests", "guest", PROBE)
    deployment.plugin(
        "own", "other", '@tool(description="")\nasync def where(self) -> str:\n    return "here"'
    )
    deployment.tables["guests"] = 'isolation = "sandbox"\nallow_subprocess = true'

    async with deployment.run() as supervisor:
        shard = supervisor.shard("guests")
        with trio.fail_after(5):
            await shard.state.wait_value(ShardState.FAILED)
        found = await supervisor.invoke("test.other", "where")
        status = {each.name: each for each in supervisor.status().shards}

    assert shard.last_exit is not None
    assert shard.last_exit.describe() == (
        'shard "guests" #1 could not be started: isolation = "sandbox" is not available here, so the shard was not started.'
        " bubblewrap: bwrap is not installed: install the package bubblewrap. landlock and seccomp alone: not enough with"
        " allow_subprocess = true"
    )
    assert "this machine does not isolate it as it has to be" in status["guests"].reason
    assert found == "here"
    assert (status["guests"].isolation, status["own"].isolation) == ("none", "process")
    assert not (deployment.state / "plugins" / "test.guest").exists()


async def test_a_weaker_profile_is_taken_where_it_was_named(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the status says that it is less."""
    monkeypatch.setenv("PATH", "/nowhere")
    deployment.plugin("guests", "probe", PROBE)
    deployment.tables["guests"] = (
        'isolation = "sandbox"\nallow_subprocess = true\nisolation_fallback = "process"'
    )

    async with deployment.run() as supervisor:
        [status] = supervisor.status().shards

    assert (status.isolation, status.is_weaker, status.state) == ("process", True, "ready")


@pytest.mark.parametrize("start", ["spawn", "zygote"])
async def test_a_plain_runner_steps_back_behind_its_host(deployment: Deployment, start: str) -> None:
    """No privilege by what it starts, last at the processor, first to go when memory is short, files for its user alone, and
    limits; forked or not."""
    deployment.plugin("ours", "probe", PROBE)
    deployment.tables["ours"] = f'start = "{start}"\n[shard.limits]\nrss_hard = "3G"\nfile_size = "5M"'

    async with deployment.run() as supervisor:
        pid = supervisor.shard("ours").pid
        assert pid is not None
        status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if ":\t" in line
        )
        score = int(Path(f"/proc/{pid}/oom_score_adj").read_text())
        niceness = os.getpriority(os.PRIO_PROCESS, pid)
        limits = {
            kind: resource.prlimit(pid, kind)
            for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_DATA)
        }

    assert (status["NoNewPrivs"], status["Umask"], score, niceness) == ("1", "0077", 500, 5)
    assert limits == {
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_FSIZE: (5 * 2**20,) * 2,
        resource.RLIMIT_DATA: (6 * 2**30,) * 2,
    }
