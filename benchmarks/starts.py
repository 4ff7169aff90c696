"""What does a runner cost that is forked from a zygote, and what one that is spawned: time, memory, round trip?

An embedded host with a shard for each runner. All shards start at one moment, with nothing that puts a start off; the zygote
is warm by then, as it is in a host that runs. Both kinds take turns. Memory is read when all are ready and have answered once.
The round trips and the restarts are of two shards of one host, a forked and a spawned one, by turns.

    python benchmarks/starts.py [--runners 1,16,64] [--rounds 3] [--json OUT]
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import tempfile
import time
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio
from figures import Goal, result, single, summary, table, write_result
from small_bot import NEVER_GIVEN_UP, QUICK, write_bot

from rookery.supervisor import load_settings, open_supervisor
from rookery.supervisor.observers import ShardMoved
from rookery.supervisor.shard_state import ShardState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from rookery.supervisor import Supervisor

KINDS = ("zygote", "spawn")
READY_GOALS = {1: 10.0, 64: 600.0}
"""Milliseconds until the last of so many forked runners runs its loop."""
PRIVATE_GOAL, ALL_GOAL = 7.0, 450.0
"""Megabytes: private to one of 64 forked runners; of all 64 and their zygote."""
BACK_GOAL = 50.0
"""Milliseconds from the death of a runner to the hello of the next one."""
CALLS = 200
"""Round trips of one kind before the other has its turn."""


class Moves:
    """When each shard came to a state, by the clock of this program."""

    def __init__(self) -> None:
        self.at: dict[tuple[str, ShardState], float] = {}

    def note(self, record: object) -> None:
        if isinstance(record, ShardMoved):
            self.at[record.shard, record.new] = time.perf_counter()

    def last(self, state: ShardState) -> float:
        return max(moment for (_, each), moment in self.at.items() if each is state)


@asynccontextmanager
async def host(starts: Mapping[str, str], moves: Moves) -> AsyncIterator[Supervisor]:
    """A host whose shards wait to be started; its zygote is warm.

    Args:
        starts: Of each shard.
    """
    with tempfile.TemporaryDirectory() as name:
        path = write_bot(
            Path(name),
            dict.fromkeys(starts, QUICK),
            timeouts="hello = 100.0\nload = 100.0",
            shard_more=NEVER_GIVEN_UP,
            group_more=f"start_concurrency = {max(4, len(starts))}\nstart_stagger = 0",
        )
        text = path.read_text()
        for shard, start in starts.items():
            head = f'[[shard]]\nname = "{shard}"\n'
            text = text.replace(head, f'{head}autostart = false\nstart = "{start}"\n')
        path.write_text(text)
        async with open_supervisor(load_settings(path), observers=[moves.note]) as supervisor:
            keeper = supervisor.custody.keeper
            while keeper is not None and keeper.pid is None:  # noqa: ASYNC110  # there is nothing to be woken by
                await trio.sleep(0.01)
            yield supervisor


async def start_all(supervisor: Supervisor, moves: Moves) -> tuple[float, float]:
    """Milliseconds until the last one runs its loop, and until it is ready."""
    began = time.perf_counter()
    for shard in supervisor.shards.values():
        shard.start()
    for shard in supervisor.shards.values():
        await shard.state.wait_value(ShardState.READY)
    return (moves.last(ShardState.LOADING) - began) * 1e3, (moves.last(ShardState.READY) - began) * 1e3


def memory_of(pid: int) -> tuple[float, float]:
    """Proportional and private memory of a process, in megabytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {key: int(rest.split()[0]) / 1024 for key, _, rest in (line.partition(":") for line in lines)}
    return sizes["Pss"], sizes["Private_Clean"] + sizes["Private_Dirty"]


async def measure_starts(kind: str, count: int) -> dict[str, float]:
    """One host with so many runners of a kind."""
    moves = Moves()
    async with host({f"s{number}": kind for number in range(count)}, moves) as supervisor:
        running, ready = await start_all(supervisor, moves)
        for name in supervisor.shards:
            await supervisor.invoke(f"bench.{name}", "now")
        sizes = [memory_of(shard.pid) for shard in supervisor.shards.values() if shard.pid is not None]
        zygotes = [memory_of(pid)[0] for pid in supervisor.custody.own_pids]
    return {
        "loop runs": running,
        "ready": ready,
        "PSS": statistics.mean(pss for pss, _ in sizes),
        "private": statistics.mean(private for _, private in sizes),
        "all": sum(pss for pss, _ in sizes) + sum(zygotes),
    }


def rows_of_starts(count: int, found: Mapping[str, list[dict[str, float]]]) -> dict[str, dict[str, Any]]:
    rows = {}
    for kind in KINDS:
        is_forked = kind == "zygote"
        of_kind = partial(_column, found[kind])
        goal = Goal(limit=READY_GOALS[count], of="median") if is_forked and count in READY_GOALS else None
        rows[f"{count} by {kind}: last loop runs, ms"] = summary(of_kind("loop runs"), goal)
        rows[f"{count} by {kind}: last is ready, ms"] = summary(of_kind("ready"))
        goal = Goal(limit=PRIVATE_GOAL, of="median") if is_forked and count == 64 else None
        rows[f"{count} by {kind}: private, MB each"] = summary(of_kind("private"), goal)
        rows[f"{count} by {kind}: PSS, MB each"] = summary(of_kind("PSS"))
        goal = Goal(limit=ALL_GOAL, of="median") if is_forked and count == 64 else None
        rows[f"{count} by {kind}: PSS of all, MB"] = summary(of_kind("all"), goal)
    ratios = (
        zygote["loop runs"] / spawn["loop runs"]
        for zygote, spawn in zip(found["zygote"], found["spawn"], strict=True)
    )
    rows[f"{count}: loop runs, zygote to spawn"] = single(statistics.median(ratios))
    return rows


def _column(found: list[dict[str, float]], name: str) -> list[float]:
    return [each[name] for each in found]


async def measure_pair(rounds: int) -> dict[str, dict[str, Any]]:
    """Restarts and round trips of a forked and a spawned runner, by turns."""
    moves = Moves()
    back: dict[str, list[float]] = {kind: [] for kind in KINDS}
    served: dict[str, list[float]] = {kind: [] for kind in KINDS}
    trips: dict[str, list[float]] = {kind: [] for kind in KINDS}
    others = {
        f"other{number}": "zygote" for number in range(3)
    }  # most shards dying would be put off as an incident
    async with host({**{kind: kind for kind in KINDS}, **others}, moves) as supervisor:
        await start_all(supervisor, moves)
        for _ in range(rounds):
            for kind in KINDS:
                greeted, serving = await _restart(supervisor, moves, kind)
                back[kind].append(greeted)
                served[kind].append(serving)
                trips[kind].append(await _round_trip(supervisor, kind))
    rows = {}
    for kind in KINDS:
        goal = Goal(limit=BACK_GOAL, of="median") if kind == "zygote" else None
        rows[f"{kind}: death to next hello, ms"] = summary(back[kind], goal)
        rows[f"{kind}: death to serving again, ms"] = summary(served[kind])
    rows["round trip, zygote to spawn"] = single(min(trips["zygote"]) / min(trips["spawn"]))
    return rows


async def _restart(supervisor: Supervisor, moves: Moves, name: str) -> tuple[float, float]:
    shard = supervisor.shards[name]
    assert shard.pid is not None
    began = time.perf_counter()
    os.kill(shard.pid, signal.SIGKILL)
    await shard.state.wait_value(ShardState.REAPING)
    await supervisor.invoke(f"bench.{name}", "now")
    return (moves.at[name, ShardState.LOADING] - began) * 1e3, (time.perf_counter() - began) * 1e3


async def _round_trip(supervisor: Supervisor, name: str) -> float:
    """The median, in microseconds."""
    taken = []
    for _ in range(CALLS):
        began = time.perf_counter()
        await supervisor.invoke(f"bench.{name}", "now")
        taken.append((time.perf_counter() - began) * 1e6)
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runners", default="1,16,64", help="how many at once")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="where the result goes")
    arguments = parser.parse_args()
    rows: dict[str, dict[str, Any]] = {}
    for count in map(int, arguments.runners.split(",")):
        found: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
        for _ in range(arguments.rounds):
            for kind in KINDS:
                found[kind].append(trio.run(measure_starts, kind, count))
        rows |= rows_of_starts(count, found)
    rows |= trio.run(measure_pair, 4 * arguments.rounds)
    print(table(rows), end="")
    write_result(arguments.json, result(rows))


if __name__ == "__main__":
    main()
