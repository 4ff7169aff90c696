"""What the kernel says about processes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from rookery.supervisor import process_look
from rookery.supervisor.process_look import (
    all_processes,
    children_of,
    look_at,
    start_time,
    started_with,
    stat_fields,
    ticks_since_boot,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")

NOBODY = 2**22 + 1
"""Above the largest process id that there can be."""


def test_this_process_is_seen() -> None:
    """It runs, it has a size, and it started once."""
    look = look_at(os.getpid())

    assert look.state == "R"
    assert look.rss > 1_000_000
    assert start_time(os.getpid()) == start_time(os.getpid())
    assert os.getpid() in all_processes()


def test_a_process_starts_in_a_tick_of_the_clock() -> None:
    """So it need not be asked for, which waits until the kernel has set the new program up."""
    before = ticks_since_boot()
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as child:
        after = ticks_since_boot()
        started = start_time(child.pid)

    assert before is not None
    assert after is not None
    assert started is not None
    assert before <= started <= after


def test_of_nobody_nothing_is_known() -> None:
    """And nothing is raised."""
    assert look_at(NOBODY).state == ""
    assert stat_fields(NOBODY) is None
    assert start_time(NOBODY) is None
    assert children_of(NOBODY) == []
    assert started_with(NOBODY, "PATH") == ""


@pytest.mark.parametrize("has_list", [pytest.param(True, id="a list"), pytest.param(False, id="no list")])
def test_children_are_found(has_list: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Living ones and those that were not reaped, with the kernel's list and by everybody's parent."""
    if not has_list:
        monkeypatch.setattr(process_look.os.path, "exists", lambda path: not path.endswith("children"))
    child = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE)
    assert child.stdin is not None

    alive = children_of(os.getpid())
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    dead = children_of(os.getpid())
    child.wait()

    assert child.pid in alive
    assert child.pid in dead
    assert child.pid not in children_of(os.getpid())


def test_the_environment_of_a_program_is_read() -> None:
    """A whole name only, and never another's beginning.

    ``Popen`` returns a moment before the kernel has set the new program's environment: what the program answers is waited for.
    """
    with subprocess.Popen(
        ["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"AB": "1=2", "B": "3"}
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"here")
        child.stdin.flush()
        assert child.stdout.read(4) == b"here"
        found = [started_with(child.pid, name) for name in ("AB", "B", "A")]

    assert found == ["1=2", "3", ""]
