"""A runner in namespaces of its own is dead when it is dead, and not when what made them is."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest
import trio

from rookery.supervisor.boxed import Boxed
from rookery.supervisor.process import Launch, start
from rookery.supervisor.process_look import stat_fields
from rookery.supervisor.profiles import Isolation
from tests.doubles.confinement import means, need

pytestmark = pytest.mark.slow

HOLD = "a = bytearray(200 << 20)\na[::4096] = b'x' * len(a[::4096])\nprint(flush=True)\nimport time\ntime.sleep(60)"
"""Much memory, which takes the kernel a while to take back."""


@pytest.fixture
def runner() -> Iterator[Boxed]:
    """One that is up."""
    need(Isolation.SANDBOX)
    read, write = os.pipe()
    command = (
        means().bubblewrap,
        "--unshare-user",
        "--unshare-pid",
        "--die-with-parent",
        "--ro-bind",
        "/",
        "/",
    )
    launch = Launch(
        command=(*command, "--proc", "/proc", "--", "python3", "-c", HOLD),
        environment={"PATH": os.environ["PATH"]},
        stdout=write,
        stderr=2,
        inherited=(),
    )
    made = Boxed(start(launch))
    os.close(write)
    os.read(read, 1)
    os.close(read)
    yield made
    made.kill()
    while made.reap() is None:
        time.sleep(0.01)


async def test_it_is_not_dead_while_it_may_still_do_something(runner: Boxed) -> None:
    """What was sent to it may be begun in that time, and would be sent to its successor again."""
    inside = runner.runner_pid
    assert inside != runner.pid

    os.kill(runner.pid, signal.SIGKILL)
    with trio.fail_after(10):
        await runner.wait_dead()

    fields = stat_fields(inside)
    assert fields is None or fields[0] in "ZX"


async def test_a_kill_ends_it_first(runner: Boxed) -> None:
    """Its own end tells bubblewrap, which tells the host by which signal."""
    inside = runner.runner_pid

    runner.kill()
    with trio.fail_after(10):
        await runner.wait_dead()

    fields = stat_fields(inside)
    assert fields is None or fields[0] in "ZX"
    assert runner.reap() == -signal.SIGKILL
