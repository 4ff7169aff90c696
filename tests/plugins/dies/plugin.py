"""A plugin that ends its process, or keeps it, in whichever way and at whichever moment a test says."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import re
import signal
import threading
import time

import trio

from rookery.runner import Field, Plugin, PluginConfig, tool


def die(how: str) -> None:
    """End this process."""
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "segv":
        ctypes.string_at(0)
    elif how in ("fpe", "bus"):
        os.kill(os.getpid(), signal.SIGFPE if how == "fpe" else signal.SIGBUS)
    elif how == "abort":
        os.abort()
    elif how == "exit":
        os._exit(0)


if "ROOKERY_TEST_DIES_AT_IMPORT" in os.environ:
    die("kill")


class DiesConfig(PluginConfig):
    at: str = Field("", "load, task or unload: where it dies.")
    extend: float = Field(0.0, "Seconds by which on_load asks for more time, and which it takes.")


class Dies(Plugin[DiesConfig]):
    async def on_load(self) -> None:
        if self.config.at == "load":
            await trio.lowlevel.checkpoint()
            die("kill")
        if self.config.at == "task":
            self.ctx.start_task(self._die_later)
        if self.config.extend:
            self.ctx.extend_loading(self.config.extend * 2)
            await trio.sleep(self.config.extend)

    async def on_unload(self) -> None:
        if self.config.at == "unload":
            die("kill")

    async def _die_later(self) -> None:
        await trio.sleep(0.05)
        die("kill")

    @tool(description="Ends the process.")
    async def die(self, how: str = "kill", after: float = 0.0) -> None:
        await trio.sleep(after)
        die(how)

    @tool(description="Keeps the loop.")
    async def hang(self, how: str = "sleep") -> None:
        self.ctx.logger.info("hanging")
        if how == "sleep":
            time.sleep(3600)
        elif how == "spin":
            while True:
                pass
        elif how == "regex":
            re.match(r"(a+)+$", "a" * 64 + "b")
        elif how == "lock":
            lock = threading.Lock()
            lock.acquire()
            lock.acquire()

    @tool(description="Waits and does not end when it is cancelled.")
    async def swallow(self) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(3600)

    @tool(description="Waits.")
    async def wait(self, seconds: float = 3600.0) -> str:
        self.ctx.logger.info("waiting")
        await trio.sleep(seconds)
        return "done"

    @tool(description="Forks, and lets the child come back into the loop.")
    async def fork(self) -> int:
        return os.fork()

    @tool(description="Runs a function in a forked child.")
    def fork_well(self) -> int | None:
        child = multiprocessing.get_context("fork").Process(target=len, args=("",))
        child.start()
        child.join(5)
        return child.exitcode
