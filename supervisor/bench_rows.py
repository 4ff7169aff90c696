"""Which figures does a run of the cases give, and which goals have they?

R0 is the bare round trip of `bench_unit.py`, R a call of an async handler with 1 KB, one after the other.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from .bench_cases import (
    ASYNC,
    ASYNCIO,
    BUSY,
    BUSY_BARE,
    BUSY_ORDERED,
    BUSY_PLAIN,
    BUSY_SMALL,
    BUSY_WIDE,
    CHAIN_FAR,
    CHAIN_MIXED,
    CHAIN_NEAR,
    EVENT_ASYNC,
    EVENT_FAR,
    EVENT_NEAR,
    KIB,
    LARGE,
    PLAIN,
    QUICK,
    SPAWNED,
    Case,
)
from .bench_figures import Figure, Goal, good, make_figure, percentile

if TYPE_CHECKING:
    from .bench_work import Sample

FURTHER_SWITCHES = 4
"""From shard to shard that the mixed chain has more than the one that is grouped."""


@attrs.frozen(kw_only=True)
class Reading:
    """What one repetition of a case came to."""

    p50: float
    """Microseconds, as all below."""
    p99: float
    rate: float
    """Calls a second."""
    host_cpu: float | None
    """A call; None where it is not known."""
    runners_cpu: float | None

    @property
    def cpu(self) -> float | None:
        """On both sides."""
        return None if self.host_cpu is None or self.runners_cpu is None else self.host_cpu + self.runners_cpu


def read(sample: Sample) -> Reading:
    """Turn a sample into what it says about one call."""
    calls = len(sample.took)
    return Reading(
        p50=statistics.median(sample.took) * 1e6,
        p99=percentile(sample.took, 0.99) * 1e6,
        rate=calls / sample.seconds,
        host_cpu=None if sample.host_cpu is None else sample.host_cpu / calls * 1e6,
        runners_cpu=None if sample.runners_cpu is None else sample.runners_cpu / calls * 1e6,
    )


@attrs.frozen(kw_only=True)
class Readings:
    """Everything that the repetitions of a run gave, each list in their order."""

    cases: Mapping[Case, Sequence[Reading]]
    units: Mapping[int, Sequence[float]]
    """By bytes: the bare round trip in microseconds, measured in the same repetition."""

    def of(self, case: Case) -> Sequence[Reading]:
        return self.cases.get(case, ())

    def unit(self, size: int = KIB) -> Sequence[float]:
        return self.units.get(size, ())

    @property
    def calls(self) -> list[float]:
        """R, in each repetition."""
        return [row.p50 for row in self.of(ASYNC)]


def unit_figures(readings: Readings) -> list[Figure]:
    """The round trips themselves: of the machine, and no merit of anybody's."""
    return [
        attrs.evolve(
            make_figure(f"R0, {size // KIB} KB ping-pong", "µs", list(readings.unit(size))),
            is_of_machine=True,
        )
        for size in sorted(readings.units)
    ]


def case_figures(readings: Readings) -> list[Figure]:
    """Each case: microseconds when it runs alone, calls a second when there are several at once."""
    found = []
    for case, rows in readings.cases.items():
        unit = readings.unit()
        if case.in_flight == 1:
            figure = _times(case.name, [row.p50 for row in rows], unit, of="R0")
        else:
            figure = _rates(case.name, [row.rate for row in rows], unit)
        found.append(attrs.evolve(figure, case={**attrs.asdict(case), **_beside(rows)}))
    return found


def _beside(rows: Sequence[Reading]) -> dict[str, float | None]:
    """What a program may want to know of a case beside its row: microseconds a call."""
    columns = {
        "p50_us": [row.p50 for row in rows],
        "p99_us": [row.p99 for row in rows],
        "host_cpu_us": [row.host_cpu for row in rows if row.host_cpu is not None],
        "runners_cpu_us": [row.runners_cpu for row in rows if row.runners_cpu is not None],
    }
    return {name: round(good(values), 2) if values else None for name, values in columns.items()}


def goal_figures(readings: Readings) -> list[Figure]:
    """The rows of the table of goals that the cases give."""
    return [
        _alone(readings, "invoke 1 KB, quick plain handler", QUICK, Goal(must=1.5, aim=1.2)),
        _alone(readings, "invoke 1 KB, async handler", ASYNC, Goal(must=1.8, aim=1.3)),
        _alone(readings, "invoke 1 KB, async handler, spawned runner", SPAWNED, Goal(must=2.2, aim=1.7)),
        _fan(readings, "invoke 1 KB, asyncio shard against trio shard", ASYNCIO, Goal(must=1.3, aim=1.0)),
        _rates("throughput 1 KB, 64 in flight, one CPU", _rate(readings, BUSY), readings.unit()),
        _rates("throughput 1 KB, 64 in flight, two CPUs", _rate(readings, BUSY_WIDE), readings.unit()),
        _rates("throughput 64 B, 64 in flight, one CPU", _rate(readings, BUSY_SMALL), readings.unit()),
        *_cpu_figures(readings),
        _times(
            "invoke 64 KB",
            _p50(readings, LARGE),
            readings.unit(64 * KIB),
            of="R0 of 64 KB",
            goal=Goal(must=8, aim=5),
        ),
        _fan(readings, "event, 64 quick plain handlers, 1 shard", EVENT_NEAR, Goal(must=1.5, aim=1.1)),
        _fan(readings, "event, 64 quick plain handlers, 4 shards", EVENT_FAR, Goal(must=5, aim=4)),
        _fan(readings, "event, 64 async handlers, 4 shards", EVENT_ASYNC, Goal(must=18, aim=13)),
        _fan(readings, "hook chain of 64, 1 shard", CHAIN_NEAR, Goal(must=2, aim=1.4)),
        _fan(readings, "hook chain of 64, grouped over 4 shards", CHAIN_FAR, Goal(must=8, aim=6.5)),
        _switch(readings),
        *_thread_figures(readings),
        _whole(readings),
    ]


def _alone(readings: Readings, name: str, case: Case, goal: Goal) -> Figure:
    return _times(name, _p50(readings, case), readings.unit(), of="R0", goal=goal)


def _fan(readings: Readings, name: str, case: Case, goal: Goal) -> Figure:
    return _times(name, _p50(readings, case), readings.calls, of="R", goal=goal)


def _rate(readings: Readings, case: Case) -> list[float]:
    return [row.rate for row in readings.of(case)]


def _cpu_figures(readings: Readings) -> list[Figure]:
    rows = readings.of(BUSY)
    both = [row.cpu for row in rows if row.cpu is not None]
    name = "CPU a call, 64 in flight, both sides"
    if not both:
        why = "this system tells no clock of another process" if rows else NOT_RUN
        return [make_figure(name, "µs", (), reason=why)]
    theirs = [row.runners_cpu for row in rows if row.runners_cpu is not None]
    return [
        _times(name, both, readings.unit(), of="R0", goal=Goal(must=0.8, aim=0.5)),
        _times("CPU a call, 64 in flight, the runner's", theirs, readings.unit(), of="R0"),
    ]


def _switch(readings: Readings) -> Figure:
    mixed, far = _p50(readings, CHAIN_MIXED), _p50(readings, CHAIN_FAR)
    name, goal = "hook chain, each further switch of shard", Goal(must=1.6, aim=1.25)
    if not mixed or not far:
        return make_figure(name, "µs", (), goal=goal, reason=NOT_RUN)
    each = [(more - less) / FURTHER_SWITCHES for more, less in zip(mixed, far, strict=True)]
    value = (good(mixed) - good(far)) / FURTHER_SWITCHES
    return make_figure(
        name,
        "µs",
        each,
        value=value,
        ratios=[switch / call for switch, call in zip(each, readings.calls, strict=True)],
        ratio=value / good(readings.calls),
        of="R",
        goal=goal,
    )


def _whole(readings: Readings) -> Figure:
    """What is left of the calls a second when order is kept, and it is known what has begun and what hangs."""
    name, goal = "throughput, everything on against everything off", Goal(must=0.7, aim=0.85)
    on, off = _rate(readings, BUSY_ORDERED), _rate(readings, BUSY_BARE)
    if not on or not off:
        return make_figure(name, "calls/s", (), goal=goal, is_larger_better=True, reason=NOT_RUN)
    return make_figure(
        name,
        "calls/s",
        on,
        ratios=[one / other for one, other in zip(on, off, strict=True)],
        ratio=good(on, is_larger_better=True) / good(off, is_larger_better=True),
        of="off",
        goal=goal,
        is_larger_better=True,
    )


def _thread_figures(readings: Readings) -> list[Figure]:
    """What it costs that a plain handler runs in a thread."""
    busy = {case: [1e6 / rate for rate in _rate(readings, case)] for case in (BUSY_PLAIN, BUSY)}
    return [
        _added("alone", _p50(readings, PLAIN), _p50(readings, ASYNC), Goal(must=60, aim=40)),
        _added("64 at once", busy[BUSY_PLAIN], busy[BUSY], Goal(must=10, aim=5)),
    ]


def _added(when: str, plain: Sequence[float], other: Sequence[float], goal: Goal) -> Figure:
    name = f"plain handler, added to an async one, {when}"
    if not plain or not other:
        return make_figure(name, "µs", (), goal=goal, reason=NOT_RUN)
    each = [more - less for more, less in zip(plain, other, strict=True)]
    return make_figure(name, "µs", each, value=good(plain) - good(other), goal=goal)


def _p50(readings: Readings, case: Case) -> list[float]:
    return [row.p50 for row in readings.of(case)]


def _times(
    name: str, values: Sequence[float], units: Sequence[float], *, of: str, goal: Goal | None = None
) -> Figure:
    if not values:
        return make_figure(name, "µs", (), goal=goal, of=of, reason=NOT_RUN)
    return make_figure(
        name,
        "µs",
        values,
        ratios=[value / unit for value, unit in zip(values, units, strict=True)],
        ratio=good(values) / good(units),
        of=of,
        goal=goal,
    )


def _rates(name: str, values: Sequence[float], units: Sequence[float]) -> Figure:
    """Calls a second, and how many in the time of one bare round trip."""
    if not values:
        return make_figure(name, "calls/s", (), is_larger_better=True, of="a R0", reason=NOT_RUN)
    return make_figure(
        name,
        "calls/s",
        values,
        ratios=[value * unit / 1e6 for value, unit in zip(values, units, strict=True)],
        ratio=good(values, is_larger_better=True) * good(units) / 1e6,
        of="a R0",
        is_larger_better=True,
    )


NOT_RUN = "this process may use too few CPUs, or the run was ended before"

ABSENT = (
    Figure(
        name="whole pipeline, 4 shards, two CPUs",
        unit="messages/s",
        is_larger_better=True,
        must=3000,
        aim=6000,
        reason="measured by benchmarks/replay.py",
    ),
    Figure(
        name="against other systems",
        unit="",
        reason="measured by benchmarks/peers, where they are installed",
    ),
)
"""Rows of the table of goals that no run of this command can fill."""
