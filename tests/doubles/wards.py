"""Children in custody, and the daemons that they make."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from rookery.supervisor.custody import Custody, open_custody
from rookery.supervisor.process import Launch, Process
from rookery.supervisor.process_look import children_of
from rookery.supervisor.reaper import Reaper

SLEEP = "time.sleep(3600)"
DAEMON = f"""
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        BODY
        print(os.getpid(), flush=True)
        {SLEEP}
    os._exit(0)
os.wait()
{SLEEP}
"""
"""As the books say that a daemon is made."""

HIDE = "os.execve(sys.executable, [sys.executable, '-S', '-c', 'import os, time; print(os.getpid(), flush=True); {}'], {{}})"
"""Become a program that carries no name."""


class Ward:
    """A child in custody, and the pipe that it and its own write to."""

    def __init__(self, custody: Custody, program: str, run: str = "test.1") -> None:
        self.out, stdout = os.pipe()
        try:
            self.process: Process = custody.spawn(
                Launch(
                    command=(sys.executable, "-S", "-c", f"import os, signal, sys, time\n{program}"),
                    environment=os.environ,
                    stdout=stdout,
                    stderr=2,
                    inherited=(),
                    run=run,
                )
            )
        finally:
            os.close(stdout)
        os.set_blocking(self.out, False)

    async def read_pid(self) -> int:
        """The number that one of them has printed."""
        with trio.fail_after(10):
            await trio.lowlevel.wait_readable(self.out)
        return int(os.read(self.out, 100))

    async def bury(self) -> int | None:
        """What is done when a runner has died."""
        self.process.kill()
        with trio.fail_after(10):
            await self.process.wait_dead()
        self.process.sweep()
        status = self.process.reap()
        os.close(self.out)
        return status


@asynccontextmanager
async def custody_in(state_dir: Path, *, owns_process: bool = False) -> AsyncIterator[Custody]:
    """Custody as a host has it: somebody looks after it."""
    async with open_custody(state_dir, owns_process=owns_process) as custody, trio.open_nursery() as nursery:
        nursery.start_soon(custody.run)
        yield custody
        nursery.cancel_scope.cancel()


def looks(custody: Custody) -> Reaper:
    assert custody.reaper is not None
    return custody.reaper


async def wait_adopted(*pids: int) -> None:
    """One of them is a child of the host."""
    with trio.fail_after(10):
        while not set(pids) & set(children_of(os.getpid())):
            await trio.sleep(0.005)
