"""What is a host like while one of its runners attacks it: how late its loop is, how large it is, and how those next door do?

The loop's work is measured in processor time of its own thread, between two waits for input: what a machine that others
use takes away is not the host's doing, and does not make a test fail. A twin process that only sleeps says how late
everybody is.
"""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

from rookery.supervisor import Supervisor
from rookery.supervisor.guarded_socket import refuse_descriptors
from tests.whole.host import Deployment

SCRIPT = str(Path(__file__).parent.parent / "doubles" / "hostile_runner.py")
SHORT = "load = 5.0\n[shard.health]\nframe_timeout = 1.0\nbeat_timeout = 2.0\nack_timeout = 1.5\nhang_timeout = 3.0\nwrite_stall = 2.0\n"
STRANGER = 'trust = "untrusted"\nown_user = false\nautostart = false\n'

TICK = 0.005
TWIN = f"""
import sys, time
worst = 0.0
print("ready", flush=True)
import select
while not select.select([sys.stdin], [], [], 0)[0]:
    before = time.monotonic()
    time.sleep({TICK})
    worst = max(worst, time.monotonic() - before - {TICK})
print(worst)
"""


@attrs.define
class Strain:
    """What an attack cost the host."""

    longest_pass: float = 0.0
    """Of the loop, in seconds of processor time."""
    lag: float = 0.0
    """The latest that a timer of the host's was, in seconds."""
    twin_lag: float = 0.0
    """The latest that one of a process was that does nothing else."""
    growth: int = 0
    """Of the host's memory at its largest, in bytes."""
    greetings: int = 0
    """Calls that those next door have answered."""
    slowest: float = 0.0
    """The longest of these calls, in seconds."""
    typical: float = 0.0
    """Their median."""
    calm: float = 0.0
    """The median before."""


class Passes(trio.abc.Instrument):
    """Measures each pass of the scheduler."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._began = time.thread_time()

    def after_io_wait(self, timeout: float) -> None:
        self._began = time.thread_time()

    def before_io_wait(self, timeout: float) -> None:
        self.longest = max(self.longest, time.thread_time() - self._began)


def own_memory() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def kernel_refuses() -> bool:
    """Whether a socket of this machine can refuse descriptors."""
    one, other = socket.socketpair()
    with one, other:
        return refuse_descriptors(one)


@asynccontextmanager
async def under_strain(supervisor: Supervisor) -> AsyncIterator[Strain]:
    """Measure for as long as the block runs, while the bystander is asked all the time; its first failure raises."""
    strain = Strain()
    strain.calm = await _calm(supervisor)
    # A collection would look at all that the tests have imported, which is not the host's doing either.
    gc.collect()
    gc.freeze()
    before = own_memory()
    with subprocess.Popen(
        [sys.executable, "-c", TWIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as twin:
        assert twin.stdout is not None
        twin.stdout.readline()
        times: list[float] = []
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_measure, strain, before)
                nursery.start_soon(_greet, supervisor, times)
                passes = Passes()
                trio.lowlevel.add_instrument(passes)
                try:
                    yield strain
                finally:
                    trio.lowlevel.remove_instrument(passes)
                nursery.cancel_scope.cancel()
        finally:
            gc.unfreeze()
            strain.twin_lag = float(twin.communicate("end\n")[0].split()[-1])
        strain.longest_pass = passes.longest
        strain.greetings = len(times)
        strain.slowest = max(times, default=0.0)
        strain.typical = sorted(times)[len(times) // 2] if times else 0.0


async def _calm(supervisor: Supervisor) -> float:
    times: list[float] = []
    with trio.move_on_after(0.5):
        await _greet(supervisor, times)
    return sorted(times)[len(times) // 2]


async def _measure(strain: Strain, before: int) -> None:
    while True:
        at = time.monotonic()
        await trio.sleep(TICK)
        strain.lag = max(strain.lag, time.monotonic() - at - TICK)
        strain.growth = max(strain.growth, own_memory() - before)


async def _greet(supervisor: Supervisor, times: list[float]) -> None:
    while True:
        at = time.monotonic()
        assert await supervisor.invoke("test.bystander", "greet", timeout=20.0) == "hello"
        times.append(time.monotonic() - at)
        await trio.sleep(0.002)  # it is no synchronisation: a loop of calls alone would measure itself


def attacked(directory: Path, state: Path) -> Deployment:
    """A deployment with a stranger's shard that is to be started by hand, and one next door."""
    made = Deployment(directory, state)
    made.shard_more = SHORT
    made.plugin(
        "hostile",
        "evil",
        '@tool("greet")\nasync def greet(self):\n    return "hello"',
        capabilities=["config.get"],
    )
    made.plugin("other", "bystander", '@tool("greet")\nasync def greet(self):\n    return "hello"')
    made.tables["hostile"] = STRANGER
    made.more = '[grants.untrusted]\nallow = ["config.get"]\n'
    return made


def attack(supervisor: Supervisor, name: str) -> None:
    """Have a hostile runner in the stranger's shard."""
    shard = supervisor.shards["hostile"]
    mark = supervisor.settings.state_dir / "attacked"
    shard.runner_command = (sys.executable, SCRIPT, name, str(mark))
    shard.start()
