"""How fast does this machine run the whole: calls, events, hook chains, over real runners?

Everything is measured in repetitions: each case for a moment in each of them, the bare ping-pong of two processes among
them, so that what slows the machine for a while slows both sides of a ratio.
"""

from __future__ import annotations

import os
import statistics
from typing import TYPE_CHECKING, Any

import attrs
import trio

from .bench_cases import BUSY, BUSY_WIDE, KIB, Case, all_cases
from .bench_compare import DISTURBED
from .bench_figures import Figure
from .bench_machine import OthersWatch, allowed_cpus
from .bench_once import (
    MANY_HANDLERS,
    Moments,
    bring_up,
    measure_bursts,
    measure_look_ups,
    measure_many_handlers,
    measure_starts,
)
from .bench_open import LOADS, SEED, OpenSample, measure_open, open_figures
from .bench_rows import ABSENT, Reading, Readings, case_figures, goal_figures, read, unit_figures
from .bench_settings import FEW_SHARDS, prepare_bench
from .bench_unit import open_unit
from .bench_wide import ROWS, measure_wide
from .bench_work import Bench
from .hook_spec import HookSpec
from .tree import open_supervisor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .bench_unit import Unit
    from .supervisor import Supervisor

UNIT_ROUNDS = {KIB: 1000, 64 * KIB: 200}
"""By bytes: how many round trips make one measurement of the unit, in a run of the usual length."""

LEAST_ROUNDS = 50

REPEATED, OPENED, ONCE = 0.5, 0.7, 0.8
"""Which share of a run is over when the cases are, the open loop, and what is done once; about."""

OPEN_CASE = BUSY_WIDE
"""What gives the calls a second that the open loop takes shares of."""

UNIT_EVERY = 5
"""Cases between two measurements of the unit; the median of a repetition counts."""


@attrs.frozen(kw_only=True)
class Extent:
    """How long a run takes."""

    is_quick: bool
    repetitions: int
    moment: float
    """Seconds for one case in one repetition."""
    open_times: int
    open_moment: float
    """Seconds at one load of the open loop."""

    def shortened(self, moment: float | None, repetitions: int | None) -> Extent:
        """With another length of a moment, that of the open loop in proportion, and other repetitions; None changes nothing."""
        share = 1.0 if moment is None else moment / self.moment
        return attrs.evolve(
            self,
            repetitions=repetitions or self.repetitions,
            moment=self.moment * share,
            open_times=min(self.open_times, repetitions or self.open_times),
            open_moment=self.open_moment * share,
        )

    @property
    def cases(self) -> tuple[Case, ...]:
        """Those that this process has processors for."""
        return all_cases(is_quick=self.is_quick, cpus=len(allowed_cpus()) or 1)


FULL = Extent(is_quick=False, repetitions=7, moment=0.15, open_times=5, open_moment=3.0)
QUICK = Extent(is_quick=True, repetitions=5, moment=0.1, open_times=2, open_moment=1.5)


@attrs.frozen(kw_only=True)
class BenchResult:
    """Everything that was measured, and where it was not."""

    goals: tuple[Figure, ...]
    sweep: tuple[Figure, ...]
    open_loop: tuple[Figure, ...]
    failures: tuple[str, ...]
    """Calls that failed, a line for each case: a benchmark of errors is none."""
    repetitions: int
    moment: float
    """Seconds for one case in one repetition."""
    is_quick: bool
    is_complete: bool
    """It was not ended early."""
    others: float | None = None
    """Which part of the machine's processors others used while the cases ran; None where it is not known."""

    @property
    def is_disturbed(self) -> bool:
        """Others used enough to be seen in the figures."""
        return self.others is not None and self.others > DISTURBED


class Run:
    """A benchmark on its way; what it has is there whenever it ends."""

    def __init__(
        self, extent: Extent, cases: tuple[Case, ...], on_step: Callable[[str, float], None]
    ) -> None:
        self.moments = Moments()
        self._extent = extent
        self._cases = cases
        self._on_step = on_step
        self._readings: dict[Case, list[Reading]] = {case: [] for case in cases}
        self._units: dict[int, list[float]] = {size: [] for size in UNIT_ROUNDS}
        self._failures: dict[str, str] = {}
        self._once: list[Figure] = []
        self._open: dict[float, list[OpenSample]] = {}
        self._capacity = 0.0
        self._others: float | None = None
        self._done = 0
        self.is_complete = False

    async def measure(self, bench: Bench, unit: Unit) -> None:
        """All of it."""
        extent = self._extent
        watch = OthersWatch((os.getpid(), *bench.runners(), *unit.pids))
        await self._repeat(bench, unit)
        self._others = watch.share()
        await self._open_loop(bench)
        self._on_step("calls at once", OPENED)
        self._once += await measure_bursts(bench)
        self._on_step("starts", OPENED)
        self._once += await measure_starts(bench, self.moments, extent.repetitions)
        self._once += measure_look_ups(extent.repetitions)
        if extent.is_quick:
            self._once += [
                attrs.evolve(row, reason="only without --quick") for row in (*MANY_HANDLERS, *ROWS)
            ]
        else:
            self._on_step("10,000 handlers", ONCE)
            self._once += await measure_many_handlers(bench, extent.repetitions, extent.moment)
            self._on_step("64 shards", ONCE)
            self._once += await measure_wide(bench, unit, self.moments, extent.repetitions, extent.moment)
        self.is_complete = True

    async def _repeat(self, bench: Bench, unit: Unit) -> None:
        for case in self._cases:
            await bench.measure(case, self._extent.moment / 5)  # caches, and pages of memory
        for number in range(self._extent.repetitions):
            units: dict[int, list[float]] = {size: [] for size in UNIT_ROUNDS}
            for place, case in enumerate(self._cases):
                share = (number + place / len(self._cases)) / self._extent.repetitions
                self._on_step(case.name, share * REPEATED)
                if place % UNIT_EVERY == 0:
                    await self._measure_unit(bench, unit, units)
                sample = await bench.measure(case, self._extent.moment)
                if sample.failed:
                    told = f"{case.name}: {sample.failed} of {len(sample.took)} calls failed: {sample.why}"
                    self._failures.setdefault(case.name, told)
                self._readings[case].append(read(sample))
            for size, found in units.items():
                self._units[size].append(statistics.median(found))
            self._done += 1

    async def _measure_unit(self, bench: Bench, unit: Unit, units: dict[int, list[float]]) -> None:
        bench.hold_on(1)
        share = min(1.0, self._extent.moment / FULL.moment)
        for size, rounds in UNIT_ROUNDS.items():
            units[size].append(await unit.round_trip_us(max(LEAST_ROUNDS, int(rounds * share)), size))

    async def _open_loop(self, bench: Bench) -> None:
        rows = self._readings.get(OPEN_CASE) or self._readings[BUSY]
        self._capacity = statistics.median(row.rate for row in rows)
        self._open = {load: [] for load in LOADS}
        for number in range(self._extent.open_times):
            for place, load in enumerate(LOADS):
                done = (number + place / len(LOADS)) / self._extent.open_times
                self._on_step(f"open loop at {load:.0%}", REPEATED + (OPENED - REPEATED) * done)
                rate = load * self._capacity
                sample = await measure_open(bench, rate, self._extent.open_moment, seed=SEED + number)
                if sample.failed:
                    told = f"open loop at {load:.0%}: {sample.failed} of {len(sample.took)} calls failed: {sample.why}"
                    self._failures.setdefault(f"open loop at {load:.0%}", told)
                self._open[load].append(sample)

    def result(self) -> BenchResult:
        """What there is: whole repetitions only."""
        done = self._done
        readings = Readings(
            cases={case: rows[:done] for case, rows in self._readings.items() if done},
            units={size: rows[:done] for size, rows in self._units.items() if done},
        )
        return BenchResult(
            goals=(*unit_figures(readings), *goal_figures(readings), *self._once, *ABSENT),
            sweep=tuple(case_figures(readings)),
            open_loop=tuple(open_figures(self._open, self._capacity)),
            failures=tuple(self._failures.values()),
            repetitions=done,
            moment=self._extent.moment,
            is_quick=self._extent.is_quick,
            is_complete=self.is_complete,
            others=self._others,
        )


async def run_bench(
    directory: Path,
    extent: Extent,
    *,
    interrupted: trio.Event,
    on_step: Callable[[str, float], None] = lambda _name, _share: None,
    on_open: Callable[[Supervisor], None] = lambda _: None,
    observers: tuple[Callable[[object], None], ...] = (),
) -> BenchResult:
    """Start a deployment, measure it, and stop it.

    Args:
        directory: Absolute; where it lives.
        interrupted: Set by the caller to end early.
        on_step: Told what is measured now, and which share is done.
        on_open: Given the host once it starts, to stop it by force.

    Raises:
        RookeryError: The host could not start.
    """
    cases = extent.cases
    settings = prepare_bench(directory, cases, is_quick=extent.is_quick)
    run = Run(extent, cases, on_step)
    async with (
        open_unit() as unit,
        open_supervisor(settings, observers=(run.moments.note, *observers)) as supervisor,
    ):
        for case in cases:
            supervisor.parts.hooks.specs.add(HookSpec(name=case.topic))  # before the runners ask for it
        on_open(supervisor)
        bench = Bench(supervisor, others=tuple(unit.pids))
        async with trio.open_nursery() as nursery:

            async def end_early() -> None:
                await interrupted.wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(end_early)
            await bench.wait_zygote()
            await bring_up(bench, FEW_SHARDS)
            await run.measure(bench, unit)
            nursery.cancel_scope.cancel()
        bench.release()
    return run.result()


def as_json(result: BenchResult, **where: Any) -> dict[str, Any]:
    """Plain maps, lists and numbers.

    Args:
        where: The machine and whatever else the figures depend on.
    """
    return {
        **where,
        "repetitions": result.repetitions,
        "moment": result.moment,
        "is_quick": result.is_quick,
        "is_complete": result.is_complete,
        "others": None if result.others is None else round(result.others, 3),
        "failures": list(result.failures),
        "goals": [figure.as_json() for figure in result.goals],
        "sweep": [figure.as_json() for figure in result.sweep],
        "open_loop": [figure.as_json() for figure in result.open_loop],
    }
