"""The check that follows every test sees what it is there for."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests import leaks

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_nothing_new_is_no_leak() -> None:
    """Two looks at the same things agree."""
    assert leaks.find_leaks(leaks.take_snapshot(), "/nowhere") == []


def test_an_open_socket_is_seen() -> None:
    """A descriptor that points to something new is named with what it points to."""
    before = leaks.take_snapshot()

    with socket.socket():
        found = leaks.find_leaks(before, "/nowhere")

    assert len(found) == 1
    assert "descriptor left open: " in found[0]


def test_a_reopened_number_is_seen(tmp_path: Path) -> None:
    """A descriptor is known by what it points to, not by its number."""
    first = os.open(tmp_path, os.O_RDONLY)
    before = leaks.take_snapshot()
    os.close(first)
    (tmp_path / "other").touch()
    second = os.open(tmp_path / "other", os.O_RDONLY)

    found = leaks.find_leaks(before, "/nowhere")
    os.close(second)

    assert first == second
    assert len(found) == 1


def test_a_running_thread_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that does not end is named; an idle thread of trio's cache is expected."""
    monkeypatch.setattr(leaks, "THREAD_GRACE", 0.01)
    before = leaks.take_snapshot()
    done = threading.Event()
    threads = [threading.Thread(target=done.wait, name=name) for name in ("stray", "Trio thread 7")]
    for thread in threads:
        thread.start()

    found = leaks.find_leaks(before, "/nowhere")
    done.set()
    for thread in threads:
        thread.join()

    assert found == ["thread left running: 'stray'"]


@linux_only
def test_a_running_child_is_seen_and_killed() -> None:
    """One test's stray process does not live on into the next."""
    tell, told = os.pipe(), os.pipe()
    before = leaks.take_snapshot()
    child = subprocess.Popen(["sh", "-c", "echo; read never"], stdin=tell[0], stdout=told[1])
    os.read(told[0], 1)  # until here the kernel may not yet have set its command line

    found = leaks.find_leaks(before, "/nowhere")

    assert found == [f"child process left: pid {child.pid} (sh -c echo; read never)"]
    assert leaks.find_leaks(before, "/nowhere") == []
    child.wait()  # tells the object that its process is gone
    for descriptor in (*tell, *told):
        os.close(descriptor)


@linux_only
def test_a_zombie_is_seen() -> None:
    """A child that ended and that nobody reaped is a leak too."""
    before = leaks.take_snapshot()
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    found = leaks.find_leaks(before, "/nowhere")

    assert found == [f"child process left: pid {child.pid} (ended, but never reaped)"]
    child.wait()


@linux_only
def test_an_orphan_is_seen_and_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose parent died is found by the TMPDIR that the session gave it."""
    monkeypatch.setattr(leaks, "ORPHAN_GRACE", 0.01)
    os.mkfifo(tmp_path / "never")
    before = leaks.take_snapshot()
    # A fork without a new program: its environment is there from the beginning.
    shell = subprocess.run(
        ["sh", "-c", f"(read line <{tmp_path}/never) >/dev/null & echo $!"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    pidfd = os.pidfd_open(int(shell.stdout))

    found = leaks.find_leaks(before, str(tmp_path))
    ended, _, _ = select.select([pidfd], [], [], 5)
    os.close(pidfd)

    assert f"orphan process left: pid {int(shell.stdout)} (sh -c (read line" in "\n".join(found)
    assert ended


async def test_a_trio_test_leaves_nothing() -> None:
    """Async tests run under trio, and their loop is gone when the check looks."""
    import trio

    assert await trio.to_thread.run_sync(threading.active_count) > 1
