"""How is one seed run: which of the host's edges are replaced, how long does it go on, and when is it over?"""

from __future__ import annotations

import logging
import os
import random
import re
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import attrs
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from rookery.supervisor import page as page_module
from rookery.supervisor import tree
from rookery.supervisor.channels import Channels
from rookery.supervisor.observers import Observers
from rookery.supervisor.zygote import OrderLost
from tests.simulator.calls import Books
from tests.simulator.faults import Faults
from tests.simulator.laws import Laws
from tests.simulator.load import Load
from tests.simulator.orders import Orders
from tests.simulator.plan import Plan, make_plan
from tests.simulator.runner import SimRunner
from tests.simulator.starting import COMPACT, FULL, KINDS
from tests.simulator.wire import Weather, Wire, notify_closing, wait_readable, wait_writable
from tests.simulator.world import Spinning, Violation, World, jump

if TYPE_CHECKING:
    from pathlib import Path

    from rookery.supervisor.page import Page
    from rookery.supervisor.process import Launch
    from rookery.supervisor.supervisor import Supervisor

MINUTES = 5.0
"""Virtual ones in which things go wrong."""

QUIET = 90.0
"""Virtual seconds at the end in which nothing goes wrong any more; the longest delays of ``plan.py`` fit in."""

FIRST_PID = 10_000


@attrs.frozen(kw_only=True)
class Result:
    """How one seed went."""

    seed: int
    digest: str
    minutes: float
    """Virtual ones that passed."""
    violation: str
    """"" for none."""
    lines: list[str]
    """The trace, or its end."""
    evidence: list[str]
    """Its lines up to the violation."""
    outcomes: dict[str, int]
    fired: dict[str, int]
    at: float
    """When the violation was found, virtual seconds."""

    def describe(self, *, most: int = 40, options: str = "") -> str:
        """What is printed of a violation."""
        return "\n".join(
            (
                f"seed {self.seed} at {self.at:.4f} virtual seconds: {self.violation}",
                *(f"  {line}" for line in self.evidence[-most:]),
                f"replay: python -m tests.simulator --seed {self.seed}{options} --trace",
            )
        )


class Simulation:
    """One seed.

    Args:
        minutes: Virtual minutes before the end begins.
    """

    def __init__(self, seed: int, *, minutes: float, keeps_trace: bool = False) -> None:
        self.clock = MockClock(autojump_threshold=0)
        self.world = World(seed, self.clock, keeps_trace=keeps_trace)
        chance = random.Random(f"plan {seed}")
        self.plan: Plan = make_plan(chance)
        self.faults = Faults(random.Random(f"faults {seed}"), self.plan.spared)
        self.books = Books(self.world, self.plan.spared)
        self.laws = Laws(self.world, self.books, self.plan)
        self.weather = Weather(
            latency=chance.choice((0.0002, 0.002, 0.05)),
            tear=chance.choice((0.0, 0.0, 0.1, 0.5)),
            buffer=chance.choice((500, 4096, 200_000, 200_000)),
        )
        self.seconds = minutes * 60.0
        self.forks = chance.random() < 0.5
        self.ends_abruptly = chance.random() < 0.25
        self.kind, self.spared_kind = chance.choice(KINDS), chance.choice((FULL, COMPACT))
        self.runners: list[SimRunner] = []
        self._wires: dict[int, Wire] = {}
        self._original_page_file = page_module._make_file

    # --- the edges ---------------------------------------------------------------------------------------------

    @contextmanager
    def edges(self) -> Iterator[None]:
        """Everything that the host would ask of the system is asked of this run."""
        low = trio.lowlevel
        with ExitStack() as stack:
            for target, name, new in (
                ("trio._core._run", "_r", random.Random(f"trio {self.world.seed}")),
                ("trio._core._run", "_ALLOW_DETERMINISTIC_SCHEDULING", True),
                ("trio.lowlevel", "wait_readable", partial(wait_readable, low.wait_readable)),
                ("trio.lowlevel", "wait_writable", partial(wait_writable, low.wait_writable)),
                ("trio.lowlevel", "notify_closing", partial(notify_closing, low.notify_closing)),
                ("trio.testing.MockClock", "current_time", lambda clock: clock._virtual_base),
                ("trio.testing.MockClock", "_autojump", jump),
                ("rookery.protocol.link", "_wall_clock_ms", lambda: int(self.world.now * 1000)),
                ("rookery.supervisor.page", "_make_file", self._make_page_file),
                ("rookery.supervisor.tree", "check_host", lambda: None),
                ("rookery.supervisor.tree", "hold_run_lock", lambda _: nullcontext()),
                ("rookery.supervisor.tree", "make_state_dir", lambda _: None),
                ("rookery.supervisor.tree", "open_custody", self._open_custody),
                ("rookery.supervisor.tree", "open_store", _open_store),
                ("rookery.supervisor.tree", "serve_control", _serve_nothing),
                ("rookery.supervisor.tree", "CrashReports", _NoReports),
            ):
                stack.enter_context(patch(f"{target}.{name}", new))
            stack.enter_context(patch.object(Channels, "__init__", self._channels()))
            stack.enter_context(patch.object(Observers, "_report", self._report()))
            logging.disable(logging.CRITICAL)
            stack.callback(logging.disable, logging.NOTSET)
            state = random.getstate()
            random.seed(self.world.seed)
            stack.callback(random.setstate, state)
            yield

    def _report(self) -> Callable[..., None]:
        def report(observers: Observers, observer: Callable[[object], None], record: object) -> None:
            self.world.accuse(f"an observer failed at {record!r}: {traceback.format_exc()}")

        return report

    def _channels(self) -> Callable[..., None]:
        """The host's descriptors of a runner are real ones, but for the socket."""
        original = Channels.__init__

        def make(channels: Channels, terminal: Any, page: Page | None = None) -> None:
            if self.faults.fires("no descriptors", "any"):
                raise OSError(24, "Too many open files")
            original(channels, terminal, page)
            wire = self._wires[channels.link] = Wire(self.world, self.weather)
            channels.socket = wire  # type: ignore[assignment]  # the real one is closed with the others

        return make

    def _make_page_file(self) -> int:
        if self.faults.fires("no page", "any"):
            raise OSError(24, "Too many open files")
        return self._original_page_file()

    @asynccontextmanager
    async def _open_custody(self, state_dir: Path, **_: object) -> AsyncIterator[Any]:
        yield _Custody(self.start)

    def start(self, launch: Launch) -> SimRunner | Awaitable[SimRunner]:
        """Start a runner, as ``Custody.start`` does: at once, or after some turns of the loop."""
        return self._fork(launch) if self.forks and launch.may_be_forked else self._spawn(launch)

    async def _fork(self, launch: Launch) -> SimRunner:
        with trio.CancelScope(shield=True):
            await trio.sleep(self.world.between(0.0, 0.05))
        if self.faults.fires("order lost", launch.run.rpartition(".")[0]):
            self.world.note(f"the order to start {launch.run} is lost")
            raise OrderLost
        return self._spawn(launch)

    def _spawn(self, launch: Launch) -> SimRunner:
        shard = launch.run.rpartition(".")[0]
        wire = self._wires.pop(int(launch.command[launch.command.index("--link-fd") + 1]))
        for kind, number in (("spawn refused", 11), ("no interpreter", 2)):
            if self.faults.fires(kind, shard):
                self.world.note(f"no process for {shard}: {kind}")
                raise OSError(number, kind)
        features = self.spared_kind if shard in self.plan.spared else self.kind
        pid = FIRST_PID + len(self.runners)
        runner = SimRunner(self.world, self.faults, wire, launch, pid, books=self.books, features=features)
        self.world.note(f"{runner} begins")
        self.runners.append(runner)
        self.books.runners[shard] = runner
        self.laws.note_spawned(runner)
        self.books.drains[shard] = self.laws.supervisor.shards[shard].settings.timeouts.drain
        return runner

    # --- the run -----------------------------------------------------------------------------------------------

    async def main(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.world.run)
            begun = 0.0
            async with tree.open_supervisor(
                self.plan.settings, catalog=self.plan.catalog, observers=[self.laws.note]
            ) as supervisor:
                self.laws.supervisor = supervisor
                self.world.at(0.5, self._beat)
                load = Load(self.world, self.faults, self.books, supervisor, self.plan.spared)
                load.begin()
                Orders(
                    self.world, self.faults, supervisor, self.plan.spared, books=self.books, laws=self.laws
                ).begin()
                await self._watch_for(self.seconds)
                load.ends = True
                if not self.ends_abruptly:
                    self._calm_down(supervisor)
                    await self._watch_for(QUIET)
                    self.laws.check_recovered()
                    await self._try_all(supervisor, load)
                self.world.note("the host stops")
                self.books.is_stopping = True
                begun = self.world.now
                forces = self.world.happens(0.2)
                if forces:
                    supervisor.request_stop(force=True)
            self.world.note("the host has stopped")
            self.laws.check_stopped(begun)
            nursery.cancel_scope.cancel()
        self.world.check()

    async def _watch_for(self, seconds: float) -> None:
        """Let it run, and look once a second at what must always hold."""
        end = self.world.now + seconds
        while self.world.now < end:
            await trio.sleep(1.0)
            await wait_all_tasks_blocked()
            self.books.check_deadlines()
            self.laws.check_always()
            self.world.check()

    def _beat(self) -> None:
        self.runners_alive = [each for each in self.runners if not each.is_gone]
        for runner in self.runners_alive:
            runner.beat()
        self.world.at(1.0, self._beat)

    def _calm_down(self, supervisor: Supervisor) -> None:
        self.world.note("it is calm from here on")
        self.faults.is_calm = True
        for runner in self.runners:
            if runner.is_killed and not runner.is_gone:
                self.world.at(0.1, runner.die, -9)
            runner.kill_takes = 0.01
            runner.hear_again()
            if runner.page is None or "beats" not in runner.features:
                runner.thaw()  # nobody sees that it hangs
        for shard in supervisor.shards.values():
            if shard.transition != "T23":
                shard.start()  # one that leaves now comes back

    async def _try_all(self, supervisor: Supervisor, load: Load) -> None:
        """One call of each plugin that is there: it must go well."""
        made = [load.try_out(plugin_id) for shard in supervisor.shards.values() for plugin_id in shard.loaded]
        await trio.sleep(5.0)
        for booked in made:
            self.laws.check_last_call(booked)


class _Custody:
    """As much of the custody as the tree and the supervisor use."""

    def __init__(self, start: Callable[[Launch], SimRunner | Awaitable[SimRunner]]) -> None:
        self.start = start

    def spawn(self, launch: Launch) -> SimRunner:
        """Nothing but runners is started here."""
        raise AssertionError(f"{launch.run} was started")

    async def run(self) -> None:
        await trio.sleep_forever()


class _Store:
    """Keeps nothing: the store is a thread of its own, and decides nothing here."""

    def submit(self, operation: Any, on_done: Any = None, *, size: int = 0) -> None:
        """Drop it."""

    async def run(self, operation: Any, *, size: int = 0) -> list[Any]:
        """Find nothing."""
        await trio.lowlevel.checkpoint()
        return []

    def save_message_nowait(self, *args: Any, **kwargs: Any) -> None:
        """Drop it."""


@asynccontextmanager
async def _open_store(path: Path) -> AsyncIterator[_Store]:
    yield _Store()


async def _serve_nothing(
    state_dir: Path, table: object, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    task_status.started()
    await trio.sleep_forever()


class _NoReports:
    """Writes no files."""

    def __init__(self, directory: Path) -> None:
        pass

    def observe(self, record: object) -> None:
        """Nothing is kept."""

    async def run(self) -> None:
        await trio.sleep_forever()


def simulate(seed: int, *, minutes: float = MINUTES, keeps_trace: bool = False) -> Result:
    """Run one seed; never raises for what it finds."""
    simulation = Simulation(seed, minutes=minutes, keeps_trace=keeps_trace)
    world, violation = simulation.world, ""
    descriptors = _count_descriptors()
    with simulation.edges():
        try:
            trio.run(simulation.main, clock=simulation.clock, instruments=[Spinning(world)])
        except BaseException as error:
            violation = _first_violation(error)
    for runner in simulation.runners:
        runner.page = None  # what is mapped counts as open
    if not violation and (left := _count_descriptors() - descriptors) > 0:
        violation = f"{left} descriptors are left open"
    return Result(
        seed=seed,
        digest=world.digest,
        minutes=world.now / 60.0,
        violation=violation,
        lines=world.lines,
        evidence=world.evidence or world.lines,
        outcomes=dict(simulation.books.outcomes),
        fired=dict(simulation.faults.fired),
        at=world.found_at or world.now,
    )


def _first_violation(error: BaseException) -> str:
    leaves = list(_leaves(error))
    for leaf in leaves:
        if isinstance(leaf, KeyboardInterrupt):
            raise leaf
        if isinstance(leaf, Violation):
            return str(leaf)
    found = "".join(traceback.format_exception(leaves[0]))
    return f"the host raised: {re.sub(r'0x[0-9a-f]+', '0x…', found)}"


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


def _count_descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
