"""Does a host stay well for as long as its runners are hurt, one after the other, under load?

Three tasks beside the host: the load, a fault every few seconds, and a look once a second at everything that must hold.
What grows slowly is found at the end, in the slopes of what the looks have seen.
"""

from __future__ import annotations

import os
import threading
import time
from random import Random
from typing import TYPE_CHECKING, Any

import attrs
import trio
from trio_util import AsyncValue

from .observers import RunnerDied, RunnerSuspect
from .process_look import children_of, look_at
from .shard_state import ShardState
from .soak_faults import Faults, FaultTold
from .soak_load import Load, Wounds
from .soak_plan import plan_faults, time_allowed
from .soak_rules import (
    TOLERATED,
    Broken,
    Sight,
    Slope,
    Snapshot,
    find_broken,
    fit_slope,
    is_growing,
    note_strays,
    settled,
)
from .tree import open_supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .shard import Shard
    from .soak_plan import Fault
    from .soak_settings import SoakDeployment
    from .supervisor import Supervisor

LOOK_EVERY = 1.0
READY_WAIT = 60.0
"""Seconds for the deployment to come up."""

MAX_BROKEN = 100
"""Broken rules that are kept; the first tell most."""

TRIES = 3
"""A status that is slow is made again: this process may have been put aside while it was made."""


@attrs.frozen(kw_only=True)
class SoakSummary:
    """Everything that a soak test has to tell."""

    seed: int
    seconds: float
    faults: tuple[FaultTold, ...]
    calls: dict[str, dict[str, int]]
    """By kind, and by how they ended."""
    p99_quiet_ms: float | None
    """Of calls whose shard nobody had hurt."""
    p99_hurt_ms: float | None
    largest_lag_ms: float
    """Of the host's loop, at a look of its watchdog."""
    largest_status_ms: float
    suspicions: int
    """How often a runner that nobody had hurt was silent for a while: the machine was busy."""
    slopes: dict[str, Slope]
    growing: tuple[str, ...]
    """The series that grow."""
    broken: tuple[Broken, ...]
    is_complete: bool
    """It was not ended early."""

    @property
    def is_clean(self) -> bool:
        """Everything held, and nothing grows."""
        return not self.broken and not self.growing

    def as_json(self) -> dict[str, Any]:
        """Plain maps, lists and numbers."""
        faults = [{**attrs.asdict(each), "kind": each.kind.value} for each in self.faults]
        return {**attrs.asdict(self), "faults": faults, "is_clean": self.is_clean}


async def run_soak(
    deployment: SoakDeployment,
    *,
    seconds: float,
    every: float,
    rate: float,
    seed: int,
    interrupted: trio.Event,
    on_fault: Callable[[FaultTold], None] = lambda _: None,
    on_broken: Callable[[Broken], None] = lambda _: None,
    on_open: Callable[[Supervisor], None] = lambda _: None,
    observers: Sequence[Callable[[object], None]] = (),
    owns_process: bool = False,
) -> SoakSummary:
    """Run a deployment, hurt it, and stop it.

    Args:
        seconds: Of load; faults that were begun by then are waited for.
        every: Seconds between the beginnings of two faults; a fault whose shard is not well yet waits for it.
        rate: Calls a second.
        interrupted: Set by the caller to end early.
        on_fault, on_broken: Told at once.
        on_open: Given the host once it starts, to stop it by force.
        owns_process: Nobody else starts children in this process.

    Raises:
        RookeryError: The host could not start.
    """
    soak = _Soak(deployment, seed, on_fault, on_broken)
    async with open_supervisor(
        deployment.settings, observers=(soak.note, *observers), owns_process=owns_process
    ) as supervisor:
        on_open(supervisor)
        with trio.move_on_after(READY_WAIT):
            await _ready_or(interrupted, supervisor)
        await soak.run(supervisor, seconds=seconds, every=every, rate=rate, interrupted=interrupted)
    return soak.summary()


async def _ready_or(interrupted: trio.Event, supervisor: Supervisor) -> None:
    async with trio.open_nursery() as nursery:

        async def end_when_interrupted() -> None:
            await interrupted.wait()
            nursery.cancel_scope.cancel()

        nursery.start_soon(end_when_interrupted)
        await supervisor.wait_ready()
        nursery.cancel_scope.cancel()


class _Soak:
    """One soak test on its way."""

    def __init__(
        self,
        deployment: SoakDeployment,
        seed: int,
        on_fault: Callable[[FaultTold], None],
        on_broken: Callable[[Broken], None],
    ) -> None:
        self._deployment = deployment
        self._seed = seed
        self._on_fault = on_fault
        self._on_broken = on_broken
        self._wounds = Wounds()
        self._began: float | None = None
        self._ended = 0.0
        self._interrupted = trio.Event()
        self._told: list[FaultTold] = []
        self._broken: dict[tuple[str, str], Broken] = {}
        self._looks: list[Snapshot] = []
        self._load: Load | None = None
        self._out_since: dict[str, float] = {}
        self._suspicions = 0
        self._running = AsyncValue(0)
        """Faults on their way."""
        self._largest_lag = 0.0
        self._is_complete = False

    # --- what is told ------------------------------------------------------------------------------------------

    def note(self, record: object) -> None:
        """An observer of the host's."""
        if self._began is None or self._ended:
            return
        match record:
            case RunnerDied(report=report) if not report.planned and self._wounds.now(report.shard) is None:
                self._blame("a runner that nobody has hurt lives", report.shard, report.describe())
            case RunnerSuspect(shard=shard) if self._wounds.now(shard) is None:
                self._suspicions += 1

    def _blame(self, rule: str, subject: str, text: str) -> None:
        if self._interrupted.is_set() and not self._is_complete:
            return  # it was ended in the middle: calls that were open end with the host
        began = trio.current_time() if self._began is None else self._began
        self._break(Broken(rule=rule, subject=subject, text=text, at=round(trio.current_time() - began, 3)))

    def _break(self, broken: Broken) -> None:
        key = (broken.rule, broken.subject)
        known = self._broken.get(key)
        if known is not None:
            self._broken[key] = attrs.evolve(known, times=known.times + 1)
        elif len(self._broken) < MAX_BROKEN:
            self._broken[key] = broken
            self._on_broken(broken)

    # --- its course --------------------------------------------------------------------------------------------

    async def run(
        self, supervisor: Supervisor, *, seconds: float, every: float, rate: float, interrupted: trio.Event
    ) -> None:
        """Load, faults and looks, until the time is over or somebody ends it."""
        began = self._began = trio.current_time()
        self._interrupted = interrupted
        load = self._load = Load(
            supervisor, self._deployment.plugins, self._wounds, rate=rate, on_broken=self._blame
        )
        faults = Faults(supervisor, self._deployment, self._wounds, began=began)
        self._look(supervisor, load, began)
        if not interrupted.is_set():  # else it may not even be ready
            await self._work(supervisor, load, faults, seconds=seconds, every=every, interrupted=interrupted)
        self._ended = trio.current_time()
        if not interrupted.is_set():
            self._look(supervisor, load, began)

    async def _work(
        self,
        supervisor: Supervisor,
        load: Load,
        faults: Faults,
        *,
        seconds: float,
        every: float,
        interrupted: trio.Event,
    ) -> None:
        end = trio.current_time() + seconds
        async with trio.open_nursery() as nursery:

            async def end_early() -> None:
                await interrupted.wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(end_early)
            nursery.start_soon(self._look_often, supervisor, load)
            async with trio.open_nursery() as working:
                working.start_soon(load.run)
                with trio.move_on_at(end):
                    await self._hurt(faults, every, nursery)
                await self._wait_healed()
                working.cancel_scope.cancel()
            await load.wait_idle()
            self._is_complete = True
            nursery.cancel_scope.cancel()

    async def _hurt(self, faults: Faults, every: float, nursery: trio.Nursery) -> None:
        """A fault every so many seconds, until cancelled."""
        random = Random(self._seed)
        due = trio.current_time()
        for fault in plan_faults(self._deployment.kinds, list(self._deployment.plugins), random):
            due = max(due + every, trio.current_time())
            await trio.sleep_until(due)
            await faults.wait_unhurt(fault.shard)
            self._running.value += 1
            nursery.start_soon(self._inflict, faults, fault)

    async def _inflict(self, faults: Faults, fault: Fault) -> None:
        told = await faults.inflict(fault)
        self._running.value -= 1
        self._told.append(told)
        self._on_fault(told)
        if not told.is_as_expected:
            self._blame(
                f"a shard that {told.kind.value} is {told.kind.expect.value}", told.shard, told.outcome
            )

    async def _wait_healed(self) -> None:
        """Return when no fault is on its way. Each is over in the time of its shard's policy, well or not."""
        await self._running.wait_value(lambda running: running == 0)

    # --- looking -----------------------------------------------------------------------------------------------

    async def _look_often(self, supervisor: Supervisor, load: Load) -> None:
        assert self._began is not None
        due = trio.current_time()
        while True:
            due = max(due + LOOK_EVERY, trio.current_time())
            await trio.sleep_until(due)
            self._look(supervisor, load, self._began)

    def _look(self, supervisor: Supervisor, load: Load, began: float) -> None:
        now = trio.current_time()
        before = self._looks[-1] if self._looks else None
        shards = tuple(self._sight(shard, now) for shard in supervisor.shards.values())
        children = frozenset(children_of(os.getpid())) if os.path.isdir("/proc/self") else None
        lost = {pid for shard in supervisor.shards.values() for pid in shard.lost_pids}
        expected = (
            {sight.pid for sight in shards if sight.pid is not None} | lost | supervisor.custody.own_pids
        )
        at = round(now - began, 3)
        seen = Snapshot(
            at=at,
            shards=shards,
            children=children,
            strays=note_strays(before.strays if before else {}, children or (), expected, at),
            descriptors=_count_descriptors("self") or 0,
            threads=threading.active_count(),
            rss=look_at(os.getpid()).rss,
            status_seconds=_time_status(supervisor),
            overdue=load.overdue(now),
        )
        self._largest_lag = max(self._largest_lag, supervisor.take_largest_lag())
        self._looks.append(seen)
        for broken in find_broken(self._looks[0], before or seen, seen):
            self._break(broken)

    def _sight(self, shard: Shard, now: float) -> Sight:
        is_ready = shard.state.value is ShardState.READY
        out_for, wound = 0.0, self._wounds.now(shard.name)
        if not is_ready:
            out_for = now - self._out_since.setdefault(shard.name, now)
        else:
            self._out_since.pop(shard.name, None)
        return Sight(
            shard=shard.name,
            is_ready=is_ready,
            state=shard.state.value.value,
            incarnation=shard.incarnation,
            pid=shard.pid,
            out_for=out_for,
            out_allowed=time_allowed(shard.settings, None if wound is None else wound.kind),
            descriptors=_count_descriptors(str(shard.pid)) if is_ready else None,
        )

    # --- the end -----------------------------------------------------------------------------------------------

    def summary(self) -> SoakSummary:
        """What came of it."""
        load, began = self._load, self._began
        assert load is not None
        assert began is not None
        slopes = {name: fit_slope(settled(series)) for name, series in _series(self._looks).items()}
        calls: dict[str, dict[str, int]] = {}
        for (kind, ending), count in sorted(load.counts.items()):
            calls.setdefault(kind, {})[ending] = count
        return SoakSummary(
            seed=self._seed,
            seconds=round(self._ended - began, 1),
            faults=tuple(self._told),
            calls=calls,
            p99_quiet_ms=_milliseconds(load.quiet.percentile(99)),
            p99_hurt_ms=_milliseconds(load.hurt.percentile(99)),
            largest_lag_ms=round(self._largest_lag * 1000, 1),
            largest_status_ms=round(max(look.status_seconds for look in self._looks) * 1000, 2),
            suspicions=self._suspicions,
            slopes=slopes,
            growing=tuple(name for name, slope in slopes.items() if is_growing(slope, TOLERATED[name])),
            broken=tuple(self._broken.values()),
            is_complete=self._is_complete,
        )


def _series(looks: Sequence[Snapshot]) -> dict[str, list[tuple[float, float]]]:
    return {
        "descriptors": [(look.at, float(look.descriptors)) for look in looks],
        "threads": [(look.at, float(look.threads)) for look in looks],
        "memory": [(look.at, float(look.rss)) for look in looks],
    }


def _time_status(supervisor: Supervisor) -> float:
    """Seconds that making a status takes."""
    took = []
    for _ in range(TRIES):
        started = time.perf_counter()
        supervisor.status()
        took.append(time.perf_counter() - started)
        if took[-1] < 0.01:
            break
    return min(took)


def _count_descriptors(process: str) -> int | None:
    """How many descriptors a process has; None where that is not known."""
    directory = f"/proc/{process}/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
    try:
        return len(os.listdir(directory)) if process == "self" or directory != "/dev/fd" else None
    except OSError:
        return None


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
