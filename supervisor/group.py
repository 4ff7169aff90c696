"""How do the shards of a group start, fail and end together?

What happened is noted when it is told and acted on in a task of its own: an order given while a shard tells its move would
be told before the move that it follows from.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

import trio

from .observers import Escalated, GroupRestarted, Observers, RunnerDied, ShardMoved
from .restart import History
from .shard_state import ShardState
from .strategy import AutoShutdown, GroupSettings, Significance, followers, may_restart_group, predecessors
from .turns import Turns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .shard import Shard

GONE = frozenset({ShardState.FAILED, ShardState.STOPPED, ShardState.DISABLED})
"""A shard in one of these is not waited for by those behind it: it does not come by itself soon."""


class Host(Protocol):
    """What a group may do to the whole host."""

    @property
    def is_stopping(self) -> bool: ...

    def escalate(self, reason: str) -> None: ...

    def finish(self, reason: str) -> None: ...


class Group:
    """The shards of one group, in the order in which they start."""

    def __init__(self, settings: GroupSettings) -> None:
        self.settings = settings
        self.shards: dict[str, Shard] = {}
        self.turns = Turns(settings.start_concurrency, stagger=settings.start_stagger)
        self.restarts: tuple[float, ...] = ()
        """When it was restarted as a whole, within the window."""
        self.ended: set[str] = set()
        """One-shot shards that have done their job."""


class Groups:
    """All groups of a deployment; gives shards their turns to start.

    Args:
        host: What ends when a group cannot be helped, or has done its job.
    """

    def __init__(self, settings: Iterable[GroupSettings], observers: Observers, host: Host) -> None:
        self._groups = {each.name: Group(each) for each in settings}
        self._observers = observers
        self._host = host
        self._noted: deque[ShardMoved | RunnerDied] = deque()
        self._work = trio.Event()

    @property
    def all(self) -> Mapping[str, Group]:
        """By name."""
        return self._groups

    def add(self, shard: Shard) -> None:
        """One more shard, the last of its group."""
        self._groups[shard.settings.group].shards[shard.name] = shard

    # --- turns -------------------------------------------------------------------------------------------------

    async def wait(self, shard: Shard) -> None:
        """As of ``StartTurns``: in an ordered group those before it are up, or do not come."""
        group = self._groups[shard.settings.group]
        for name in predecessors(group.settings, tuple(group.shards), shard.name):
            state = group.shards[name].state
            await state.wait_value(lambda value: value is ShardState.READY or value in GONE)
        await group.turns.wait(shard)

    def give_back(self, shard: Shard) -> None:
        self._groups[shard.settings.group].turns.give_back(shard)

    # --- what happens ------------------------------------------------------------------------------------------

    def note(self, record: object) -> None:
        """An observer of the host's."""
        if isinstance(record, (RunnerDied, ShardMoved)):
            self._noted.append(record)
            self._work.set()

    async def run(self) -> None:
        """Act on what was noted, until cancelled."""
        while True:
            await self._work.wait()
            self._work = trio.Event()
            while self._noted:
                self._act(self._noted.popleft())

    def _act(self, record: ShardMoved | RunnerDied) -> None:
        name = record.report.shard if isinstance(record, RunnerDied) else record.shard
        group = next((each for each in self._groups.values() if name in each.shards), None)
        if group is None or self._host.is_stopping:
            return
        if isinstance(record, RunnerDied):
            if not record.report.planned and record.delay is not None:
                self._cycle(group, name)
        elif record.new is ShardState.FAILED:
            self._take_given_up(group, name, record.reason)
        elif record.new is ShardState.STOPPED and record.transition == "T23":
            self._take_ended(group, name)

    def _cycle(self, group: Group, failed: str) -> None:
        for name in followers(group.settings.strategy, tuple(group.shards), failed):
            shard = group.shards[name]
            if shard.state.value not in GONE:
                shard.restart(f'"{failed}" ended, and the strategy is {group.settings.strategy}')

    def _take_given_up(self, group: Group, name: str, reason: str) -> None:
        shard = group.shards[name]
        if (
            shard.settings.significance is not Significance.REQUIRED
            or shard.state.value is not ShardState.FAILED
        ):
            return
        may, group.restarts = may_restart_group(group.settings, group.restarts, trio.current_time())
        told = f'the required shard "{name}" was given up: {reason}'
        if not may:
            self._observers.notify(Escalated(reason=told))
            self._host.escalate(told)
            return
        self._observers.notify(GroupRestarted(group=group.settings.name, reason=told))
        for each in reversed(group.shards.values()):
            if each.state.value not in (ShardState.STOPPED, ShardState.DISABLED):
                each.history = History()
                each.restart(f"the group is restarted: {told}")

    def _take_ended(self, group: Group, name: str) -> None:
        if group.shards[name].settings.significance is not Significance.ONE_SHOT:
            return
        group.ended.add(name)
        jobs = {
            each.name for each in group.shards.values() if each.settings.significance is Significance.ONE_SHOT
        }
        rule = group.settings.auto_shutdown
        if rule is AutoShutdown.ANY_SIGNIFICANT or (
            rule is AutoShutdown.ALL_SIGNIFICANT and jobs <= group.ended
        ):
            self._host.finish(f'"{name}" has ended, and auto_shutdown of its group is {rule}')
