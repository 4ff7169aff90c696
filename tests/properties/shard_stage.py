"""Where the shards of the state machine live: real shards, groups, court and watchdog, on a clock that a step moves.

Runners are puppets over real sockets, and what else a host has is stood in for. After each step the books of every shard are
held against it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import attrs
import trio

from rookery.protocol import PLUGIN_INVOKE_TOOL, AssignedPlugin, Assignment
from rookery.supervisor.counters import Counters
from rookery.supervisor.court import Court
from rookery.supervisor.exit_report import ExitReport
from rookery.supervisor.group import Groups
from rookery.supervisor.judgement import Judgement
from rookery.supervisor.logs import LogSink
from rookery.supervisor.observers import Observers, PluginIsolated, PluginQuarantined
from rookery.supervisor.quarantine import weigh
from rookery.supervisor.settings import ShardSettings
from rookery.supervisor.shard import Shard
from rookery.supervisor.shard_state import AT_REST, ShardState
from rookery.supervisor.strategy import GroupSettings
from rookery.supervisor.supervisor import Supervisor
from rookery.supervisor.watchdog import Watchdog
from tests.doubles.shards import NotedTraffic
from tests.properties.shard_books import Book, Call
from tests.properties.shard_coverage import Seen
from tests.properties.shard_evidence import check_rest
from tests.properties.shard_puppet import Puppet, Puppets
from tests.properties.stepped_run import SteppedRun, settle

S = ShardState

COMING = (S.SPAWNING, S.HELLO, S.LOADING)

LAST = 200.0
"""Seconds in which everything must have ended when the host stops."""


@attrs.frozen(repr=False)
class Plan:
    """What a program begins with."""

    shards: tuple[tuple[ShardSettings, tuple[str, ...]], ...]
    """Each with its plugins."""
    group: GroupSettings
    chance: float = 0.0
    """What is drawn wherever something is left to chance."""
    comes_up: bool = True
    """Whether runners say hello and load by themselves, at first."""

    def __repr__(self) -> str:
        shards = (f"{_short(settings)} with {', '.join(plugins)}" for settings, plugins in self.shards)
        return f"<Plan {'; '.join([*shards, _short(self.group)])}; chance={self.chance} comes_up={self.comes_up}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """For Hypothesis, which would print every field of everything."""
        printer.text(repr(self))


def _short(value: Any) -> str:
    """The settings that differ from those of a shard that nobody set up."""
    told = []
    for field in attrs.fields(type(value)):
        chosen = getattr(value, field.name)
        default = field.default.factory() if isinstance(field.default, attrs.Factory) else field.default  # type: ignore[arg-type]
        if chosen != default:
            told.append(f"{field.name}={_short(chosen) if attrs.has(type(chosen)) else chosen}")
    return f"({' '.join(told)})"


class Seat:
    """One shard, its puppets and its books.

    Attributes:
        comes_up: Whether its next runners say hello and load by themselves.
    """

    def __init__(self, stage: Stage, settings: ShardSettings, plugins: tuple[str, ...]) -> None:
        self.stage = stage
        self.comes_up = stage.plan.comes_up
        self.is_running = False
        self.scope = trio.CancelScope()
        self.traffic = NotedTraffic()
        self.puppets = Puppets(
            stage.run.nursery,
            state=lambda: self.shard.state.value,
            problems=stage.problems,
            dress=self._dress,
        )
        self.shard = Shard(
            settings,
            plugins=plugins,
            assign=self._assign,
            traffic=self.traffic,
            observers=stage.observers,
            log_sink=LogSink(Observers()),
            host_version="0.1.0",
            terminal={},
            judge=stage,
            spawn=self.puppets.spawn,
            chance=lambda: stage.plan.chance,
        )
        self.book = Book(
            self.shard, self.puppets, chance=stage.plan.chance, seen=stage.seen, problems=stage.problems
        )

    def _dress(self, puppet: Puppet) -> None:
        puppet.comes_up = self.comes_up
        puppet.rss_hard = self.shard.settings.limits.rss_hard
        if self.comes_up:
            puppet.hello()

    def _assign(self, shard: Shard, incarnation: int, blocked: dict[str, str]) -> Assignment:
        self.book.assigned(blocked)
        plugins = [AssignedPlugin(plugin_id=name, path="") for name in shard.plugins]
        return Assignment(shard=shard.name, incarnation=incarnation, plugins=plugins, blocked=blocked)

    @property
    def state(self) -> ShardState:
        state: ShardState = self.shard.state.value
        return state

    @property
    def puppet(self) -> Puppet | None:
        return self.book.puppet

    def call(self, seconds: float) -> None:
        """Send a call to its runner, if it can be reached."""
        if self.shard.link is None or self.shard.link.is_closed:
            return
        call = Call(self.shard.incarnation)
        self.book.calls.append(call)
        self.shard.link.send(
            PLUGIN_INVOKE_TOOL,
            {},
            plugin_id=self.shard.plugins[0] if self.shard.plugins else "",
            deadline=trio.current_time() + seconds,
            on_done=call.outcomes.append,
        )

    async def host(self) -> None:
        """Run it, as a host would."""
        with trio.CancelScope() as self.scope:
            await self.shard.run(self.stage.groups)
        self.is_running = False
        self.book.is_closing = self.book.is_cancelled = False
        self.book.judged = 0


class Stage:
    """All of a program.

    Attributes:
        problems: What was found to be wrong; a step fails when there is something.
        passes: How often the scheduler runs after the next step; None is until everybody waits for time to pass.
    """

    def __init__(self, plan: Plan, seen: Seen) -> None:
        self.plan = plan
        self.seen = seen
        self.problems: list[str] = []
        self.seats: dict[str, Seat] = {}
        self.passes: int | None = None
        self.was_settled = True
        self.is_stopping = True
        self.has_failed = False
        self._charged: dict[str, float] = {}
        self._isolated: set[str] = set()
        self._before = _descriptors()
        self.run = SteppedRun()
        self.run.do(self._open)

    async def _open(self) -> None:
        self.observers = Observers()
        self.groups = Groups([self.plan.group], self.observers, cast(Supervisor, self))
        self.court = Court(cast(Supervisor, self), chance=lambda: self.plan.chance)
        self.observers.add(self._note)
        self.observers.add(self.groups.note)
        self.observers.add(self.court.note)
        for settings, plugins in self.plan.shards:
            self._seat(settings, plugins)
        self.run.nursery.start_soon(self.groups.run)
        self.run.nursery.start_soon(Watchdog(self._looked_at).run)
        await settle()
        self._descriptors, self._tasks = _descriptors(), _tasks()
        self.boot()

    # --- what a host is to its shards --------------------------------------------------------------------------

    @property
    def shards(self) -> dict[str, Shard]:
        return {name: seat.shard for name, seat in self.seats.items()}

    catalog: Any = SimpleNamespace(plugins={})
    dead_letters: Any = SimpleNamespace(condemn=lambda event_id, reason: None)

    @property
    def parts(self) -> Any:
        nothing: Callable[..., None] = lambda *args: None  # noqa: E731
        refusals = SimpleNamespace(block_plugin=nothing, unblock_plugin=nothing)
        dispatcher = SimpleNamespace(refusals=refusals, end_refused=nothing, move_plugin=nothing)
        registry = SimpleNamespace(move_plugin=nothing)
        return SimpleNamespace(
            counters=Counters(), observers=self.observers, dispatcher=dispatcher, registry=registry
        )

    def add_shard(
        self, settings: ShardSettings, plugins: tuple[str, ...], *, hold: float, reason: str
    ) -> Shard:
        seat = self._seat(settings, plugins)
        if hold:
            seat.shard.hold(hold, reason)
        self._start(seat)
        return seat.shard

    def escalate(self, reason: str) -> None:
        """The host would end; here the program says when."""

    def finish(self, reason: str) -> None:
        """As above."""

    def judge(self, shard: Shard, report: ExitReport) -> Judgement:
        for charge in weigh(report):
            self._charged[charge.plugin_id] = self._charged.get(charge.plugin_id, 0.0) + charge.weight
        judgement = self.court.judge(shard, report)
        self.seats[shard.name].book.judged_as(judgement)
        return judgement

    def take_blocked(self, shard: Shard, plugin_id: str, reason: str) -> None:
        self.court.take_blocked(shard, plugin_id, reason)

    def _seat(self, settings: ShardSettings, plugins: tuple[str, ...]) -> Seat:
        seat = self.seats[settings.name] = Seat(self, settings, plugins)
        self.groups.add(seat.shard)
        return seat

    def boot(self) -> None:
        """Run every shard that does not run."""
        self.is_stopping = False
        for seat in self.seats.values():
            if not seat.is_running:
                self._start(seat)

    def _start(self, seat: Seat) -> None:
        seat.is_running = True
        self.run.nursery.start_soon(seat.host)

    def _looked_at(self) -> Iterator[Shard]:
        for seat in self.seats.values():
            puppet = seat.puppet
            if puppet is not None and seat.state in (S.READY, S.SUSPECT) and not seat.shard.is_paused:
                puppet.note_look()
            yield seat.shard

    def _note(self, record: object) -> None:
        try:
            for seat in self.seats.values():
                seat.book.note(record)
            if isinstance(record, PluginIsolated | PluginQuarantined) and not self._may_be_blamed(record):
                self.problems.append(f"{record.plugin_id} is punished for {self._charged}: {record.reason}")
        except Exception as error:
            self.problems.append(f"the books broke: {error!r}")

    def _may_be_blamed(self, record: PluginIsolated | PluginQuarantined) -> bool:
        """Enough was charged to it, or enough runners have died while they loaded it; the latest is not in the books yet."""
        name, policy = record.plugin_id, self.plan.shards[0][0].quarantine
        if isinstance(record, PluginQuarantined):
            return name in self._isolated
        self._isolated.add(name)
        book = self.seats[record.shard].book
        loads = book.load_failures.get(name, 0) + 1
        is_deadly = loads >= book.shard.settings.restart.load_fail_limit
        return is_deadly or self._charged.get(name, 0.0) >= policy.crash_limit

    # --- steps -------------------------------------------------------------------------------------------------

    def act(self, act: Callable[[], object], seconds: float = 0.0, *, until: float = 0.0) -> None:
        """Do something in the run, let time pass, and look whether all is well."""

        async def step() -> None:
            before = {name: seat.state for name, seat in self.seats.items()}
            act()
            if seconds:
                await trio.sleep(seconds)
            if until > trio.current_time():
                await trio.sleep_until(until)
            passes, self.passes = self.passes, None
            if passes is None:
                await settle()
            else:
                for _ in range(passes):
                    await trio.lowlevel.checkpoint()
            self.was_settled = passes is None
            self._check(before)

        try:
            self.run.do(step)
        except BaseException:
            self.has_failed = True
            raise

    def _check(self, before: dict[str, ShardState]) -> None:
        books = {name: seat.book for name, seat in self.seats.items()}
        for name, seat in self.seats.items():
            seat.book.check()
            if seat.is_running and not seat.book.is_closing and self.was_settled:
                others = tuple(book for other, book in books.items() if other != name)
                check_rest(seat.book, others, is_ordered=self.plan.group.is_ordered)
                self.seen.note_rest(seat.state, seat.puppet, stays=before.get(name) is seat.state)
        coming = [name for name, seat in self.seats.items() if seat.state in COMING]
        if len(coming) > self.plan.group.start_concurrency:
            self.problems.append(f"{' and '.join(coming)} start at once")
        if self.was_settled and all(seat.state in AT_REST for seat in self.seats.values()):
            self._check_remains()
        self._tell_problems()

    def _tell_problems(self) -> None:
        found, self.problems[:] = "\n".join(self.problems), []
        self.has_failed = self.has_failed or bool(found)
        assert not found, found

    def _check_remains(self) -> None:
        for seat in self.seats.values():
            for puppet in seat.puppets.unreaped:
                if not puppet.is_unkillable:
                    self.problems.append(f"#{puppet.incarnation} of {seat.shard.name} was not reaped")
        left = _descriptors() - self._descriptors
        if left:
            self.problems.append(f"{left} descriptors are left open")
        running = sum(seat.is_running + len(seat.shard.lost_pids) for seat in self.seats.values())
        if _tasks() != self._tasks + running:
            self.problems.append(f"{_tasks() - self._tasks - running} tasks are left")

    def close(self) -> None:
        """The end of every program: the host stops, and nothing is left."""
        try:
            if not self.has_failed:
                self.run.do(self._end)
        finally:
            self.run.close()
        left = _descriptors() - self._before
        assert not left, f"{left} descriptors are left open after the end"

    async def _end(self) -> None:
        self.is_stopping = True
        running = [seat for seat in self.seats.values() if seat.is_running]
        for seat in running:
            seat.book.is_closing = seat.book.life.is_hurried = True
            seat.shard.request_stop(force=True)
        with trio.move_on_after(LAST):
            while any(seat.is_running for seat in self.seats.values()):
                await trio.sleep(0.5)
        await settle()
        for seat in self.seats.values():
            if seat.is_running or (seat in running and seat.state is not S.STOPPED):
                seat.book.wrong("the host stops, and it does not")
            seat.book.check()
            if seat.book.died != seat.book.spawned:
                seat.book.wrong(f"{seat.book.died} deaths are told of {seat.book.spawned} runners")
        self._check_remains()
        self._tell_problems()


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"))


def _tasks() -> int:
    root = trio.lowlevel.current_root_task()
    assert root is not None
    return _count(root)


def _count(task: trio.lowlevel.Task) -> int:
    return 1 + sum(_count(child) for nursery in task.child_nurseries for child in nursery.child_tasks)
