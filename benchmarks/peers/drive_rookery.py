"""How is a plugin called? A supervised runner with everything on, as any deployment has it, and `Supervisor.invoke`.

The variant `plain` has a plain function as the handler instead of an async one.
"""

from __future__ import annotations

import logging
import time
from importlib.metadata import version
from typing import TYPE_CHECKING

import trio
from course import IN_FLIGHT, MESSAGE, WARM_UP, Asked, check, latency, scratch, variant

from rookery.supervisor import Supervisor, load_settings, open_supervisor

if TYPE_CHECKING:
    from pathlib import Path

CODE = """
from rookery.runner import Plugin, tool


class It(Plugin):
    @tool("answer")
    {keyword}def answer(self, message: dict) -> dict:
        return {{"ok": True, "seen": message["message_id"]}}
"""
CONFIG = """
[rookery]
name = "peers"
plugin_dirs = ["plugins"]
state_dir = "state"

[[shard]]
name = "peer"
plugins = ["peers.peer"]
"""


def write_deployment(directory: Path) -> Path:
    folder = directory / "plugins" / "peer"
    folder.mkdir(parents=True)
    (folder / "plugin.toml").write_text('[plugin]\nid = "peers.peer"\nversion = "1.0.0"\n')
    (folder / "plugin.py").write_text(CODE.format(keyword="" if variant() == "plain" else "async "))
    path = directory / "rookery.toml"
    path.write_text(CONFIG)
    return path


class Caller:
    """Calls the plugin, alone or 64 times at once."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    async def call(self) -> object:
        return await self._supervisor.invoke("peers.peer", "answer", {"message": MESSAGE})

    async def one_after_the_other(self, seconds: float) -> list[float]:
        taken: list[float] = []
        start = before = time.perf_counter()
        while before - start < seconds or not taken:
            await self.call()
            after = time.perf_counter()
            taken.append((after - before) * 1e6)
            before = after
        return taken

    async def in_flight(self, seconds: float) -> int:
        counts = []

        async def repeat() -> None:
            counts.append(len(await self.one_after_the_other(seconds)))

        async with trio.open_nursery() as nursery:
            for _ in range(IN_FLIGHT):
                nursery.start_soon(repeat)
        return sum(counts)


async def main() -> None:
    asked = Asked()
    async with open_supervisor(load_settings(write_deployment(scratch())), owns_process=True) as supervisor:
        await supervisor.wait_ready()
        caller = Caller(supervisor)
        for _ in range(WARM_UP):
            check(await caller.call())
        asked.ready(version("rookery"))
        while (order := await trio.to_thread.run_sync(asked.order)) is not None:
            case, seconds = order
            start = time.perf_counter()
            if case == "round_trip":
                figures = latency(await caller.one_after_the_other(seconds))
            else:
                figures = {"calls": await caller.in_flight(seconds)}
            asked.tell(figures | {"seconds": time.perf_counter() - start})


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    trio.run(main)
