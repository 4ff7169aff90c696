"""Which figures are taken once in a run: bursts, ten thousand handlers, the look-up of handlers, the start of a runner?"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import attrs
import trio

from rookery.protocol import ComponentDeclaration, RegisterComponents

from .bench_cases import ASYNC, KIB, SHARDS
from .bench_figures import Figure, Goal, make_figure
from .bench_machine import memory_of
from .bench_rows import read
from .bench_settings import MANY, MANY_SHARDS, MANY_TOPICS, START_SHARDS
from .bench_work import CallFailed
from .fate import DispatchFailed
from .limits import MIB
from .observers import ShardMoved
from .registry import Registry
from .shard_state import ShardState
from .start_mode import StartMode
from .supervisor import ENDED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .bench_work import Bench

BURSTS = (500, 5000)
"""Calls that are made at once."""

START_WAIT = 60.0
"""Seconds for runners to come up."""

IMPORT_COMMAND = (sys.executable, "-P", "-c", "import trio")

LOOK_UPS = 20_000

MANY_HANDLERS = (
    Figure(name=f"event, {MANY:,} quick plain handlers, 4 shards", unit="µs", must=20, aim=12),
    Figure(name=f"event, {MANY:,} async handlers, 4 shards", unit="µs"),
)

FEW_PLUGINS, MANY_PLUGINS = 10, 10_000


async def measure_bursts(bench: Bench) -> list[Figure]:
    """So many calls at once: how many fail, and when the last of them ends."""
    bench.hold_on(1)
    found = []
    for count in BURSTS:
        call = bench.invoking(SHARDS[0], "async", bench.message(KIB))
        failed = 0

        async def one() -> None:
            nonlocal failed
            try:
                await call()  # noqa: B023  # ended before the next burst
            except DispatchFailed:
                failed += 1

        started = time.perf_counter()
        async with trio.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(one)
        lasted = time.perf_counter() - started
        found += [
            make_figure(f"{count:,} calls at once: failed", "calls", [failed], goal=Goal(must=0, aim=0)),
            make_figure(f"{count:,} calls at once: all answered after", "ms", [lasted * 1000]),
        ]
    return found


async def measure_many_handlers(bench: Bench, repetitions: int, moment: float) -> list[Figure]:
    """Events that ten thousand handlers see, in four shards that nobody else uses."""
    found = []
    try:
        await bring_up(bench, MANY_SHARDS)
        for row, topic in zip(MANY_HANDLERS, MANY_TOPICS.values(), strict=True):
            found.append(await _many_handlers(bench, row, topic, repetitions, moment))
    except (CallFailed, DispatchFailed) as error:
        return [*found, *(attrs.evolve(row, reason=str(error)) for row in MANY_HANDLERS[len(found) :])]
    await take_down(bench, MANY_SHARDS)
    return found


async def _many_handlers(bench: Bench, row: Figure, topic: str, repetitions: int, moment: float) -> Figure:
    show = bench.showing(topic, bench.message(KIB), MANY)
    await show()
    took, ratios = [], []
    for _ in range(repetitions):
        single = read(await bench.measure(ASYNC, moment)).p50
        started = time.perf_counter()
        await show()
        took.append((time.perf_counter() - started) * 1e6)
        ratios.append(took[-1] / single)
    goal = None if row.must is None or row.aim is None else Goal(must=row.must, aim=row.aim)
    return make_figure(row.name, row.unit, took, ratios=ratios, of="R", goal=goal)


class Moments:
    """When each shard came to a state the last time, by the clock of this process; an observer of the host's."""

    def __init__(self) -> None:
        self._at: dict[tuple[str, ShardState], float] = {}

    def note(self, record: object) -> None:
        if isinstance(record, ShardMoved):
            self._at[record.shard, record.new] = time.perf_counter()

    def last(self, shards: Iterable[str], state: ShardState) -> float:
        """When the last of them came there."""
        return max(self._at[shard, state] for shard in shards)


async def measure_starts(bench: Bench, moments: Moments, times: int) -> list[Figure]:
    """From the order to the hello, beside a process that does nothing but import the loop; and what a runner weighs."""
    bench.hold_on(len(bench.cpus) or 1)
    found: dict[StartMode, list[_Start]] = {mode: [] for mode in START_SHARDS}
    bare: list[float] = []
    modes = [mode for mode in START_SHARDS if mode is not StartMode.ZYGOTE or bench.is_forking]
    try:
        for _ in range(times):
            started = time.perf_counter()
            await trio.run_process([*IMPORT_COMMAND], stdin=-3, stdout=-3)
            bare.append(time.perf_counter() - started)
            for mode in modes:
                found[mode].append(await _start(bench, moments, START_SHARDS[mode]))
    except (CallFailed, OSError) as error:
        return [make_figure("runner ready", "ms", (), reason=str(error))]
    return _start_figures(found, bare)


@attrs.frozen(kw_only=True)
class _Start:
    """One start of one runner."""

    hello: float
    """Seconds until its loop runs."""
    ready: float
    private: float | None
    """MiB; None where it is not told."""


async def _start(bench: Bench, moments: Moments, shard: str) -> _Start:
    started = time.perf_counter()
    await bring_up(bench, (shard,))
    pid = bench.supervisor.shard(shard).pid
    memory = None if pid is None else memory_of(pid)
    start = _Start(
        hello=moments.last((shard,), ShardState.LOADING) - started,
        ready=moments.last((shard,), ShardState.READY) - started,
        private=None if memory is None else memory.private / MIB,
    )
    await take_down(bench, (shard,))
    return start


def _start_figures(found: dict[StartMode, list[_Start]], bare: list[float]) -> list[Figure]:
    forked, spawned = found[StartMode.ZYGOTE], found[StartMode.SPAWN]
    none = "" if forked else "this system, or this moment, has no zygote to fork from"
    untold = none or "this system does not tell it"
    private = [start.private for start in forked if start.private is not None]
    larger = [start.private for start in spawned if start.private is not None]
    hello = [start.hello * 1000 for start in forked]
    ratios = [start.hello / other for start, other in zip(spawned, bare, strict=True)]
    goal = Goal(must=1.3, aim=1.1)
    return [
        make_figure("forked runner runs its loop", "ms", hello, goal=Goal(must=10, aim=5), reason=none),
        make_figure("forked runner ready", "ms", [start.ready * 1000 for start in forked], reason=none),
        make_figure(
            "spawned runner runs its loop",
            "ms",
            [start.hello * 1000 for start in spawned],
            ratios=ratios,
            of="import trio",
            goal=goal,
        ),
        make_figure(
            "private memory of a forked runner",
            "MiB",
            private,
            goal=Goal(must=7, aim=5),
            reason="" if private else untold,
        ),
        make_figure("private memory of a spawned runner", "MiB", larger, reason="" if larger else untold),
    ]


async def bring_up(bench: Bench, shards: Iterable[str]) -> None:
    """Start shards, all at once, and wait for them.

    Raises:
        CallFailed: One does not come up.
    """
    for name in shards:
        bench.supervisor.start_shard(name)
    with trio.move_on_after(START_WAIT) as scope:
        for name in shards:
            shard = bench.supervisor.shard(name)
            state = await shard.state.wait_value(lambda state: state is ShardState.READY or state in ENDED)
            if state is not ShardState.READY:
                raise CallFailed(f"shard {name} is {shard.state.value.value}: {shard.reason}")
    if scope.cancelled_caught:
        raise CallFailed(f"the shards {', '.join(shards)} were not up after {START_WAIT:g} s")


async def take_down(bench: Bench, shards: Iterable[str]) -> None:
    """Stop shards and wait for the end of their runners."""
    for name in shards:
        bench.supervisor.stop_shard(name)
    for name in shards:
        await bench.supervisor.shard(name).state.wait_value(ShardState.STOPPED)


# --- look-up ---------------------------------------------------------------------------------------------------


def measure_look_ups(repetitions: int) -> list[Figure]:
    """A component by its name and the handlers of an event, among few plugins and among many."""
    few, many = make_registry(FEW_PLUGINS), make_registry(MANY_PLUGINS)
    times: list[float] = []
    ratios: list[float] = []
    for _ in range(repetitions):
        short = _time_look_up(few, FEW_PLUGINS)
        times.append(_time_look_up(many, MANY_PLUGINS))
        ratios.append(times[-1] / short)
    name = f"look-up of handlers, {FEW_PLUGINS} to {MANY_PLUGINS:,} plugins"
    slow = make_figure(name, "µs", times, ratios=ratios, of="that of few", goal=Goal(must=5, aim=2))
    return [slow, make_figure(f"{name}: itself", "µs", times, goal=Goal(must=2, aim=0.5))]


def make_registry(plugins: int) -> Registry:
    """A registry with so many plugins, each with a tool and a handler of an event of its own."""
    registry = Registry()
    names = [f"bench.p{number}" for number in range(plugins)]
    for name in names:
        components = [
            ComponentDeclaration(name="tool", component_type="TOOL", plugin_id=name, metadata={}),
            ComponentDeclaration(
                name="seen", component_type="EVENT_HANDLER", plugin_id=name, metadata={"event_type": name}
            ),
        ]
        registered = RegisterComponents(plugin_id=name, plugin_version="1.0.0", components=components)
        registry.register(registered, shard="a", is_trusted=True, live=False)
    registry.publish(names, names)
    return registry


def _time_look_up(registry: Registry, plugins: int) -> float:
    """Microseconds for one component and one event."""
    names = [f"bench.p{number * 7919 % plugins}" for number in range(LOOK_UPS)]
    started = time.perf_counter()
    for name in names:
        registry.component(name, "tool")
        registry.audience(name, None)
    return (time.perf_counter() - started) / LOOK_UPS * 1e6
