"""The lifeline holds whatever a plugin does with the interpreter and with its descriptors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.slow

ARMED = """
import fcntl, os, re, sys, threading, time
from rookery.runner.lifeline import arm_lifeline

fd = int(sys.argv[1])
arm_lifeline(fd)
time.sleep(0.1)  # the reader's first step has nothing that it could be waited for by
{then}
os.write(1, b"armed")
{hold}
"""

KEEP = ""
CLOSE_ALL = "os.closerange(3, 4096)"
DISARM = "fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_ASYNC)"
SLEEP = "time.sleep(60)"
HOLD = 're.match(r"(a+)+$", "a" * 64 + "b")'


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's part is Linux's")
@pytest.mark.parametrize(
    ("then", "hold", "code"),
    [
        pytest.param(KEEP, HOLD, -signal.SIGKILL, id="the interpreter is held"),
        pytest.param(CLOSE_ALL, HOLD, -signal.SIGKILL, id="held, and all descriptors closed"),
        pytest.param(CLOSE_ALL, SLEEP, -signal.SIGKILL, id="all descriptors closed"),
        pytest.param(DISARM, SLEEP, 77, id="the kernel disarmed"),
    ],
)
def test_the_end_of_the_host_ends_the_runner(then: str, hold: str, code: int) -> None:
    """By the kernel where it is armed, and by the thread where it is not."""
    read, write = os.pipe()
    program = ARMED.format(then=then, hold=hold)
    with subprocess.Popen(
        [sys.executable, "-c", program, str(read)],
        pass_fds=(read,),
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        os.close(read)
        assert process.stdout is not None
        assert process.stdout.read(5) == b"armed"
        closed = time.monotonic()
        os.close(write)

        assert process.wait(10) == code
    assert time.monotonic() - closed < 2
