"""The host as a service: under a service manager, as the first process of a container, on a full disk, in a flood."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rookery.supervisor.control_client import NotRunning, ask
from tests.doubles.deployments import write_config, write_plugin
from tests.whole.deployment import COMMAND, environment

pytestmark = pytest.mark.slow

QUIET = "from rookery.runner import Plugin\n\nclass It(Plugin):\n    pass\n"

STRANGERS = """
import subprocess
from rookery.runner import Plugin

class It(Plugin):
    async def on_load(self):
        # Daemons: their parents end at once, and whoever is process 1 inherits them. The environment says nothing.
        for _ in range(3):
            subprocess.run(["env", "-i", "sh", "-c", "(sleep 0.2 & exec true) & exec true"], check=True)
"""

FLOOD = """
import subprocess
from rookery.runner import Plugin

class It(Plugin):
    async def on_load(self):
        self.flood = subprocess.Popen(["yes", "x" * 100])
"""


class Bot:
    """A bot in a process of its own."""

    def __init__(self, directory: Path, process: subprocess.Popen[bytes]) -> None:
        self.directory = directory
        self.state = directory / "state"
        self.process = process

    @property
    def told(self) -> str:
        """What it has said on its terminal."""
        return (self.directory / "out").read_text()

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = ask(self.state, "status")
        return status

    def wait(self, condition: Callable[[], Any], what: str) -> Any:
        until = time.monotonic() + 30
        while True:
            try:
                if found := condition():
                    return found
            except NotRunning:
                pass
            assert time.monotonic() < until, f"{what} never came:\n{self.told}"
            assert self.process.poll() is None, f"it has ended:\n{self.told}"
            time.sleep(0.02)  # another process

    def wait_running(self) -> None:
        self.wait(lambda: self.status()["state"] == "running", "readiness")

    def order(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments, "--state", str(self.state)], capture_output=True, text=True, check=False
        )


class Bots:
    """Starts bots, and ends those that a test leaves."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._bots: list[Bot] = []

    def start(
        self, code: str = QUIET, *, wrapper: tuple[str, ...] = (), more: str = "", **environ: str
    ) -> Bot:
        directory = self._directory
        if not self._bots:
            write_plugin(directory, "test.it", code=code)
        text = f'[rookery]\nname = "test"\nplugin_dirs = ["plugins"]\nstate_dir = "{directory / "state"}"\n'
        config = write_config(directory, f'{text}[[shard]]\nname = "it"\nplugins = ["test.it"]\n{more}')
        with (directory / "out").open("wb") as out:
            process = subprocess.Popen(
                [*wrapper, *COMMAND, "run", str(config)],
                env={**environment(directory), **environ},
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        self._bots.append(Bot(directory, process))
        return self._bots[-1]

    def end(self) -> None:
        for bot in self._bots:
            if bot.process.poll() is None:
                os.killpg(bot.process.pid, signal.SIGKILL)
            bot.process.wait()


@pytest.fixture
def bots(tmp_path: Path) -> Iterator[Bots]:
    bots = Bots(tmp_path)
    yield bots
    bots.end()


class Manager:
    """The socket of a service manager."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(20)

    def close(self) -> None:
        self._socket.close()

    def wait_for(self, word: str) -> str:
        while word not in (told := self._socket.recv(4096).decode()):
            pass
        return told


@pytest.fixture
def manager(state_dir: Path) -> Iterator[Manager]:
    manager = Manager(state_dir / "notify")
    yield manager
    manager.close()


def test_a_service_manager_hears_of_the_whole_life(bots: Bots, manager: Manager, state_dir: Path) -> None:
    """Ready, alive, stopping; started again when an operator wants that."""
    bot = bots.start(NOTIFY_SOCKET=str(state_dir / "notify"), WATCHDOG_USEC="400000")

    ready = manager.wait_for("READY=1")
    for _ in range(3):
        manager.wait_for("WATCHDOG=1")
    done = bot.order("stop", "--restart")
    stopping = manager.wait_for("STOPPING=1")

    assert "STATUS=1 of 1 shards are ready" in ready
    assert "STATUS=stopping" in stopping
    assert (done.returncode, done.stdout) == (0, "stopped\n")
    assert bot.process.wait(10) == 75


def test_the_state_directory_is_free_when_stop_returns(bots: Bots) -> None:
    """`rookery stop && rookery run` works."""
    first = bots.start()
    first.wait_running()

    stopped = first.order("stop")
    second = bots.start()
    second.wait_running()

    assert stopped.returncode == 0
    assert first.process.wait(10) == 0
    assert second.order("stop").returncode == 0


def test_a_shell_that_ignores_its_children_does_no_harm(bots: Bots) -> None:
    """What is inherited from it is undone: the host sees how its runners end."""
    bot = bots.start(wrapper=("sh", "-c", 'trap "" CHLD; exec "$@"', "sh"))
    bot.wait_running()

    os.kill(bot.status()["shards"][0]["pid"], signal.SIGKILL)
    bot.wait(lambda: bot.status()["shards"][0]["incarnation"] == 2, "the next runner")

    assert "was killed by SIGKILL" in bot.told
    assert bot.order("stop").returncode == 0


JOB = """
import threading, os
from rookery.runner import Plugin

class It(Plugin):
    async def on_load(self):
        threading.Timer(0.5, os._exit, [0]).start()
"""


@pytest.mark.parametrize(
    ("code", "more", "exit_code", "told"),
    [
        pytest.param(
            JOB,
            'group = "jobs"\nsignificance = "one_shot"\n[shard.restart]\nmode = "transient"\n'
            '[[group]]\nname = "jobs"\nauto_shutdown = "all_significant"\n',
            0,
            "stopping: ",
            id="a job that is done",
        ),
        pytest.param(
            "import os\nos._exit(3)\n",
            'group = "core"\nsignificance = "required"\n[shard.restart]\nbackoff_base = 0.05\nburst_limit = 1\n'
            '[[group]]\nname = "core"\nrestart_limit = 1\n',
            70,
            "the host ends: ",
            id="a required shard that cannot be helped",
        ),
    ],
)
def test_an_end_that_nobody_asked_for_has_its_exit_code(
    code: str, more: str, exit_code: int, told: str, bots: Bots
) -> None:
    """As a service manager reads it, and with a line for people."""
    bot = bots.start(code, more=more)

    assert bot.process.wait(30) == exit_code, bot.told
    assert told in bot.told


def test_a_full_disk_stops_no_log_reader_and_no_bot(bots: Bots) -> None:
    """D7: told once, seen in the status; the newest lines are in memory; when there is room the file goes on."""
    code = QUIET.replace("    pass", '    async def on_load(self):\n        self.ctx.logger.info("hello")')
    bot = bots.start(code)
    bot.wait_running()
    bot.order("stop")
    log = bot.state / "log" / "rookery.log"
    log.unlink()
    log.symlink_to("/dev/full")

    bot = bots.start()
    bot.wait_running()
    full = bot.wait(lambda: bot.status()["logs"]["degraded"] and bot.status()["logs"], "the flag")
    kept = bot.order("logs", "--plugin", "test.it")
    table = bot.order("status")
    log.unlink()
    bot.wait(lambda: not bot.status()["logs"]["degraded"], "the way back")
    again = bot.status()["logs"]
    bot.order("stop")

    assert "No space left on device" in full["reason"]
    assert "hello" in kept.stdout
    assert "the log file cannot be written: No space left on device" in table.stdout
    assert again == {"degraded": False, "reason": "", "lost": 0}
    assert bot.told.count("cannot be written") == 1
    assert "is written again" in bot.told
    assert "ready in" in log.read_text()


def test_a_flood_of_output_slows_nobody(bots: Bots) -> None:
    """D10: what is too much is dropped and counted, and the host goes on answering."""
    bot = bots.start(FLOOD)
    bot.wait_running()

    bot.wait(lambda: bot.status()["shards"][0]["dropped_lines"] or _said_dropped(bot), "the first drop")
    took = []
    for _ in range(20):
        began = time.monotonic()
        bot.status()
        took.append(time.monotonic() - began)
    stopped = bot.order("stop")

    assert sorted(took)[10] < 0.5
    assert stopped.returncode == 0
    assert bot.process.wait(10) == 0
    assert (bot.state / "log" / "rookery.log").stat().st_size < 11 * 1024 * 1024


def _said_dropped(bot: Bot) -> bool:
    """The runner counts what it drops itself."""
    return any("dropped" in line["text"] for line in _logs(bot))


def _logs(bot: Bot) -> list[dict[str, Any]]:
    return [json.loads(line) for line in bot.order("logs", "-n", "1000", "--json").stdout.splitlines()]


def _may_unshare() -> bool:
    tool = shutil.which("unshare")
    if tool is None or sys.platform != "linux":
        return False
    done = subprocess.run(
        [tool, "--pid", "--fork", "--mount-proc", "true"], capture_output=True, check=False, timeout=10
    )
    return done.returncode == 0


def test_the_host_may_be_process_1(bots: Bots) -> None:
    """G4: as in a container. Strangers that nobody waits for are reaped, a dead runner comes back, SIGTERM stops it."""
    if not _may_unshare():
        pytest.skip("this user may not make a PID namespace")
    bot = bots.start(STRANGERS, wrapper=("unshare", "--pid", "--fork", "--mount-proc"))
    bot.wait_running()
    first = bot.status()
    [host] = _children(bot.process.pid)

    bot.wait(lambda: _states(host) == {"S"}, "the end of the strangers")
    [runner] = _children(host)
    os.kill(runner, signal.SIGKILL)
    bot.wait(lambda: bot.status()["shards"][0]["incarnation"] == 2, "the next runner")
    os.kill(host, signal.SIGTSTP)  # as by Ctrl-Z: there is no shell to go back to
    bot.wait_running()
    os.kill(host, signal.SIGTERM)

    assert first["pid"] == 1
    assert bot.process.wait(20) == 0, bot.told
    assert "was killed by SIGKILL" in bot.told


def _children(pid: int) -> list[int]:
    """Of a process, without a zygote."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found if b"--zygote" not in Path(f"/proc/{child}/cmdline").read_bytes()]


def _states(pid: int) -> set[str]:
    """The states of the host's children, when a runner alone is left."""
    children = _children(pid)
    states = {Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] for child in children}
    return states if len(children) == 1 else set()
