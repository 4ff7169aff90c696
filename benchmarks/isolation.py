"""What does an isolation profile cost: start, memory, round trip, calls a second, each against a plain process?

One host with a shard for each profile that this machine has; all of them spawned. They take turns, so that whatever slows the
machine for a while slows all.

    python benchmarks/isolation.py [--starts 10] [--rounds 7] [--json OUT]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import trio
from figures import Goal, result, single, summary, table, write_result

from rookery.supervisor.bench_cases import ASYNC, SHARDS
from rookery.supervisor.bench_machine import memory_of
from rookery.supervisor.bench_once import bring_up, take_down
from rookery.supervisor.bench_settings import prepare_bench
from rookery.supervisor.bench_work import Bench
from rookery.supervisor.means import find_means
from rookery.supervisor.profiles import Isolation, Reached, Wish, decide_isolation
from rookery.supervisor.start_mode import StartMode
from rookery.supervisor.tree import open_supervisor

if TYPE_CHECKING:
    from rookery.supervisor.settings import Settings

CALLS = 400
"""One after the other in a turn."""
MANY, IN_FLIGHT = 2560, 64
THROUGHPUT_GOAL = 1 / 0.95
"""A plain process's calls a second, divided by a profile's, at most."""
MIB = 1024 * 1024


def settings_for(directory: Path, profiles: dict[str, Isolation]) -> Settings:
    settings = prepare_bench(directory, (ASYNC,), is_quick=True)
    shards = [
        attrs.evolve(shard, start=StartMode.SPAWN, isolation=profiles.get(shard.name, Isolation.PROCESS))
        for shard in settings.shards
    ]
    return attrs.evolve(settings, shards=tuple(shards))


async def time_starts(bench: Bench, profiles: dict[str, Isolation], count: int) -> dict[str, list[float]]:
    """Milliseconds from the order until a runner has loaded its plugins."""
    found: dict[str, list[float]] = {name: [] for name in profiles}
    for _ in range(count):
        for name in profiles:
            await take_down(bench, (name,))
            started = time.perf_counter()
            await bring_up(bench, (name,))
            found[name].append((time.perf_counter() - started) * 1000)
    return found


async def time_calls(bench: Bench, name: str) -> tuple[float, float]:
    """Microseconds of one call after the other, and calls a second of many."""
    call = bench.invoking(name, "async", bench.message(1024))
    took = []
    for _ in range(CALLS):
        started = time.perf_counter()
        await call()
        took.append((time.perf_counter() - started) * 1e6)

    async def many() -> None:
        for _ in range(MANY // IN_FLIGHT):
            await call()

    started = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(IN_FLIGHT):
            nursery.start_soon(many)
    return statistics.median(took), MANY / (time.perf_counter() - started)


async def measure(
    directory: Path, profiles: dict[str, Isolation], starts: int, rounds: int
) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    async with open_supervisor(settings_for(directory, profiles)) as supervisor:
        bench = Bench(supervisor)
        await bring_up(bench, profiles)
        for name, took in (await time_starts(bench, profiles, starts)).items():
            figures[f"{profiles[name]}: start to ready, ms"] = summary(took)
        for name, profile in profiles.items():
            pid = supervisor.shard(name).pid
            seen = None if pid is None else memory_of(pid)
            if seen is not None:
                figures[f"{profile}: private memory, MiB"] = single(seen.private / MIB)
        bench.hold_on(1)
        trips: dict[str, list[float]] = {name: [] for name in profiles}
        rates: dict[str, list[float]] = {name: [] for name in profiles}
        for _ in range(rounds):
            for name in profiles:
                trip, rate = await time_calls(bench, name)
                trips[name].append(trip)
                rates[name].append(rate)
        bench.release()
    plain = next(name for name, profile in profiles.items() if profile is Isolation.PROCESS)
    for name, profile in profiles.items():
        figures[f"{profile}: round trip, us"] = summary(trips[name])
        figures[f"{profile}: time a call of 64, us"] = summary([1e6 / rate for rate in rates[name]])
        if name != plain:
            ratio = min(trips[name]) / min(trips[plain])
            figures[f"{profile}: round trip to a process's"] = single(ratio)
            ratio = max(rates[plain]) / max(rates[name])
            goal = Goal(limit=round(THROUGHPUT_GOAL, 3), of="value")
            figures[f"{profile}: time a call to a process's"] = single(ratio, goal)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--starts", type=int, default=10, help="of each profile")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each profile")
    parser.add_argument("--json", type=Path, help="where the result goes")
    arguments = parser.parse_args()
    means = find_means()
    profiles = {}
    for name, profile in zip(SHARDS, Isolation, strict=False):
        found = decide_isolation(Wish(isolation=profile, network=profile is Isolation.SANDBOX), means)
        if isinstance(found, Reached):
            profiles[name] = profile
        else:
            sys.stdout.write(f"{profile}: not measured: {found}\n")
    with tempfile.TemporaryDirectory() as directory:
        figures = trio.run(measure, Path(directory), profiles, arguments.starts, arguments.rounds)
    sys.stdout.write(f"{table(figures)}\n")
    write_result(arguments.json, result(figures))


if __name__ == "__main__":
    main()
