"""How long do calls take that are made when they are due, whether those before them have ended or not?

Callers who wait for an answer before they ask again slow down with the system, and hide how long others would have waited.
Here the moments are drawn beforehand, and a call's time runs from the moment that it was meant to start at.
"""

from __future__ import annotations

import statistics
import time
from random import Random
from typing import TYPE_CHECKING

import attrs
import trio

from .bench_cases import BUSY, KIB, SHARDS
from .bench_figures import Figure, make_figure, percentile
from .bench_pace import open_pace
from .fate import DispatchFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .bench_work import Bench

LOADS = (0.2, 0.5, 0.8)
"""Of the calls a second that 64 callers reach."""

SEED = 20_000

PATIENCE = 30.0
"""Seconds that the last calls are waited for."""


@attrs.frozen(kw_only=True)
class OpenSample:
    """One run at one load."""

    took: tuple[float, ...]
    """Seconds from the intended start of each call to its answer."""
    behind: float
    """Seconds: the 99th percentile of how late calls were started; part of `took`."""
    served: float
    """Seconds: the 99th percentile of the time from the actual start to the answer."""
    failed: int
    why: str = ""


def arrivals(rate: float, seconds: float, random: Random) -> list[float]:
    """Moments from 0 on, by chance and independent of each other, as those of people are."""
    found, at = [], random.expovariate(rate)
    while at < seconds:
        found.append(at)
        at += random.expovariate(rate)
    return found


async def measure_open(bench: Bench, rate: float, seconds: float, *, seed: int = SEED) -> OpenSample:
    """Make calls at a rate for so many seconds, on all processors.

    Args:
        rate: Calls a second, on average.
    """
    bench.hold_on(len(bench.cpus) or 1)
    call = bench.invoking(SHARDS[0], "async", bench.message(KIB))
    moments = arrivals(rate, seconds, Random(seed))
    took: list[float] = []
    late: list[float] = []
    served: list[float] = []
    failures: list[DispatchFailed] = []

    async def one(due: float, begun: float) -> None:
        try:
            await call()
        except DispatchFailed as error:
            failures.append(error)
        now = time.perf_counter()
        took.append(now - due)
        served.append(now - begun)

    with open_pace() as pace, trio.move_on_after(seconds + PATIENCE):
        async with trio.open_nursery() as nursery:
            start = time.perf_counter() + 0.01
            for moment in moments:
                due = start + moment
                if not await pace.wait_until(due):
                    await trio.lowlevel.checkpoint()  # it is behind: answers are read all the same
                begun = time.perf_counter()
                late.append(begun - due)
                nursery.start_soon(one, due, begun)
    lost = len(moments) - len(took)
    return OpenSample(
        took=tuple(took) or (PATIENCE,),
        behind=percentile(late or [0.0], 0.99),
        served=percentile(served or [PATIENCE], 0.99),
        failed=len(failures) + lost,
        why=str(failures[0]) if failures else f"{lost} without an answer" if lost else "",
    )


def open_figures(samples: dict[float, list[OpenSample]], capacity: float) -> list[Figure]:
    """p50, p99 and the longest, at each load.

    Args:
        capacity: The calls a second that the loads are shares of.
    """
    found: list[Figure] = []
    for load, each in samples.items():
        if not each:
            continue
        name = f"invoke 1 KB at {load:.0%} of the maximum"
        where = {**attrs.asdict(BUSY), "load": load, "per_second": round(load * capacity)}
        spans: dict[str, Sequence[float]] = {
            "p50": [percentile(sample.took, 0.5) for sample in each],
            "p99": [percentile(sample.took, 0.99) for sample in each],
            "max": [max(sample.took) for sample in each],
            "p99 of starting late, part of it": [sample.behind for sample in each],
        }
        for what, values in spans.items():
            spans_ms = [value * 1000 for value in values]
            # What lasts long is the question here, and no noise to be left out.
            figure = make_figure(f"{name}: {what}", "ms", spans_ms, value=statistics.median(spans_ms))
            found.append(attrs.evolve(figure, case={**where, "of": what}))
    return found
