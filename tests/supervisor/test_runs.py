"""What a host finds of an earlier one that was killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rookery.supervisor.process_look import start_time, started_with
from rookery.supervisor.run_name import RUN_VARIABLE, boot_id
from rookery.supervisor.runs import RUNS_DIRECTORY, RunsDirectory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")

COOKIE = "boot:games:7:0123456789abcdef"


@pytest.fixture
def left() -> Iterator[subprocess.Popen[bytes]]:
    """A process that carries the name of an earlier host's runner."""
    environment = {**os.environ, RUN_VARIABLE: COOKIE}
    with subprocess.Popen(["/bin/sleep", "60"], env=environment, start_new_session=True) as child:
        try:
            deadline = time.monotonic() + 10
            # Popen returns while the kernel still sets the new program up, and shows no environment yet.
            while started_with(child.pid, RUN_VARIABLE) != COOKIE and time.monotonic() < deadline:
                time.sleep(0.001)
            yield child
        finally:
            child.kill()


def write(state_dir: Path, boot: str, **values: Any) -> Path:
    path = state_dir / RUNS_DIRECTORY / boot / "games.7"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(values))
    return path


async def test_what_an_earlier_host_left_is_ended(tmp_path: Path, left: subprocess.Popen[bytes]) -> None:
    """A21: the number, the tick and the name agree."""
    RunsDirectory(tmp_path).note("games.7", left.pid, COOKIE)

    killed = await RunsDirectory(tmp_path).sweep()

    assert killed == [left.pid]
    assert left.wait() == -9
    assert list(tmp_path.iterdir()) == []


async def test_a_daemon_of_a_dead_runner_is_ended(tmp_path: Path, left: subprocess.Popen[bytes]) -> None:
    """It is in no file, but carries the name of one that is, and is younger."""
    started = start_time(left.pid)
    assert started is not None
    write(tmp_path, boot_id(), pid=2**22 + 1, started=started - 1, cookie=COOKIE)

    assert await RunsDirectory(tmp_path).sweep() == [left.pid]


@pytest.mark.parametrize(
    ("changed", "boot"),
    [
        pytest.param({"started": 1}, boot_id(), id="another tick: the number was used again"),
        pytest.param({"cookie": "boot:games:8:0123456789abcdef"}, boot_id(), id="another name"),
        pytest.param({"cookie": ""}, boot_id(), id="no name"),
        pytest.param({"started": None}, boot_id(), id="half a file"),
        pytest.param({}, "another-boot", id="before the machine was started"),
    ],
)
async def test_a_process_that_is_not_proved_to_be_it_lives(
    changed: dict[str, Any], boot: str, tmp_path: Path, left: subprocess.Popen[bytes]
) -> None:
    """G5, G8: a number alone proves nothing. The file goes all the same."""
    write(tmp_path, boot, **{"pid": left.pid, "started": start_time(left.pid), "cookie": COOKIE, **changed})

    assert await RunsDirectory(tmp_path).sweep() == []
    assert left.poll() is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"pid": "1"}', b'{"pid": 1}'])
async def test_a_broken_file_is_removed(content: bytes, tmp_path: Path) -> None:
    """G8: the power may have failed while it was written."""
    path = write(tmp_path, boot_id())
    path.write_bytes(content)

    assert await RunsDirectory(tmp_path).sweep() == []
    assert list(tmp_path.iterdir()) == []


def test_files_live_as_long_as_runners(tmp_path: Path) -> None:
    """I23: one for each, none afterwards, and then no directory."""
    runs = RunsDirectory(tmp_path)
    runs.note("a.1", os.getpid(), COOKIE)
    runs.note("b.1", os.getpid(), COOKIE)
    runs.forget("a.1")
    runs.forget("a.1")
    during = [path.name for path in tmp_path.glob("*/*/*")]
    runs.forget("b.1")

    runs.close()

    assert during == ["b.1"]
    assert list(tmp_path.iterdir()) == []


async def test_a_tick_that_is_told_is_as_good_as_one_that_is_read(
    tmp_path: Path, left: subprocess.Popen[bytes]
) -> None:
    """A21: whoever has just started it knows when that was."""
    RunsDirectory(tmp_path).note("games.7", left.pid, COOKIE, started=start_time(left.pid))

    assert await RunsDirectory(tmp_path).sweep() == [left.pid]


def test_one_that_cannot_be_written_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The disk is full: runners start all the same."""
    (tmp_path / RUNS_DIRECTORY).write_text("in the way")
    runs = RunsDirectory(tmp_path)

    runs.note("a.1", os.getpid(), COOKIE)
    runs.note("a.2", os.getpid(), COOKIE)
    runs.forget("a.1")
    runs.close()

    assert len(caplog.records) == 1


def test_a_system_without_boots_has_no_files(tmp_path: Path) -> None:
    """Nothing could be proved by them."""
    RunsDirectory(tmp_path, boot="").note("a.1", os.getpid(), COOKIE)

    assert list(tmp_path.iterdir()) == []
