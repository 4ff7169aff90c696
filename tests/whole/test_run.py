"""A person (or a pipe) at the terminal: typing, killing, stopping."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.whole.deployment import COMMAND, EXAMPLE, Finished, environment, kill, rookery, runner_pids, start

pytestmark = pytest.mark.slow

# Ctrl-C at a terminal is a signal only for the session that the terminal controls.
AT_A_TERMINAL = (
    "import fcntl, os, sys, termios\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "os.execv(sys.argv[1], sys.argv[1:])"
)


class Typist:
    """Somebody at a real terminal in front of `rookery run`."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: int) -> None:
        self.process = process
        self._terminal = terminal
        self.screen = ""

    def type(self, line: str) -> None:
        os.write(self._terminal, f"{line}\n".encode())

    def press(self, key: bytes) -> None:
        os.write(self._terminal, key)

    def wait_for(self, pattern: str, timeout: float = 30.0) -> re.Match[str]:
        """Read the screen until the pattern shows; everything up to it is then taken off."""
        until = time.monotonic() + timeout
        while not (found := re.search(pattern, self.screen)):
            assert time.monotonic() < until, f"{pattern!r} never appeared on the screen:\n{self.screen}"
            self._read()
        self.screen = self.screen[found.end() :]
        return found

    def wait_for_end(self, timeout: float = 40.0) -> int:
        until = time.monotonic() + timeout
        while self.process.poll() is None:
            assert time.monotonic() < until, f"it does not end:\n{self.screen}"
            self._read()
        return self.process.returncode

    def _read(self) -> None:
        try:
            os.set_blocking(self._terminal, False)
            self.screen += os.read(self._terminal, 65536).decode(errors="replace")
        except BlockingIOError:
            time.sleep(0.01)  # a real terminal on the real clock has no event to wait for
        except OSError:
            time.sleep(0.01)


@contextmanager
def typist(state: Path) -> Iterator[Typist]:
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", AT_A_TERMINAL, *COMMAND, "run", EXAMPLE],
            env=environment(state), start_new_session=True, stdin=theirs, stdout=theirs, stderr=theirs,
        )  # fmt: skip
    finally:
        os.close(theirs)
    try:
        yield Typist(process, ours)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(ours)


async def test_a_pipe_is_answered_and_the_run_ends(state_dir: Path) -> None:
    """Lines of a pipe are messages; at the end of input the replies are waited for and the exit code is 0."""
    done = await rookery(
        "run", EXAMPLE, state=state_dir, stdin=b"!help\n!roll 2d6\nalice++\n!karma alice\n!stats\n"
    )

    assert done.code == 0, done
    assert re.search(r"^2d6: \d \+ \d = \d+$", done.out, re.M)
    assert "alice has 1 karma." in done.lines
    assert "4 messages from 1 people" in done.lines
    for name in ("help", "roll", "karma", "seen", "stats", "remind"):
        assert f"!{name}" in done.out


async def test_no_input_at_all_ends_the_run(state_dir: Path) -> None:
    """A closed standard input is the end of input, not an error."""
    done = await rookery("run", EXAMPLE, state=state_dir, stdin=b"")

    assert done.code == 0, done
    assert "Traceback" not in done.err


async def test_input_from_a_regular_file(state_dir: Path, tmp_path: Path) -> None:
    """A file as standard input works like a pipe."""
    (tmp_path / "lines").write_text("!roll 1d1\n")
    with (tmp_path / "lines").open() as file:
        process = start(
            "run", EXAMPLE, state=state_dir, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, err = process.communicate(timeout=60)

    assert process.returncode == 0, Finished(process.returncode, out.decode(), err.decode())
    assert b"1d1: 1" in out


def test_a_killed_runner_comes_back_while_the_chat_goes_on(state_dir: Path) -> None:
    """`kill -9` of a runner is one line that says what died and when it is back; the chat never stops."""
    with typist(state_dir) as person:
        person.type("!roll 1d1")
        person.wait_for(r"1d1: 1")
        shards = json.loads(_status(state_dir))["shards"]
        games = next(shard for shard in shards if shard["name"] == "games")

        kill(games["pid"])

        person.wait_for(r'shard "games".*SIGKILL')
        person.type("!roll 1d1")
        person.wait_for(r"1d1: 1")
        person.press(b"\x03")
        assert person.wait_for_end() == 0
    assert runner_pids() == []


def test_ctrl_z_leaves_the_terminal_to_the_shell(state_dir: Path) -> None:
    """The host stops and with it the runner that reads the terminal; continued, the chat goes on."""
    with typist(state_dir) as person:
        person.type("!roll 1d1")
        person.wait_for(r"1d1: 1")
        shards = json.loads(_status(state_dir))["shards"]
        gateway = next(shard["pid"] for shard in shards if shard["name"] == "gateway")

        person.press(b"\x1a")
        for pid in (person.process.pid, gateway):
            _wait_for_state(pid, "T")
        person.process.send_signal(signal.SIGCONT)
        person.type("!roll 1d1")
        person.wait_for(r"1d1: 1")

        person.press(b"\x03")
        assert person.wait_for_end() == 0
    assert runner_pids() == []


def test_ctrl_c_drains_and_leaves_nothing(state_dir: Path) -> None:
    """One Ctrl-C ends the run in order; nothing of it is left."""
    with typist(state_dir) as person:
        person.type("!roll 1d1")
        person.wait_for(r"1d1: 1")

        person.press(b"\x03")

        assert person.wait_for_end() == 0
        assert "Traceback" not in person.screen
    assert runner_pids() == []


def test_the_host_killed_takes_its_runners_along(state_dir: Path) -> None:
    """`kill -9` of the host leaves no runner behind."""
    with typist(state_dir) as person:
        person.type("!roll 1d1")
        person.wait_for(r"1d1: 1")
        assert len(runner_pids()) >= 5  # and a zygote, where there is one

        person.process.kill()
        person.process.wait()

        until = time.monotonic() + 10
        while runner_pids() and time.monotonic() < until:
            time.sleep(0.02)  # other processes' ends on the real clock
    assert runner_pids() == []


async def test_a_second_run_is_refused_with_the_first_ones_pid(state_dir: Path) -> None:
    """Two runs on one state directory would fight over it: the second says who holds it."""
    first = start(
        "run", EXAMPLE, state=state_dir, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert first.stdin is not None
        assert first.stdout is not None
        first.stdin.write(b"!roll 1d1\n")
        first.stdin.flush()
        assert b"1d1" in first.stdout.readline()

        second = await rookery("run", EXAMPLE, state=state_dir)

        assert second.code == 1
        assert str(first.pid) in second.err
        assert "Traceback" not in second.err
    finally:
        first.communicate(timeout=40)
    assert first.returncode == 0


def test_sigterm_stops_in_order(state_dir: Path) -> None:
    """SIGTERM, as a service manager sends it, ends the run cleanly."""
    process = start(
        "run", EXAMPLE, state=state_dir, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"!roll 1d1\n")
    process.stdin.flush()
    assert b"1d1" in process.stdout.readline()

    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=40)

    assert process.returncode == 0
    assert b"Traceback" not in err
    assert runner_pids() == []


def _wait_for_state(pid: int, state: str) -> None:
    until = time.monotonic() + 10
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != state:
        assert time.monotonic() < until, f"process {pid} does not come into state {state}"
        time.sleep(0.01)  # another process's state on the real clock


def _status(state: Path) -> bytes:
    command = [*COMMAND, "status", str(EXAMPLE), "--json"]
    return subprocess.run(command, env=environment(state), capture_output=True, check=True).stdout
