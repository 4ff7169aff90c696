"""How do the shards of a group start, fail and end together?

What happened is noted when it is told and acted on later, in a task of its own or before the next shard starts: an order given
while a shard tells its move would be told before the move that it follows from.

Nobody waits for ever. In an ordered group a shard starts when those before it are up, or cannot come by themselves: what is
FAILED, STOPPED or DISABLED holds nobody; what is in BACKOFF, loads, or is SUSPECT does, because it will be up or given up. When
siblings were told to leave because of a death, nobody starts until they have left, and the ladder of their stop bounds that.

A shard that was added while the host runs holds a plugin that crashes. It follows its group like the last one of it, and
nobody follows or waits for it: it was taken out so that its deaths disturb nobody.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

import trio

from .escalation import AfterGivingUp, Job, decide_escalation, decide_jobs
from .exit_report import ExitKind
from .incident import WINDOW
from .observers import EnvironmentIncident, Escalated, GroupRestarted, Observers, ShardMoved
from .restart import History
from .shard_state import AT_REST, ShardState
from .strategy import AutoShutdown, GroupSettings, Significance, followers, predecessors, start_order
from .turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .shard import Shard

_S = ShardState

GONE = frozenset({_S.FAILED, _S.STOPPED, _S.DISABLED})
"""A shard in one of these is not waited for by those behind it: it does not come by itself soon."""

UP = frozenset({_S.SPAWNING, _S.HELLO, _S.LOADING, _S.READY, _S.SUSPECT})
"""A shard in one of these can be told to leave. One at rest has nothing of its dead sibling, and one that leaves already may do
so because an operator wants it."""

LEFT = AT_REST | {_S.LOST}
"""Nothing of the runner works any more."""

ENDED = frozenset({"T4", "T24", "T25", "T26", "T27"})
"""Rows of the table by which an unplanned end leads on; T23 is no failure of those that follow."""


class Host(Protocol):
    """What a group may do to the whole host."""

    @property
    def is_stopping(self) -> bool: ...

    def escalate(self, reason: str) -> None: ...

    def finish(self, reason: str) -> None: ...


class Group:
    """The shards of one group."""

    def __init__(self, settings: GroupSettings) -> None:
        self.settings = settings
        self.shards: dict[str, Shard] = {}
        """By name, as they were added."""
        self.added: set[str] = set()
        """Those that came while the host was running."""
        self.turns = Turns(settings.start_concurrency, stagger=settings.start_stagger)
        self.restarts: tuple[float, ...] = ()
        """When it was restarted as a whole, within the window."""
        self.leaving: set[str] = set()
        """Shards that are to leave together and have not left."""

    @property
    def order(self) -> tuple[str, ...]:
        """The shards of the plan, as they start."""
        places = {name: each.settings.order for name, each in self.shards.items() if name not in self.added}
        return start_order(places)

    @property
    def all_in_order(self) -> tuple[str, ...]:
        return (*self.order, *(name for name in self.shards if name in self.added))

    def predecessors(self, name: str) -> tuple[str, ...]:
        """Those that a shard waits for."""
        order = self.order if name not in self.added else (*self.order, name)
        return predecessors(self.settings, order, name)

    def followers(self, failed: str) -> tuple[str, ...]:
        """Those that leave when a shard has died, the last first."""
        if failed in self.added:
            return ()
        return followers(self.settings.strategy, self.all_in_order, failed)

    def find_obstacle(self, name: str) -> Shard | None:
        """A sibling that a shard has to wait for before it starts."""
        for other in sorted(self.leaving - {name}):
            return self.shards[other]
        for other in self.predecessors(name):
            state = self.shards[other].state.value
            if state is not _S.READY and state not in GONE:
                return self.shards[other]
        return None

    def send_away(self, name: str, reason: str) -> None:
        """Let a shard that is up leave and come back; planned, so it is counted nowhere. What leaves anyway is waited for."""
        shard = self.shards[name]
        if shard.state.value not in LEFT:
            self.leaving.add(name)
        if shard.state.value in UP:
            shard.restart(reason)


class Groups:
    """All groups of a deployment; gives shards their turns to start.

    Args:
        settings: Of those that have some; a group that nobody set up has the defaults.
        host: What ends when a group cannot be helped, or has done its job.
    """

    def __init__(self, settings: Iterable[GroupSettings], observers: Observers, host: Host) -> None:
        self._groups = {each.name: Group(each) for each in settings}
        self._observers = observers
        self._host = host
        self._noted: deque[ShardMoved] = deque()
        self._work = trio.Event()
        self._spared: dict[str, float] = {}
        """Shards that died of something that nobody of them did, and until when that explains another death."""
        self._is_running = False

    @property
    def all(self) -> Mapping[str, Group]:
        """By name."""
        return self._groups

    def add(self, shard: Shard) -> None:
        """One more shard, the last of its group."""
        name = shard.settings.group
        group = self._groups.setdefault(name, Group(GroupSettings(name=name)))
        group.shards[shard.name] = shard
        if self._is_running:
            group.added.add(shard.name)

    def answers_for(self, shard: Shard) -> bool:
        """Whether its group says what follows now that a shard is given up or its job has ended."""
        group = self._groups[shard.settings.group]
        match shard.settings.significance:
            case Significance.REQUIRED:
                return shard.state.value is _S.FAILED
            case Significance.ONE_SHOT:
                return shard.is_given_up and group.settings.auto_shutdown is not AutoShutdown.NEVER
        return False

    # --- turns -------------------------------------------------------------------------------------------------

    async def wait(self, shard: Shard) -> None:
        """As of ``StartTurns``: nothing of the group stands against the start, and it has its turn."""
        group = self._groups[shard.settings.group]
        while True:
            self._catch_up()
            while (other := group.find_obstacle(shard.name)) is not None:
                await other.state.wait_value(_passes(leaving=other.name in group.leaving))
                self._catch_up()
            await group.turns.wait(shard)
            self._catch_up()
            if group.find_obstacle(shard.name) is None:
                return
            group.turns.give_back(shard)

    def give_back(self, shard: Shard) -> None:
        self._groups[shard.settings.group].turns.give_back(shard)

    # --- what happens ------------------------------------------------------------------------------------------

    def note(self, record: object) -> None:
        """An observer of the host's."""
        if isinstance(record, EnvironmentIncident):
            self._spared.update(dict.fromkeys(record.shards, trio.current_time() + WINDOW))
        if not isinstance(record, ShardMoved):
            return
        if record.new in LEFT and (group := self._group_of(record.shard)) is not None:
            group.leaving.discard(record.shard)
        if record.new in (_S.BACKOFF, *GONE):
            self._noted.append(record)
            self._work.set()

    async def run(self) -> None:
        """Act on what was noted, until cancelled."""
        self._is_running = True
        while True:
            await self._work.wait()
            self._work = trio.Event()
            self._catch_up()

    def _catch_up(self) -> None:
        while self._noted:
            self._act(self._noted.popleft())

    def _group_of(self, name: str) -> Group | None:
        return next((each for each in self._groups.values() if name in each.shards), None)

    def _act(self, record: ShardMoved) -> None:
        group = self._group_of(record.shard)
        if group is None or self._host.is_stopping:
            return
        if record.transition in ENDED and record.at > self._spared.get(record.shard, -1.0):
            for name in group.followers(record.shard):
                group.send_away(
                    name, f'"{record.shard}" ended, and the strategy is {group.settings.strategy}'
                )
        shard = group.shards[record.shard]
        if shard.state.value is record.new is _S.FAILED:
            self._take_given_up(group, shard, record)
        if shard.settings.significance is Significance.ONE_SHOT:
            self._take_job(group, shard)

    def _take_given_up(self, group: Group, shard: Shard, record: ShardMoved) -> None:
        found = decide_escalation(
            group.settings,
            shard.settings.significance,
            group.restarts,
            trio.current_time(),
            is_permanent=record.transition == "T24",
        )
        group.restarts = found.restarts
        told = f'the required shard "{shard.name}" was given up: {record.reason}'
        if found.step is AfterGivingUp.END_HOST:
            self._observers.notify(Escalated(reason=told))
            self._host.escalate(told)
        elif found.step is AfterGivingUp.RESTART_GROUP:
            self._observers.notify(GroupRestarted(group=group.settings.name, reason=told))
            self._restart_group(group, f"the group is restarted: {told}")

    def _restart_group(self, group: Group, reason: str) -> None:
        """Everybody who is wanted leaves and comes back, with a clean record. A plugin in quarantine stays there."""
        for name in reversed(group.all_in_order):
            shard = group.shards[name]
            state = shard.state.value
            if state not in LEFT:
                shard.history = History()
                group.send_away(name, reason)
            elif state in (_S.BACKOFF, _S.FAILED) and name not in group.added:
                shard.restart(reason)

    def _take_job(self, group: Group, shard: Shard) -> None:
        ended = job_of(shard)
        if ended is Job.OPEN:
            return
        jobs = [
            job_of(each)
            for each in group.shards.values()
            if each.settings.significance is Significance.ONE_SHOT
        ]
        rule = group.settings.auto_shutdown
        match decide_jobs(rule, jobs, ended):
            case Job.DONE:
                self._host.finish(f'the job of "{shard.name}" is done, and auto_shutdown is {rule}')
            case Job.FAILED:
                told = f'the job of "{shard.name}" has ended, not all went well, and auto_shutdown is {rule}'
                self._observers.notify(Escalated(reason=told))
                self._host.escalate(told)


def job_of(shard: Shard) -> Job:
    """How far a one_shot shard is. What an operator stopped is open: it did not end by itself."""
    state, report = shard.state.value, shard.last_exit
    if state is _S.STOPPED and shard.transition == "T23":
        is_done = report is not None and report.kind is ExitKind.EXITED and report.code == 0
        return Job.DONE if is_done else Job.FAILED
    return Job.FAILED if state is _S.FAILED and shard.next_start is None else Job.OPEN


def _passes(*, leaving: bool) -> Callable[[ShardState], bool]:
    """The states in which a sibling stands no longer against a start."""
    return (lambda state: state in LEFT) if leaving else (lambda state: state is _S.READY or state in GONE)
