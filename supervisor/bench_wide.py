"""What do sixty-four shards cost: their start, their memory, a call beside them, an event to all, and doing nothing?"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import attrs
import trio

from .bench_cases import ASYNC, KIB
from .bench_figures import Figure, Goal, good, make_figure
from .bench_machine import cpu_seconds, memory_of
from .bench_once import bring_up
from .bench_rows import read
from .bench_settings import ALL_TOPIC, FEW_SHARDS, WIDE_SHARDS
from .bench_work import CallFailed
from .fate import DispatchFailed
from .limits import MIB
from .shard_state import ShardState

if TYPE_CHECKING:
    from .bench_once import Moments
    from .bench_unit import Unit
    from .bench_work import Bench

COUNT = len(FEW_SHARDS) + len(WIDE_SHARDS)

IDLE_SECONDS = 5.0
SETTLING = 1.0
"""Seconds until those who have just started or worked have nothing left to do."""

UNIT_ROUNDS = 500

STARTING = Figure(
    name=f"{len(WIDE_SHARDS)} more runners at once, forked, run their loops", unit="s", must=0.6, aim=0.4
)
MEMORY = Figure(name=f"memory of {COUNT} shards", unit="MiB", must=450, aim=320)
BESIDE = Figure(
    name=f"call to one shard, {COUNT} connected against {len(FEW_SHARDS)}", unit="µs", must=1.15, aim=1.05
)
TO_ALL = Figure(
    name=f"event to all shards, time a shard, {COUNT} against {len(FEW_SHARDS)}", unit="µs", must=2.5, aim=1.5
)
IDLE = Figure(name=f"idle, {COUNT} shards, processor time of all", unit="ms/s", must=15, aim=8)
IDLE_HOST = Figure(name=f"idle, {COUNT} shards, processor time of the host", unit="ms/s")
ROWS = (STARTING, MEMORY, BESIDE, TO_ALL, IDLE, IDLE_HOST)


@attrs.frozen
class _Work:
    """What is measured with few shards and with many, once in each repetition; microseconds."""

    units: list[float]
    """Of the bare round trip."""
    calls: list[float]
    events: list[float]
    """A shard."""


async def measure_wide(
    bench: Bench, unit: Unit, moments: Moments, repetitions: int, moment: float
) -> list[Figure]:
    """With the shards of the cases, then with all."""
    try:
        few = await _work(bench, unit, len(FEW_SHARDS), repetitions, moment)
        bench.hold_on(len(bench.cpus) or 1)
        started = time.perf_counter()
        await bring_up(bench, WIDE_SHARDS)
        lasted = moments.last(WIDE_SHARDS, ShardState.LOADING) - started
        many = await _work(bench, unit, COUNT, repetitions, moment)
    except (CallFailed, DispatchFailed) as error:
        return [attrs.evolve(row, reason=str(error)) for row in ROWS]
    return [
        _starting(bench, lasted),
        _memory(bench),
        _against(BESIDE, many.calls, few.calls, good(many.units) / good(few.units)),
        _against(TO_ALL, many.events, few.events, good(many.units) / good(few.units)),
        *await _idle(bench),
    ]


async def _work(bench: Bench, unit: Unit, shards: int, repetitions: int, moment: float) -> _Work:
    show = bench.showing(ALL_TOPIC, bench.message(KIB), shards)
    work = _Work([], [], [])
    for _ in range(repetitions):
        bench.hold_on(1)
        work.units.append(await unit.round_trip_us(UNIT_ROUNDS, KIB))
        work.calls.append(read(await bench.measure(ASYNC, moment)).p50)
        took: list[float] = []
        end = time.perf_counter() + moment
        while time.perf_counter() < end or not took:
            started = time.perf_counter()
            await show()
            took.append((time.perf_counter() - started) / shards * 1e6)
        work.events.append(statistics.median(took))
    return work


def _against(row: Figure, many: list[float], few: list[float], slowdown: float) -> Figure:
    """Neither can be repeated beside the other: each repetition of one is held against what the other comes to.

    Args:
        slowdown: What the machine itself had become slower by.
    """
    ratios = [each / good(few) / slowdown for each in many]
    goal = _goal(row)
    return make_figure(row.name, row.unit, many, ratios=ratios, of=f"{len(FEW_SHARDS)} shards", goal=goal)


def _starting(bench: Bench, lasted: float) -> Figure:
    if bench.is_forking:
        return make_figure(STARTING.name, STARTING.unit, [lasted], goal=_goal(STARTING))
    return attrs.evolve(STARTING, reason=f"spawned, as nothing could be forked: {lasted:.1f} s")


def _memory(bench: Bench) -> Figure:
    pids = (*bench.runners(), *bench.supervisor.custody.own_pids)
    found = [memory for pid in pids if (memory := memory_of(pid)) is not None]
    total = [sum(memory.share for memory in found) / MIB] if found else []
    return make_figure(
        MEMORY.name,
        MEMORY.unit,
        total,
        goal=_goal(MEMORY),
        reason="" if total else "this system does not tell it",
    )


async def _idle(bench: Bench) -> list[Figure]:
    bench.hold_on(len(bench.cpus) or 1)
    await trio.sleep(SETTLING)
    runners = bench.runners()
    host, theirs, started = time.process_time(), cpu_seconds(runners), time.perf_counter()
    await trio.sleep(IDLE_SECONDS)
    now, seconds = cpu_seconds(runners), time.perf_counter() - started
    if theirs is None or now is None:
        return [
            attrs.evolve(row, reason="this system tells no clock of another process")
            for row in (IDLE, IDLE_HOST)
        ]
    own = (time.process_time() - host) / seconds * 1000
    used = own + (now - theirs) / seconds * 1000
    return [
        make_figure(IDLE.name, IDLE.unit, [used], goal=_goal(IDLE)),
        make_figure(IDLE_HOST.name, IDLE_HOST.unit, [own]),
    ]


def _goal(row: Figure) -> Goal | None:
    return None if row.must is None or row.aim is None else Goal(must=row.must, aim=row.aim)
