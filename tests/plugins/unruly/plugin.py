"""A plugin that does what no plugin should, and lives on."""

from __future__ import annotations

import asyncio
import atexit
import faulthandler
import logging
import multiprocessing
import os
import resource
import signal
import threading
import time
from typing import Any

import trio

from rookery.runner import Plugin, tool

WORST: dict[str, BaseException] = {
    "SystemExit": SystemExit(0),
    "KeyboardInterrupt": KeyboardInterrupt(),
    "GeneratorExit": GeneratorExit(),
    "BaseExceptionGroup": BaseExceptionGroup("both", [SystemExit(1), KeyboardInterrupt()]),
    "ValueError": ValueError("half a character: \ud800"),
}


def _results() -> dict[str, Any]:
    circle: list[Any] = []
    circle.append(circle)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    return {
        "object": object(),
        "circle": circle,
        "deep": deep,
        "huge": 2**64,
        "surrogate": "\ud800",
        "surrogate as key": {"\ud800": 1},
        "large": b"x" * 17_000_000,
    }


def _forever() -> int:
    return _forever() + 1


def _work_of_its_own() -> None:
    logging.getLogger("plugin.test.unruly").error("the child logs")
    print("the child prints", flush=True)


class Unruly(Plugin):
    async def on_unload(self) -> None:
        self.ctx.logger.info("unloaded")

    @tool(description="Raises the worst.")
    async def worst(self, what: str) -> None:
        raise WORST[what]

    @tool(description="Calls itself.")
    async def recurse(self) -> int:
        return _forever()

    @tool(description="Returns what cannot be sent.")
    async def result(self, what: str) -> Any:
        return _results()[what]

    @tool(description="Fails in a thread of its own.")
    async def fail_in_thread(self) -> None:
        threading.Thread(target=_forever, name="worker").start()

    @tool(description="Takes away what shows where it is.")
    async def hide(self) -> None:
        faulthandler.disable()
        faulthandler.unregister(signal.SIGUSR1)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        logging.getLogger().handlers.clear()

    @tool(description="Opens files until there are no more.")
    async def exhaust(self) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        self.files = []
        while True:
            self.files.append(open("/dev/null"))  # noqa: SIM115  # kept on purpose

    @tool(description="Hangs when the interpreter ends.")
    async def hang_at_exit(self) -> None:
        atexit.register(time.sleep, 3600)

    @tool(description="Runs loops of its own in threads.")
    async def own_loops(self) -> list[str]:
        done: list[str] = []

        async def with_trio() -> None:
            await trio.sleep(0.05)
            done.append("trio")

        async def with_asyncio() -> None:
            await asyncio.sleep(0.05)
            done.append("asyncio")

        threads = [
            threading.Thread(target=trio.run, args=(with_trio,)),
            threading.Thread(target=lambda: asyncio.run(with_asyncio())),
        ]
        for thread in threads:
            thread.start()
        with trio.move_on_after(5):
            while len(done) < 2:
                await trio.sleep(0.01)
        return sorted(done)

    @tool(description="Waits.")
    async def wait(self, seconds: float = 3600.0) -> str:
        self.ctx.logger.info("waiting")
        await trio.sleep(seconds)
        return "done"

    @tool(description="Waits in a thread.")
    def wait_in_thread(self, seconds: float) -> str:
        self.ctx.logger.info("waiting in a thread")
        time.sleep(seconds)
        return "done"

    @tool(description="Waits and does not end when it is cancelled.")
    async def swallow(self) -> None:
        self.ctx.logger.info("swallowing")
        with trio.CancelScope(shield=True):
            await trio.sleep(3600)

    @tool(description="Says who it is.")
    async def say(self) -> int:
        self.ctx.logger.info("said by %d", os.getpid())
        return os.getpid()

    @tool(description="Forks, and lets the child come back into the loop.")
    async def fork(self) -> int:
        return os.fork()

    @tool(description="Forks in a thread, and lets the child come back.")
    def fork_in_thread(self) -> int:
        return os.fork()

    @tool(description="Forks, and lets the child raise its way out.")
    async def fork_and_exit(self) -> int:
        child = os.fork()
        if not child:
            raise SystemExit(0)
        return child

    @tool(description="Forks, and lets the child wait in the loop.")
    async def fork_and_wait(self) -> int:
        child = os.fork()
        if not child:
            await trio.sleep(3600)
        return child

    @tool(description="Has a child process that logs and prints.")
    async def fork_well(self) -> int | None:
        child = multiprocessing.get_context("fork").Process(target=_work_of_its_own)
        child.start()
        with trio.move_on_after(10):
            while child.is_alive():
                await trio.sleep(0.01)
        return child.exitcode
