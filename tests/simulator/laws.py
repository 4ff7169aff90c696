"""What must hold of shards, runners and their ends, whatever happens? Calls have their own books in ``calls.py``.

What a policy counts is counted here a second time, from the outside and as simply as can be: from the records that observers
get, and from what was done to the runners.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rookery.supervisor.exit_report import ExitKind, ExitReport
from rookery.supervisor.group import LEFT
from rookery.supervisor.hang import HangClass
from rookery.supervisor.observers import (
    EnvironmentIncident,
    EventDeadLettered,
    GroupRestarted,
    PluginIsolated,
    PluginQuarantined,
    RunnerDied,
    ShardMoved,
)
from rookery.supervisor.restart import History
from rookery.supervisor.shard_state import BY_ID, ShardState
from tests.simulator.calls import Booked, Books
from tests.simulator.plan import Plan
from tests.simulator.tally import Tally
from tests.simulator.world import World

if TYPE_CHECKING:
    from rookery.supervisor.supervisor import Supervisor
    from tests.simulator.runner import SimRunner

SLACK = 2.0
"""Seconds that a stop may take beyond what its parts are given: asking for stacks, the least that gateways get."""


class Laws:
    """An observer of the host's, and what is looked at once a second and at the end."""

    supervisor: Supervisor

    def __init__(self, world: World, books: Books, plan: Plan) -> None:
        self._world = world
        self._books = books
        self._plan = plan
        self._runners: dict[int, SimRunner] = {}
        self._reported: Counter[int] = Counter()
        self._tallies: dict[str, Tally] = {}
        self._at: dict[str, ShardState] = {}
        self._histories: dict[str, History] = {}
        self._may_change: set[str] = set()
        """Shards whose record may be another than it was at the latest move."""

    def note_spawned(self, runner: SimRunner) -> None:
        self._runners[runner.pid] = runner

    def note_pardon(self, shard: str) -> None:
        """An operator has its record forgotten."""
        self._tally(shard).forget()
        self._may_change.add(shard)

    # --- what the host tells -----------------------------------------------------------------------------------

    def note(self, record: object) -> None:
        """An observer."""
        if isinstance(record, ShardMoved):
            self._take_move(record)
        elif isinstance(record, RunnerDied):
            self._take_death(record)
        else:
            self._world.note(f"{record}")
            if isinstance(record, EnvironmentIncident):
                for name in record.shards:
                    self._tally(name).excuse()
                    self._may_change.add(name)
            elif isinstance(record, GroupRestarted):
                self._take_group(record)
            elif isinstance(record, (PluginIsolated, PluginQuarantined)):
                self._check_guilt(record)
            elif isinstance(record, EventDeadLettered):
                found = sum(
                    record.event_id in each.suspect_events for each in self._runners.values() if each.is_gone
                )
                if found < 2:
                    self._world.accuse(f"I21: {found} runners ended with it: {record}")

    def _take_move(self, move: ShardMoved) -> None:
        name, by = move.shard, move.transition
        self._world.note(
            f"{name}#{move.incarnation} {move.old.value} -> {move.new.value} by {by}: {move.reason}"
        )
        before = self._at.get(name)
        if (before is not None and before is not move.old) or (move.old, move.new) not in BY_ID[by].pairs:
            self._world.accuse(f"I25: {name} goes from {move.old.value} to {move.new.value} by {by}")
        self._at[name] = move.new
        if by == "T1":
            self._tally(name).forget()
            self._may_change.add(name)
        self._check_history(name)
        if complaint := self._tally(name).take_move(move):
            self._world.accuse(f"I11: {name}: {complaint}")

    def _check_history(self, name: str) -> None:
        """Only an unplanned end, and whoever forgives, change a shard's record."""
        history = self.supervisor.shards[name].history
        before = self._histories.get(name, history)
        if history != before and name not in self._may_change:
            self._world.accuse(
                f"I12: the record of {name} was {before} and is {history}, without an unplanned end"
            )
        self._histories[name] = history
        self._may_change.discard(name)

    def _take_death(self, record: RunnerDied) -> None:
        report = record.report
        self._world.note(f"{report.describe()}; {record.next}")
        if not report.planned:
            self._may_change.add(report.shard)
        self._tally(report.shard).take_death(record)
        if report.pid is None:
            return
        runner = self._runners[report.pid]
        self._reported[report.pid] += 1
        if self._reported[report.pid] > 1:
            self._world.accuse(f"I20: the end of {runner} is told a second time")
        if not report.planned and not runner.causes:
            self._world.accuse(f"I16: nothing was done to {runner}, and it was ended: {report.describe()}")
        self._check_cause(runner, report)

    def _check_cause(self, runner: SimRunner, report: ExitReport) -> None:
        status = runner.status
        if report.kind is ExitKind.EXITED and report.code != status and status is not None:
            self._world.accuse(f"I20: {runner} ended with {status}, and its report says {report.code}")
        if report.kind is ExitKind.SIGNAL and (status is None or report.signal != -status):
            self._world.accuse(
                f"I20: {runner} ended with {status}, and its report says signal {report.signal}"
            )
        if report.kind is ExitKind.HANG and not self._was_silent(runner, report):
            self._world.accuse(f"I16: {runner} was not silent for so long: {report.describe()}")
        told = report.kind in (ExitKind.STOPPED, ExitKind.EXITED, ExitKind.SIGNAL, ExitKind.OUT_OF_MEMORY)
        if not told and not report.reason:
            self._world.accuse(f"I20: the end of {runner} by {report.kind.value} has no reason")

    def _was_silent(self, runner: SimRunner, report: ExitReport) -> bool:
        """Whether it showed no life for as long as its policy gives it, the host's own lag left out."""
        if runner.silent_since is None:
            return False
        health = self.supervisor.shards[report.shard].settings.health
        needed = health.stopped_timeout - health.beat_timeout
        if report.hang is not HangClass.STOPPED:
            needed = health.hang_timeout
        lag = sum(
            end - max(begin, runner.silent_since)
            for begin, end in self._world.lags
            if end > runner.silent_since
        )
        looks = sum(1.0 for _, end in self._world.lags if end > runner.silent_since)
        return self._world.now - runner.silent_since - lag + looks >= needed - 1.5

    def _take_group(self, record: GroupRestarted) -> None:
        for name, shard in self.supervisor.shards.items():
            if shard.settings.group == record.group and shard.state.value not in LEFT:
                self._tally(name).forget()
                self._may_change.add(name)

    def _check_guilt(self, record: PluginIsolated | PluginQuarantined) -> None:
        """Nobody is taken out or kept out who cannot have done it."""
        plugin_id = record.plugin_id
        gone = [runner for runner in self._runners.values() if runner.is_gone or runner.is_killed]
        loads = sum(runner.loading == plugin_id for runner in gone)
        charges = loads + sum(plugin_id in runner.suspects for runner in gone)
        policy = self.supervisor.shards[record.shard].settings
        if "not loaded any more" in record.reason:
            needed, found = min(policy.restart.load_fail_limit, 1), loads
        elif isinstance(record, PluginIsolated):
            needed, found = policy.quarantine.crash_limit, charges
        else:
            needed, found = 1, charges
        if found < needed:
            self._world.accuse(f"I21: {plugin_id} has {found} charges at most, {needed} are needed: {record}")

    def _tally(self, name: str) -> Tally:
        if name not in self._tallies:
            shard = self.supervisor.shards[name]
            self._tallies[name] = Tally(shard.settings.restart, self._world)
        return self._tallies[name]

    # --- what is looked at -------------------------------------------------------------------------------------

    def check_always(self) -> None:
        """When everything that could be done at this moment is done."""
        dispatcher = self.supervisor.parts.dispatcher
        loads = {name: dispatcher.load_of(name) for name in self.supervisor.shards}
        counted = sum(waiting + out for waiting, out in loads.values())
        if counted != dispatcher.open_calls or dispatcher.open_calls < len(self._books.open):
            self._world.accuse(
                f"I5: {dispatcher.open_calls} calls are open, {len(self._books.open)} have somebody who waits, and"
                f" waiting and out are {loads}"
            )
        for name, shard in self.supervisor.shards.items():
            link = dispatcher._gates[name].link
            if link is not None and (link is not shard.link or shard.state.value is not ShardState.READY):
                self._world.accuse(f"I13: {name} is {shard.state.value.value} and its gate is open")

    def check_recovered(self) -> None:
        """Nothing has gone wrong for a while: everything is up again, or was not to be."""
        for name, shard in self.supervisor.shards.items():
            state = shard.state.value
            if state is ShardState.READY or (state is ShardState.STOPPED and shard.transition == "T23"):
                continue
            self._world.accuse(f"recovery: {name} is {state.value} after a quiet time: {shard.reason}")

    def check_last_call(self, booked: Booked) -> None:
        if booked.outcome != "done":
            self._world.accuse(
                f"recovery: {booked} ended {booked.outcome or 'not at all'} after a quiet time"
            )

    def check_stopped(self, begun: float) -> None:
        """The host has stopped."""
        each = [shard.settings.timeouts for shard in self.supervisor.shards.values()]
        # All drain from one budget, the longest; then each goes by its own grace.
        budget = max(its.drain for its in each) + max(its.term_grace + its.kill_wait for its in each)
        if self._world.now > self._world.allow_for_lag(begun, budget + SLACK):
            self._world.accuse(
                f"I22: the stop took {self._world.now - begun:.1f} s, {budget:.1f} s are given"
            )
        for booked in self._books.open.values():
            self._world.accuse(f"I6: {booked} is open after the host has stopped")
        for runner in self._runners.values():
            if self._reported[runner.pid] != 1:
                self._world.accuse(f"I20: the end of {runner} was told {self._reported[runner.pid]} times")
            if not runner.is_gone:
                self._world.accuse(f"I1: {runner} is left")
        for name, state in self._at.items():
            if state is not ShardState.STOPPED:
                self._world.accuse(f"I22: {name} is {state.value} after the host has stopped")
