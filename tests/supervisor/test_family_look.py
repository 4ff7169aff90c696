"""What real processes use together."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from rookery.supervisor.family_look import look_at_family
from rookery.supervisor.limits import MIB
from rookery.supervisor.wear import NOTHING

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")]

PROGRAM = """
import os, sys, threading, time
kept = bytearray(b"x") * (50 * 1048576)
pids = []
for _ in range(3):
    pid = os.fork()
    if not pid:
        time.sleep(60)
    pids.append(pid)
for _ in range(5):
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
for pid in pids:
    os.kill(pid, 9)
    os.waitpid(pid, 0)
"""


@pytest.fixture
def parent() -> Iterator[int]:
    """It has filled 50 MiB, has three children that share them, and five threads more."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as popen:
        assert popen.stdout is not None
        assert popen.stdout.readline() == b"ready\n"
        yield popen.pid


def test_threads_and_children_are_counted(parent: int) -> None:
    """One and three processes, and five threads besides the first. Whoever is named twice counts once."""
    assert look_at_family([parent]).tasks == 9
    assert look_at_family([parent, parent]).tasks == 9


def test_what_is_shared_counts_once_where_it_matters(parent: int) -> None:
    """Below the limit the quick sum is good enough; above it each page is divided."""
    quick = look_at_family([parent], memory=1024 * MIB).memory
    exact = look_at_family([parent], memory=100 * MIB).memory

    assert quick > 200 * MIB
    assert 50 * MIB < exact < 100 * MIB


def test_a_count_far_above_the_limit_is_not_finished(parent: int) -> None:
    """A fork bomb must not keep the host busy."""
    assert 4 < look_at_family([parent], tasks=2).tasks < 9


def test_nobody_uses_nothing() -> None:
    """A process that has gone."""
    assert look_at_family([2**22 + 1], memory=1) == NOTHING
