"""Does a plugin that is reloaded again and again under load lose a call, and does anything grow by it?

One plugin is called all the time, by tools and by events of several conversations, while its code is changed and reloaded, with
a neighbour in the same runner. Lost is a call that failed, an event that the handler did not see exactly once, and an answer of
older code to a call that was made after the reload. Each event has a weight by chance: one that is lost and another that is seen
twice leave the count right, and the sum of the weights wrong. What could grow is looked at when a quarter of the reloads is done,
and at the end: components, descriptors and threads of host and runner, loggers and instances in the runner, resident memory of
both.

    python benchmarks/reloads.py [--reloads 200] [--callers 8] [--json OUT]
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import trio
from figures import Goal, result, single, summary, table, write_result
from small_bot import QUICK, write_bot

from rookery.protocol import build_message
from rookery.supervisor import load_settings, open_supervisor
from rookery.supervisor.fate import DispatchFailed

if TYPE_CHECKING:
    from rookery.supervisor import Supervisor

CODE = """
import gc
import logging

import trio
from rookery.runner import Field, Message, Plugin, PluginConfig, event_handler, tool

from .words import VERSION

SEEN: dict[str, int] = {}
logger = logging.getLogger(__name__)


class ItConfig(PluginConfig):
    name: str = Field("nobody", "Who.")


class It(Plugin[ItConfig]):
    async def on_load(self) -> None:
        self.ctx.start_task(trio.sleep_forever)
        self.seen = self.weight = 0

    @tool("which")
    async def which(self) -> int:
        return VERSION

    @event_handler("on_message", intercept=True)
    async def see(self, message: Message) -> None:
        self.seen += 1
        self.weight += int(message.text)

    async def keep(self) -> None:
        await self.ctx.db.put("seen", str(VERSION), {"number": self.seen, "weight": self.weight})

    async def on_unload(self) -> None:
        await self.keep()

    @tool("total")
    async def total(self) -> dict[str, float]:
        return {name: await self.ctx.db.sum("seen", name) for name in ("number", "weight")}

    @tool("grown")
    async def grown(self) -> dict[str, int]:
        await self.keep()
        gc.collect()
        instances = sum(type(each).__name__ == "It" for each in gc.get_objects())
        return {"instances": instances, "loggers": len(logging.root.manager.loggerDict)}
"""

MANIFEST = '[plugin]\nid = "bench.{name}"\nversion = "1.0.0"\ncapabilities = ["database.*"]\n'

NONE = Goal(limit=0, of="value")
CHATS = 8
WEIGHT_BITS = 32
"""Of an event: the sum of a million of them is exact in a float, which is what a plugin's sum over its rows is."""


@attrs.define
class Tally:
    """What became of the load."""

    latencies: list[float] = attrs.Factory(list)
    """Milliseconds, of calls while nothing but the load goes on, then of those during reloads."""
    lost: list[str] = attrs.Factory(list)
    events: int = 0
    weight: int = 0
    """Of these events together."""
    older: int = 0
    version: int = 0
    """The newest of which a reload has told that it is there."""


@attrs.frozen
class Size:
    """What could grow."""

    components: int
    host_descriptors: int
    host_threads: int
    runner_descriptors: int
    runner_threads: int
    instances: int
    loggers: int
    host_mb: float
    runner_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reloads", type=int, default=200)
    parser.add_argument("--callers", type=int, default=8)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        figures = trio.run(measure, Path(name), options.reloads, options.callers)
    print(table(figures), end="")
    write_result(options.json, result(figures, reloads=options.reloads, callers=options.callers))


async def measure(directory: Path, reloads: int, callers: int) -> dict[str, dict[str, Any]]:
    config = write_bot(directory, {"it": CODE, "neighbour": QUICK})
    text = config.read_text().replace('plugins = ["bench.it"]', 'plugins = ["bench.it", "bench.neighbour"]')
    config.write_text(text[: text.index('[[shard]]\nname = "neighbour"')])
    (directory / "plugins" / "it" / "plugin.toml").write_text(MANIFEST.format(name="it"))
    write_version(directory, 0)
    idle, busy = Tally(), Tally()
    took: list[float] = []
    async with open_supervisor(load_settings(config)) as supervisor:
        await supervisor.wait_ready()
        async with trio.open_nursery() as nursery:
            start_load(nursery, supervisor, idle, callers)
            await trio.sleep(1.0)
            nursery.cancel_scope.cancel()
        async with trio.open_nursery() as nursery:
            stop = start_load(nursery, supervisor, busy, callers)
            for number in range(1, reloads + 1):
                write_version(directory, number)
                begun = time.perf_counter()
                done = await supervisor.reload_plugin("bench.it")
                took.append(1000 * (time.perf_counter() - begun))
                if not done:
                    busy.lost.append(f"reload {number}: {done.failed}")
                busy.version = number
                if number == max(1, reloads // 4):
                    before = await look(supervisor)
            stop.set()
        after = await look(supervisor)
        seen = await count_seen(supervisor)
    for text in busy.lost[:5]:
        print("lost:", text)
    return rows(idle, busy, took, before, after, seen, reloads)


def start_load(nursery: trio.Nursery, supervisor: Supervisor, tally: Tally, callers: int) -> trio.Event:
    stop = trio.Event()
    for _ in range(callers):
        nursery.start_soon(call_it, supervisor, tally, stop)
    for chat in range(CHATS):
        nursery.start_soon(send_events, supervisor, tally, stop, chat)
    nursery.start_soon(partial(call_neighbour, supervisor, tally, stop))
    return stop


async def call_it(supervisor: Supervisor, tally: Tally, stop: trio.Event) -> None:
    while not stop.is_set():
        known, begun = tally.version, time.perf_counter()
        try:
            version = await supervisor.invoke("bench.it", "which")
        except DispatchFailed as failure:
            tally.lost.append(str(failure))
        else:
            tally.latencies.append(1000 * (time.perf_counter() - begun))
            tally.older += version < known
        await trio.sleep(0.002)


async def call_neighbour(supervisor: Supervisor, tally: Tally, stop: trio.Event) -> None:
    while not stop.is_set():
        try:
            await supervisor.invoke("bench.neighbour", "now")
        except DispatchFailed as failure:
            tally.lost.append(f"neighbour: {failure}")
        await trio.sleep(0.002)


async def send_events(supervisor: Supervisor, tally: Tally, stop: trio.Event, chat: int) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        weight = random.getrandbits(WEIGHT_BITS)
        message = build_message(
            message_id=f"{chat}-{number}",
            platform="bench",
            user_id="u",
            user_name="u",
            group_id=f"{chat}",
            text=f"{weight}",
            timestamp=0.0,
        )
        with trio.CancelScope(shield=True):  # an event that was counted is seen
            shown = await supervisor.dispatch_event("on_message", message, key=f"{chat}")
            tally.lost += [f"event: {text}" for text in (*shown.errors, *shown.skipped)]
            tally.events += 1
            tally.weight += weight
        await trio.sleep(0.005)


def write_version(directory: Path, number: int) -> None:
    (directory / "plugins" / "it" / "words.py").write_text(f"VERSION = {number}\n")


async def count_seen(supervisor: Supervisor) -> tuple[int, int]:
    """How many events all versions have seen together, and their weight."""
    await supervisor.invoke("bench.it", "grown")
    total = await supervisor.invoke("bench.it", "total")
    return int(total["number"]), int(total["weight"])


async def look(supervisor: Supervisor) -> Size:
    gc.collect()
    pid = supervisor.shards["it"].pid
    assert pid is not None
    grown = await supervisor.invoke("bench.it", "grown", timeout=30)
    registrations = supervisor.parts.registry.registrations
    return Size(
        components=sum(len(each.components) for each in registrations),
        host_descriptors=len(os.listdir("/proc/self/fd")),
        host_threads=len(os.listdir("/proc/self/task")),
        runner_descriptors=len(os.listdir(f"/proc/{pid}/fd")),
        runner_threads=len(os.listdir(f"/proc/{pid}/task")),
        instances=grown["instances"],
        loggers=grown["loggers"],
        host_mb=resident(os.getpid()),
        runner_mb=resident(pid),
    )


def resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def rows(
    idle: Tally,
    busy: Tally,
    took: list[float],
    before: Size,
    after: Size,
    seen: tuple[int, int],
    reloads: int,
) -> dict[str, dict[str, Any]]:
    between = max(1, reloads - reloads // 4)
    more_or_fewer = abs(idle.events + busy.events - seen[0])
    is_another_weight = idle.weight + busy.weight != seen[1]
    figures = {
        "a reload, ms": summary(took),
        "a call without reloads, ms": summary(idle.latencies),
        "a call during reloads, ms": summary(busy.latencies),
        "lost calls, events and reloads": single(len(busy.lost), NONE),
        "answers of older code": single(busy.older, NONE),
        "events not seen exactly once": single(more_or_fewer, NONE),
        "events lost and seen twice": single(int(is_another_weight and not more_or_fewer), NONE),
    }
    for name in (
        "components",
        "host_descriptors",
        "runner_descriptors",
        "runner_threads",
        "instances",
        "loggers",
    ):
        growth = getattr(after, name) - getattr(before, name)
        figures[f"more {name.replace('_', ' ')}"] = single(growth, NONE)
    figures["more host threads"] = single(after.host_threads - before.host_threads, NONE)
    figures["host memory, kB a reload"] = single(1000 * (after.host_mb - before.host_mb) / between)
    figures["runner memory, kB a reload"] = single(1000 * (after.runner_mb - before.runner_mb) / between)
    return figures


if __name__ == "__main__":
    main()
