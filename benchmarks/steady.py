"""Does a bot that works hard for long stay as it was? Memory, descriptors, p99 and losses, minute by minute.

Calls of 1 KB are made when they are due, by chance, at four fifths of the rate that the same calls reach when all of them
are due at once. Exit code 1: something grew, became slower, or was lost.

    python benchmarks/steady.py [--minutes 10] [--share 0.8] [--json OUT]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import attrs
import trio
from figures import Goal, result, single, table, write_result

from rookery.supervisor.bench_cases import BUSY_WIDE
from rookery.supervisor.bench_figures import percentile
from rookery.supervisor.bench_machine import OthersWatch, memory_of
from rookery.supervisor.bench_once import bring_up
from rookery.supervisor.bench_open import measure_open
from rookery.supervisor.bench_settings import FEW_SHARDS, prepare_bench
from rookery.supervisor.bench_work import Bench
from rookery.supervisor.cli.collector import settle_objects
from rookery.supervisor.tree import open_supervisor

MIB = 1024 * 1024

WARMING = 5.0
"""Seconds of full load before anything counts."""

DISTURBED = 0.05
"""From this part of the processors on that others use, how long a call takes is their doing, and is not judged."""

OVERLOAD = 2.0
"""Times the rate of 64 callers, for a moment, to see what can be reached by calls that do not wait for each other."""


@attrs.frozen(kw_only=True)
class Window:
    """Some seconds."""

    calls: int
    failed: int
    p50: float
    """Milliseconds, as below."""
    p99: float
    longest: float
    behind: float
    served: float
    host: float
    """Private memory in MiB, as below."""
    runners: float
    descriptors: int
    """Of the host and of all runners."""


def descriptors_of(pids: tuple[int, ...]) -> int:
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)


def private_of(pids: tuple[int, ...]) -> float:
    return sum(memory.private for pid in pids if (memory := memory_of(pid)) is not None) / MIB


async def look(bench: Bench, rate: float, seconds: float, seed: int) -> Window:
    sample = await measure_open(bench, rate, seconds, seed=seed)
    runners = bench.runners()
    return Window(
        calls=len(sample.took),
        failed=sample.failed,
        p50=percentile(sample.took, 0.5) * 1000,
        p99=percentile(sample.took, 0.99) * 1000,
        longest=max(sample.took) * 1000,
        behind=sample.behind * 1000,
        served=sample.served * 1000,
        host=private_of((os.getpid(),)),
        runners=private_of(runners),
        descriptors=descriptors_of((os.getpid(), *runners)),
    )


async def find_maximum(bench: Bench) -> float:
    """Calls a second, when all are due."""
    closed = await bench.measure(BUSY_WIDE, 2.0)
    rate = len(closed.took) / closed.seconds * OVERLOAD
    await measure_open(bench, rate, WARMING)
    started = time.perf_counter()
    sample = await measure_open(bench, rate, 3.0)
    return len(sample.took) / (time.perf_counter() - started)


@attrs.frozen(kw_only=True)
class Course:
    """The whole run."""

    rate: float
    """Calls a second."""
    others: float
    """The part of the processors that somebody else used meanwhile."""
    windows: tuple[Window, ...]


async def measure(directory: Path, minutes: float, share: float, window: float) -> Course:
    settings = prepare_bench(directory, (BUSY_WIDE,), is_quick=True)
    async with open_supervisor(settings) as supervisor:
        bench = Bench(supervisor)
        await bench.wait_zygote()
        await bring_up(bench, FEW_SHARDS)
        settle_objects()
        rate = await find_maximum(bench) * share
        count = max(4, round(minutes * 60 / window))
        tell(f"{rate:.0f} calls a second for {count} times {window:g} s\n{HEAD}")
        watch = OthersWatch((os.getpid(), *bench.runners()))
        windows = []
        for number in range(count):
            windows.append(await look(bench, rate, window, seed=number))
            tell(line(number * window, windows[-1]))
        bench.release()
        return Course(rate=rate, others=watch.share() or 0.0, windows=tuple(windows))


HEAD = (
    f"{'from, s':>8}{'calls':>9}{'lost':>6}{'p50 ms':>9}{'p99 ms':>9}{'max ms':>9}{'late ms':>9}{'served':>8}"
    f"{'host MiB':>10}{'runners':>9}{'fds':>6}"
)


def line(start: float, seen: Window) -> str:
    return (
        f"{start:>8.0f}{seen.calls:>9}{seen.failed:>6}{seen.p50:>9.2f}{seen.p99:>9.2f}{seen.longest:>9.1f}"
        f"{seen.behind:>9.2f}{seen.served:>8.2f}{seen.host:>10.1f}{seen.runners:>9.1f}{seen.descriptors:>6}"
    )


def tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def judge(course: Course) -> dict[str, dict[str, Any]]:
    """The last quarter against the second one: the first is warming up."""
    windows = course.windows
    steady = Goal(limit=1.5, of="value") if course.others < DISTURBED else None
    quarter = max(1, len(windows) // 4)
    early, late = windows[quarter : 2 * quarter], windows[-quarter:]

    def growth(name: str) -> float:
        return statistics.median(getattr(each, name) for each in late) - statistics.median(
            getattr(each, name) for each in early
        )

    def served(part: tuple[Window, ...]) -> float:
        return statistics.median(each.served for each in part)

    return {
        "calls that failed or were lost": single(
            sum(each.failed for each in windows), Goal(limit=0, of="value")
        ),
        "host, private memory grew by, MiB": single(growth("host"), Goal(limit=2, of="value")),
        "runners, private memory grew by, MiB": single(growth("runners"), Goal(limit=2, of="value")),
        "descriptors grew by": single(growth("descriptors"), Goal(limit=0, of="value")),
        "p99 from start to answer, late against early": single(served(late) / served(early), steady),
        "p99 from start to answer, ms": single(statistics.median(each.served for each in windows)),
        "p99, ms": single(statistics.median(each.p99 for each in windows)),
        "late, part of it, p99, ms": single(statistics.median(each.behind for each in windows)),
        "part of the CPUs that others used": single(course.others),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--share", type=float, default=0.8, help="of the largest rate")
    parser.add_argument(
        "--window", type=float, default=10.0, help="seconds that one line of the table is about"
    )
    parser.add_argument("--json", type=Path, help="where the result goes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        course = trio.run(measure, Path(directory), arguments.minutes, arguments.share, arguments.window)
    figures = judge(course)
    tell(f"\n{table(figures)}")
    found = result(
        figures, calls_a_second=round(course.rate), windows=[attrs.asdict(each) for each in course.windows]
    )
    write_result(arguments.json, found)
    sys.exit(any(not row.get("holds", True) for row in figures.values()))


if __name__ == "__main__":
    main()
