"""What can a plugin do to the runner that it lives in? All of it, on command: for `rookery soak`, and for nothing else.

There is no manifest beside this file, on purpose: it is copied with one for each shard of a soak test, and no deployment
can name it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

import trio

from rookery.runner import Plugin, event_handler, tool

WORK_TIMEOUT = 10.0
"""Seconds for one piece of work, its waiting for a runner included."""

SHORT_WORK, LONG_WORK, LONG_EVERY = 0.001, 0.3, 9
"""Seconds, and every so many pieces it is the long one."""

FOREVER = 3600
"""Seconds; no host waits for so long."""

PAGE = 4096
MIB = 1024 * 1024


class Soak(Plugin):
    async def on_load(self) -> None:
        self._ballast: list[bytearray] = []

    @tool("work", timeout=WORK_TIMEOUT)
    async def work(self, number: int) -> int:
        # Most of it is quick; the rest is under way when something happens to the runner.
        await trio.sleep(LONG_WORK if number % LONG_EVERY == 0 else SHORT_WORK)
        return number

    @event_handler("soak.event", timeout=WORK_TIMEOUT, idempotent=True)
    async def see(self, number: int) -> None:
        await trio.sleep(SHORT_WORK)

    @tool("block", timeout=FOREVER)
    async def block(self) -> None:
        time.sleep(FOREVER)  # noqa: ASYNC251  # that is the point

    @tool("hold", timeout=FOREVER)
    async def hold(self) -> None:
        """Keep the interpreter lock: no other thread of this process runs either, for years."""
        re.match(r"(a+)+$", "a" * 64 + "b")

    @tool("exit", timeout=FOREVER)
    async def exit(self) -> None:
        os._exit(3)

    @tool("abort", timeout=FOREVER)
    async def abort(self) -> None:
        os.abort()

    @tool("raise_exit")
    async def raise_exit(self) -> None:
        raise SystemExit(4)

    @tool("close_lifeline")
    async def close_lifeline(self) -> None:
        try:
            os.close(_descriptor("--lifeline-fd"))
        except OSError:
            pass  # it was closed before, in the life of this runner

    @tool("garble", timeout=FOREVER)
    async def garble(self) -> None:
        """Write into the connection what is no frame."""
        os.write(_descriptor("--link-fd"), b"\xff" * 64)
        await trio.sleep_forever()

    @tool("flood", timeout=30.0)
    async def flood(self, megabytes: int) -> None:
        line = "soak " * 40
        for _ in range(megabytes * MIB // len(line)):
            print(line)  # noqa: T201

    @tool("leak_child")
    async def leak_child(self) -> int:
        """Start a daemon that nobody stops; its process id."""
        child = subprocess.Popen(  # noqa: ASYNC220
            ["sleep", str(FOREVER)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        child.returncode = 0  # nobody waits for it: without that, Python warns when this object goes
        return child.pid

    @tool("allocate")
    async def allocate(self, megabytes: int) -> None:
        ballast = bytearray(megabytes * MIB)
        for place in range(0, len(ballast), PAGE):
            ballast[place] = 1  # memory that nobody has written to is not there yet
        self._ballast.append(ballast)


def _descriptor(option: str) -> int:
    """A number of this process's command line."""
    return int(sys.argv[sys.argv.index(option) + 1])
