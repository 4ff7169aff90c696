"""What must a shard do next? Books that are kept beside it, from its orders, its records and what its runners really did.

They are written from the description of the policies and not from their code: a list of ends that count, and a line for each
rule. What a shard says and keeps is held against them after every step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import trio

from rookery.supervisor.exit_report import ExitKind, ExitReport
from rookery.supervisor.judgement import Judgement
from rookery.supervisor.observers import EnvironmentIncident, GroupRestarted, RunnerDied, ShardMoved
from rookery.supervisor.restart import History, RestartMode
from rookery.supervisor.shard_state import AT_REST, ShardState, is_path
from tests.properties.shard_coverage import Seen
from tests.properties.shard_evidence import explain

if TYPE_CHECKING:
    from rookery.supervisor.shard import Shard
    from tests.properties.shard_puppet import Puppet, Puppets

S = ShardState
EPS = 1e-6
LEAVE_ROOM = 0.5
"""Seconds that asking for the stacks may take before a kill."""

POLITE = frozenset({S.HELLO, S.LOADING, S.READY, S.SUSPECT, S.DRAINING, S.STOPPING})
AGAIN = "the host starts again"
"""The reason of the one start by T1 that nobody wanted by hand: nothing is forgotten."""

PERMANENT_CODES = {76, 78, 125}
RECYCLE_CODE = 75


@attrs.define
class Expected:
    """What has to follow an end."""

    state: ShardState
    by: str
    delay: float | None


@attrs.define
class Life:
    """What was done to one runner from outside."""

    orders: int = 0
    was_clean: bool = False
    """An order came while it had done nothing wrong: its end is a planned one."""
    is_hurried: bool = False
    drain: float = float("inf")
    """Seconds that it was given to finish what it has."""


@attrs.define
class Call:
    """A call that was sent to a runner."""

    incarnation: int
    outcomes: list[object] = attrs.Factory(list)


class Book:
    """The books of one shard; told of every record of the deployment, and of every order to the shard.

    Args:
        chance: What the shard draws for its delays.
        problems: Where to say what is wrong: observers must not raise.
    """

    def __init__(
        self, shard: Shard, puppets: Puppets, *, chance: float, seen: Seen, problems: list[str]
    ) -> None:
        self.shard = shard
        self.calls: list[Call] = []
        self.life = Life()
        self.is_closing = self.is_cancelled = False
        self.wanted = shard.settings.autostart
        self.stop_by: float | None = None
        self.judgement = Judgement()
        self.judged = self.spawned = self.died = 0
        self.entered: dict[ShardState, float] = {}
        """When it came into each state last; asking for more time is no coming."""
        self.last = ShardMoved(
            shard=shard.name, incarnation=0, old=shard.state.value, new=shard.state.value, reason="-", at=0.0
        )
        self._puppets = puppets
        self._chance = chance
        self._seen = seen
        self._problems = problems
        self._due: float | None = None
        self._expected: Expected | None = None
        self._forget()

    def _forget(self) -> None:
        """An operator starts it anew."""
        self.failures = self.refusals = self.give_ups = 0
        self.deaths: list[float] = []
        self.load_failures: dict[str, int] = {}

    def wrong(self, text: str) -> None:
        self._problems.append(f"{self.shard.name}#{self.shard.incarnation} ({self.last.new.value}): {text}")

    @property
    def puppet(self) -> Puppet | None:
        """The runner that is there now, also a dead one that nobody has buried yet."""
        puppets = self._puppets.puppets
        return puppets[-1] if puppets and self.died < self.spawned == puppets[-1].incarnation else None

    # --- orders ------------------------------------------------------------------------------------------------

    def order(
        self, *, wanted: bool | None, settled: bool, drain: float | None = None, hurried: bool = False
    ) -> None:
        """Somebody wants its runner, if there is one, to leave; ``wanted`` as of now."""
        if wanted is not None:
            self.wanted = wanted
        if self.wanted and not self.is_closing and not self.is_cancelled:
            self.stop_by = None
        self.life.orders += 1
        self.life.is_hurried = self.life.is_hurried or hurried
        self.life.drain = min(self.life.drain, float("inf") if drain is None else drain)
        puppet = self.puppet
        if settled and puppet is not None and not puppet.offences and self.last.new in POLITE:
            self.life.was_clean = self.life.was_clean or not puppet.is_dead

    def stop_within(self, drain: float | None, *, forced: bool = False) -> None:
        """From now on the budget of a stop runs. What is at rest stops at once."""
        if self.last.new in AT_REST:
            return
        timeouts = self.shard.settings.timeouts
        drain = timeouts.drain if drain is None else min(drain, timeouts.drain)
        budget = LEAVE_ROOM + timeouts.kill_wait + (0.0 if forced else drain + timeouts.term_grace)
        by = trio.current_time() + budget + EPS
        self.stop_by = by if self.stop_by is None else min(self.stop_by, by)

    def let_go(self) -> None:
        """What it waited for is over because somebody said so."""
        self._due = None

    # --- records -----------------------------------------------------------------------------------------------

    def note(self, record: object) -> None:
        if isinstance(record, ShardMoved) and record.shard == self.shard.name:
            self._note_move(record)
        elif isinstance(record, RunnerDied) and record.report.shard == self.shard.name:
            self._note_death(record)
        elif isinstance(record, GroupRestarted) and self.shard.state.value not in AT_REST | {S.LOST}:
            self._forget()
        elif isinstance(record, EnvironmentIncident) and self.shard.name in record.shards:
            self.deaths = [at for at in self.deaths if at in self.shard.history.deaths]

    def assigned(self, blocked: dict[str, str]) -> None:
        """A runner is told what it must not load."""
        limit = self.shard.settings.restart.load_fail_limit
        expected = {name for name, times in self.load_failures.items() if times >= limit}
        if set(blocked) != expected & set(self.shard.plugins):
            self.wrong(f"it must not load {set(blocked)}, and its runners died of {self.load_failures}")

    def judged_as(self, judgement: Judgement) -> None:
        self.judged += 1
        self.judgement = judgement

    def _note_move(self, move: ShardMoved) -> None:
        shard, last, now = self.shard, self.last, trio.current_time()
        if move.old is not last.new or not is_path([(move.old, move.new, move.transition)]):
            self.wrong(f"{move.old.value} to {move.new.value} by {move.transition!r} is no way on")
        if shard.state.value is not move.new or shard.transition != move.transition or move.at != now:
            self.wrong(f"the record of {move.transition} does not say what is")
        if not move.reason or shard.reason != move.reason:
            self.wrong(f"{move.transition} has no reason")
        self._seen.note_move(last, move)
        self._check_patience(move, now)
        if move.old is not move.new:
            self.entered[move.new] = now
        self.last = move
        expected, self._expected = self._expected, None
        if move.transition == "T1" and move.reason != AGAIN:
            self._forget()
            self.let_go()
        if move.new is S.SPAWNING:
            self._note_spawn(now)
        elif expected is not None and (move.new, move.transition) != (expected.state, expected.by):
            self.wrong(f"after its end came {move.new.value} by {move.transition}, not {expected}")
        if move.failures != self.failures:
            self.wrong(f"it says {move.failures} failures in a row, and there were {self.failures}")
        if move.new is S.STOPPED:
            self.stop_by = self._due = None

    def excuse_start(self, seconds: float) -> None:
        """The host stood still: a runner that starts has so much longer."""
        for state in (S.HELLO, S.LOADING):
            if self.shard.state.value is state and state in self.entered:
                self.entered[state] += seconds

    def _check_patience(self, move: ShardMoved, now: float) -> None:
        """What has a time gets it, unless its connection has gone or somebody is in a hurry."""
        puppet, timeouts = self.puppet, self.shard.settings.timeouts
        if self.life.is_hurried and move.new in (S.DRAINING, S.STOPPING):
            self.wrong("somebody is in a hurry, and it is asked to leave")
        if puppet is None or puppet.offences or puppet.is_dead or self.life.is_hurried:
            return
        passed = now - self.entered.get(move.old, now)
        if move.transition in ("T15", "T16") and passed < min(timeouts.drain, self.life.drain) - EPS:
            self.wrong(f"it had {passed:g} s to finish what it has")
        if move.transition == "T17" and passed < timeouts.term_grace - EPS:
            self.wrong(f"it had {passed:g} s to leave")
        if move.transition == "T14" and move.new is S.KILLING and move.old is not S.HELLO:
            self.wrong("it is killed, and nobody was in a hurry")

    def _note_spawn(self, now: float) -> None:
        self.spawned += 1
        self.life = Life()
        if self._due is not None and now < self._due - EPS:
            self.wrong(f"it starts {self._due - now:g} s too early")
        if now < self.shard._held_until - EPS:
            self.wrong("it starts although it is held")
        if not self.wanted:
            self.wrong("it starts although it was stopped")
        if self.died != self.spawned - 1 or self.shard.incarnation != self.spawned:
            self.wrong(f"runner {self.shard.incarnation} is the {self.spawned}., after {self.died} deaths")
        for puppet in self._puppets.unreaped:
            if not puppet.is_unkillable:
                self.wrong(f"it starts while #{puppet.incarnation} is not reaped")

    # --- ends --------------------------------------------------------------------------------------------------

    def _note_death(self, record: RunnerDied) -> None:
        report = record.report
        puppet = self.puppet
        self.died += 1
        if report.incarnation != self.died or self.died != self.spawned:
            self.wrong(f"the death of {report.incarnation} is the {self.died}. that is told")
        if not report.describe() or not record.next:
            self.wrong("its death has no words")
        for call in self.calls:
            if call.incarnation == report.incarnation and len(call.outcomes) != 1:
                self.wrong(f"a call ended {len(call.outcomes)} times")
        for text in explain(report, puppet, self.life, self.shard.settings):
            self.wrong(f"{report.kind.value}: {text}")
        self._seen.note_death(report, puppet)
        is_over = self.is_closing or (self.is_cancelled and record.next == "stopped")
        self._expected = None if is_over else self._follow(report)
        if self._expected is None:
            return
        mode = self.shard.settings.restart.mode
        self._seen.note_following(report, self._expected.by, mode, counted=len(self.deaths))
        delay = self._expected.delay
        if (record.delay is None) != (delay is None) or abs((record.delay or 0.0) - (delay or 0.0)) > EPS:
            self.wrong(f"the delay is {record.delay} and should be {delay}")
        self._due = None if record.delay is None else trio.current_time() + record.delay

    def _follow(self, report: ExitReport) -> Expected:
        if report.planned or not self.wanted:
            return Expected(S.IDLE, "T22", 0.0) if self.wanted else Expected(S.STOPPED, "T22", None)
        if self.judged != 1:
            self.wrong(f"it was judged {self.judged} times")
        found, self.judged = self.judgement, 0
        policy, now = self.shard.settings.restart, trio.current_time()
        if report.ready_for >= policy.backoff_reset and report.has_served:
            self.failures = self.refusals = self.give_ups = 0
        code = report.code if report.kind is ExitKind.EXITED else None
        if policy.mode is RestartMode.TEMPORARY or (policy.mode is RestartMode.TRANSIENT and code == 0):
            self.wanted = False
            return Expected(S.STOPPED, "T23", None)
        delay = 0.0 if code == RECYCLE_CODE else self._count(report, is_excused=found.is_excused)
        had_process = report.kind is not ExitKind.SPAWN_FAILED
        if delay is None:
            is_permanent = code in PERMANENT_CODES
            by = ("T24" if is_permanent else "T26") if had_process else "T4"
            return Expected(S.FAILED, by, self._give_up())
        held = max(0.0, self.shard._held_until - now)
        by = ("T25" if found.is_excused else "T27") if had_process else "T4"
        return Expected(S.BACKOFF, by, max(delay, found.hold, held))

    def _count(self, report: ExitReport, *, is_excused: bool) -> float | None:
        """Count an end; return the delay after it, None when the shard is given up."""
        policy, now = self.shard.settings.restart, trio.current_time()
        is_own_end = report.kind in (ExitKind.EXITED, ExitKind.SIGNAL, ExitKind.LOAD_TIMEOUT)
        if report.loading and is_own_end:
            times = self.load_failures[report.loading] = self.load_failures.get(report.loading, 0) + 1
            is_excused = is_excused or times <= policy.load_fail_limit
        self.failures += 1
        broke = report.kind in (ExitKind.PROTOCOL, ExitKind.REFUSED)
        self.refusals = self.refusals + 1 if broke else 0
        self.deaths = [at for at in self.deaths if at > now - policy.sustained_window]
        if not is_excused:
            self.deaths.append(now)
        blocked = [name for name, times in self.load_failures.items() if times >= policy.load_fail_limit]
        in_burst = [at for at in self.deaths if at > now - policy.burst_window]
        is_over = len(in_burst) > policy.burst_limit or len(self.deaths) > policy.sustained_limit
        if (
            (report.kind is ExitKind.EXITED and report.code in PERMANENT_CODES)
            or (report.kind is ExitKind.SPAWN_FAILED and self._is_for_good(report))
            or self.refusals >= 2
            or (report.plugins and set(report.plugins) <= set(blocked))
            or (not is_excused and (self.give_ups or is_over))
        ):
            return None
        if self.failures == 1:
            return 0.0
        longest = min(policy.backoff_max, policy.backoff_base * policy.backoff_factor ** (self.failures - 2))
        return longest * (1 - policy.backoff_jitter * self._chance)

    @staticmethod
    def _is_for_good(report: ExitReport) -> bool:
        return report.reason == "gone"

    def _give_up(self) -> float | None:
        policy = self.shard.settings.restart
        self.deaths, self.load_failures = [], {}
        self.give_ups += 1
        if not policy.failed_retry:
            return None
        return min(policy.failed_retry_max, policy.failed_retry * 2.0 ** (self.give_ups - 1))

    # --- what always holds -------------------------------------------------------------------------------------

    def check(self) -> None:
        """At any moment, in the middle of things too."""
        shard = self.shard
        if shard.state.value is not self.last.new:
            self.wrong(f"it became {shard.state.value.value} and told nobody")
        if shard.restarts != max(0, self.spawned - 1) or shard.incarnation != self.spawned:
            self.wrong(f"{shard.restarts} restarts are counted, and {self.spawned} runners were started")
        kept = History(
            failures=self.failures,
            deaths=tuple(self.deaths),
            refusals=self.refusals,
            give_ups=self.give_ups,
            load_failures=self.load_failures,
        )
        if shard.history != kept:
            self.wrong(f"it keeps {shard.history}, and it was {kept}")
        if shard.state.value in AT_REST and (shard.link is not None or shard.pid is not None):
            self.wrong("nothing runs, and it has a link or a process")
        if any(len(call.outcomes) > 1 for call in self.calls):
            self.wrong("a call ended twice")
        self.calls = [call for call in self.calls if call.incarnation >= self.died]
