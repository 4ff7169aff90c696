"""How does one shard live: incarnation after incarnation, with a decision between two of them?

``run`` lasts as long as the host. What an operator, a group or a limit wants of the shard changes what it is to do next and
wakes it; the one loop does it. So an order is taken at once in every state, and none is lost between two of them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import trio
from trio_util import AsyncValue

from . import process
from .aftermath import decide_aftermath
from .birth import RUNNER_COMMAND, Start
from .exit_report import ExitKind, ExitReport
from .incarnation import Incarnation
from .judgement import NO_JUDGE, Judge
from .observers import Observers, PluginNotLoaded, RunnerBack, RunnerDied, RunnerLost, ShardMoved
from .restart import Decision, History, decide_restart
from .shard_state import AT_REST, ShardState, find_transition
from .turns import AtOnce, StartTurns

if TYPE_CHECKING:
    from rookery.protocol import Assignment, Link

    from .logs import LogSink
    from .original_runner import OriginalRunner
    from .process import Child
    from .settings import ShardSettings
    from .shard_traffic import ShardTraffic

Assign = Callable[["Shard", int, dict[str, str]], "Assignment"]
"""``(shard, incarnation, blocked)``: what the runner is told to load."""

_S = ShardState


class Shard:
    """A named seat for plugins, and whichever runner is in it.

    Args:
        plugins: The ids of the plugins that live here; a runner may speak for no others.
        assign: Makes the assignment of each runner.
        terminal: The host's terminal by name; it is handed to the runner if the settings say so.
        host_version: Told to the runner.
        judge: Says which plugin an unplanned end is to be blamed on, and acts on it.
        runner_command: What is started; descriptors are named by further arguments.
        spawn, chance: Start a process; a random number from 0 to 1 for the delays. Tests put others here.

    Attributes:
        state: Changes by ``move`` only; wait on it for whatever is of interest.
        incarnation: The number of the present or latest runner; 0 before the first.
        since: When the state changed last, on trio's clock.
        reason, transition: Why it did, and by which row of the table.
        restarts: How many runners followed another.
        link: To the present runner, from its hello on; None while there is none.
        features: What that runner can do beyond protocol 1.0.0 and the host uses.
        loaded: The plugins that work now.
        failed: The plugins that could not be loaded the last time, with the reasons.
        next_start: When the next attempt is due, on trio's clock; None when none is.
        original: What its runners are, where they are not rookery's own; set before the first one starts.
        is_paused: Its runner was stopped on purpose, with the host's terminal: nobody may take it for hung.
    """

    def __init__(
        self,
        settings: ShardSettings,
        *,
        plugins: tuple[str, ...],
        assign: Assign,
        traffic: ShardTraffic,
        observers: Observers,
        log_sink: LogSink,
        host_version: str,
        terminal: Mapping[str, int],
        judge: Judge = NO_JUDGE,
        runner_command: tuple[str, ...] = RUNNER_COMMAND,
        spawn: Start = process.spawn,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.name = settings.name
        self.settings = settings
        self.plugins = plugins
        self.assign = assign
        self.traffic = traffic
        self.observers = observers
        self.log_sink = log_sink
        self.host_version = host_version
        self.terminal = terminal
        self.runner_command, self.spawn = runner_command, spawn
        self.original: OriginalRunner | None = None
        self.state: AsyncValue[ShardState] = AsyncValue(_S.IDLE if settings.autostart else _S.DISABLED)
        self.incarnation = self.restarts = 0
        self.pid: int | None = None
        self.since = 0.0
        self.reason = self.transition = ""
        self.link: Link | None = None
        self.features: frozenset[str] = frozenset()
        self.loaded: tuple[str, ...] = ()
        self.failed: dict[str, str] = {}
        self.last_exit: ExitReport | None = None
        self.next_start: float | None = None
        self.is_paused = False
        self.history = History()
        self._judge = judge
        self._chance = chance
        self._blocked: dict[str, str] = {}
        self._runner: Incarnation | None = None
        self._untold: ExitReport | None = None
        self._is_wanted = settings.autostart
        self._is_closing = self._has_left = False
        self._held_until = 0.0
        self._waiting: trio.CancelScope | None = None
        self._turns: StartTurns = AtOnce()
        self._newly_lost: Child | None = None
        self._lost: list[Child] = []

    def __repr__(self) -> str:
        process = f", pid {self.pid}" if self.pid is not None else ""
        return f"<Shard {self.name!r} {self.state.value.value}, #{self.incarnation}{process}>"

    # --- what others may want of it ----------------------------------------------------------------------------

    def start(self, reason: str = "it was started by hand") -> None:
        """Have a runner in it again, and forget what earlier ones did. Nothing for one that runs, or after the host's end."""
        self._is_wanted = True
        if self.state.value in AT_REST and self.state.value is not _S.IDLE and not self._has_left:
            self.history = History()
            self._held_until = 0.0
            self.move(_S.IDLE, reason, by="T1")
            self._wake()

    def stop(self, reason: str = "it was stopped by hand", *, force: bool = False) -> None:
        """Have no runner in it until ``start``: it drains and leaves; ``force`` kills it now. It counts as no death."""
        self._is_wanted = False
        if self._runner is not None:
            self._runner.stop(force=force)
        elif self.state.value in (_S.IDLE, _S.BACKOFF, _S.FAILED):
            self.move(_S.STOPPED, reason, by="T29")
        self._wake()

    def restart(self, reason: str, *, drain: float | None = None) -> None:
        """Put another runner in the place of this one: it drains and leaves, and what waits goes to the next. It counts as
        no death. A shard that is at rest starts."""
        if self._runner is None:
            return self.start(reason)
        self._is_wanted = True
        self._runner.stop(force=False, drain=drain)
        return None

    def request_stop(self, *, force: bool = False, drain: float | None = None) -> None:
        """The host stops: make ``run`` end, at once when no runner works, else when it has drained and left.

        Args:
            drain: Seconds that are left for draining; ``None`` takes the settings'.
        """
        self._is_closing = True
        self._wake()
        if self._runner is not None:
            self._runner.stop(force=force, drain=drain)

    def accuse(self, reason: str) -> None:
        """Kill the runner because it broke a rule; does nothing while there is none."""
        if self._runner is not None:
            self._runner.condemn(ExitKind.PROTOCOL, reason)

    def hold(self, seconds: float, reason: str) -> None:
        """Start no runner for so long; one that runs goes on."""
        self._held_until = max(self._held_until, trio.current_time() + seconds)
        if self.state.value is _S.BACKOFF and self.next_start is not None:
            self.next_start = max(self.next_start, self._held_until)
            self.reason = reason
            self._wake()

    def release(self, reason: str = "it was released") -> None:
        """Wait no longer."""
        self._held_until = 0.0
        if self.state.value is _S.BACKOFF:
            self.move(_S.IDLE, reason, by="T28")
        self._wake()

    def remove_plugin(self, plugin_id: str) -> None:
        """The plugin lives elsewhere from the next runner on."""
        self.plugins = tuple(each for each in self.plugins if each != plugin_id)
        self._blocked.pop(plugin_id, None)
        self.failed.pop(plugin_id, None)

    def look(self, awake: float) -> None:
        """Look whether the runner works; called once a second.

        Args:
            awake: As of ``AwakeClock``.
        """
        if self._runner is not None:
            self._runner.look(awake)

    @property
    def is_given_up(self) -> bool:
        """Whether it does not come by itself soon, and nobody has wanted that."""
        return self.state.value is _S.FAILED or (self.state.value is _S.STOPPED and self.transition == "T23")

    @property
    def rss(self) -> int:
        """Resident memory of the runner at the latest look, in bytes; 0 while it is not known."""
        return self._runner.rss if self._runner is not None else 0

    @property
    def lost_pids(self) -> tuple[int, ...]:
        """Processes of earlier runners that the kernel has not let go."""
        return tuple(child.pid for child in self._lost)

    # --- for its incarnation -----------------------------------------------------------------------------------

    def move(self, new: ShardState, reason: str, *, by: str = "") -> None:
        """Change the state and tell the observers.

        Args:
            by: The row of the table; "" takes the first that fits.

        Raises:
            RuntimeError: The table of states has no such move: a bug.
        """
        old = self.state.value
        row = find_transition(old, new, by)
        self.since, self.reason, self.transition = trio.current_time(), reason, row.id
        if new is not _S.BACKOFF and new is not _S.FAILED:
            self.next_start = None
        self.state.value = new
        moved = ShardMoved(
            shard=self.name,
            incarnation=self.incarnation,
            old=old,
            new=new,
            reason=reason,
            at=self.since,
            transition=row.id,
            failures=self.history.failures,
        )
        self.observers.notify(moved)

    def become_ready(self) -> None:
        """The runner has loaded its plugins and the traffic knows it."""
        self._turns.give_back(self)
        self.move(_S.READY, f"{len(self.loaded)} of {len(self.plugins)} plugins are loaded")
        before = self.last_exit
        assert self.pid is not None
        back = RunnerBack(
            shard=self.name,
            incarnation=self.incarnation,
            pid=self.pid,
            after=None if before is None else self.since - before.ended_at,
        )
        self.observers.notify(back)

    def take_end(self, report: ExitReport) -> None:
        """The runner is gone."""
        self.pid = None
        self.link = None
        self.loaded = ()
        self.last_exit = self._untold = report

    def take_lost(self, child: Child) -> None:
        """The kernel keeps this process although it was killed: it is watched on, and the shard goes on without it."""
        self._newly_lost = child

    # --- the loop ----------------------------------------------------------------------------------------------

    async def run(self, turns: StartTurns | None = None) -> None:
        """Keep a runner in this shard, as far as that is wanted, until the host stops.

        Raises nothing that a runner could cause. A cancel kills the runner and is passed on when it has been reaped.

        Args:
            turns: Says when it may start; None is at once.
        """
        self._turns, self._has_left = turns or AtOnce(), False
        try:
            async with trio.open_nursery() as lost:
                while await self._wait_to_start():
                    report = await self._live_once()
                    await trio.lowlevel.cancel_shielded_checkpoint()  # an end is a lot at once: others first
                    self._follow(report)
                    if self._newly_lost is not None:
                        self._lost.append(self._newly_lost)
                        lost.start_soon(self._wait_for_lost, self._newly_lost)
                        self._newly_lost = None
                lost.cancel_scope.cancel()
        finally:
            self._leave()

    async def _wait_to_start(self) -> bool:
        """True when a runner is to be started, False when the host stops."""
        while not self._is_closing:
            state, now = self.state.value, trio.current_time()
            if state is _S.IDLE and self._held_until <= now:
                has_turn = await self._pause(self._turns.wait, self)
                is_held = self._held_until > trio.current_time()  # what was wanted meanwhile counts
                if has_turn and not is_held and self.state.value is _S.IDLE and not self._is_closing:
                    return True
                self._turns.give_back(self)
            elif state is _S.STOPPED and self._is_wanted:
                self.move(_S.IDLE, "the host starts again", by="T1")
            elif state in (_S.BACKOFF, _S.FAILED) and self.next_start is not None and self.next_start <= now:
                over = ("the delay is over", "T28") if state is _S.BACKOFF else ("another attempt", "T30")
                self.move(_S.IDLE, over[0], by=over[1])
            else:
                due = self._held_until if state is _S.IDLE else self.next_start
                await self._pause(trio.sleep_until, float("inf") if due is None else due)
        return False

    async def _pause(self, wait: Callable[..., object], *args: object) -> bool:
        """Wait for something, or until an order comes; False when that came first."""
        with trio.CancelScope() as scope:
            self._waiting = scope
            await wait(*args)  # type: ignore[misc]  # an async function
        self._waiting = None
        return not scope.cancelled_caught

    def _wake(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()

    async def _live_once(self) -> ExitReport:
        if self.incarnation:
            self.restarts += 1
        self.incarnation += 1
        self._blocked = {
            plugin: reason
            for plugin, reason in self._blocked.items()
            if self.history.is_blocked(self.settings.restart, plugin)
        }
        self._runner = Incarnation(self, self.incarnation, self._blocked)
        try:
            return await self._runner.run()
        finally:
            self._runner = None
            self.is_paused = False
            self._turns.give_back(self)

    def _follow(self, report: ExitReport) -> None:
        """Decide what comes after an end, tell it, and take the state for it."""
        if self._is_closing:
            self._tell_death("stopped", None)
            return
        if report.planned or not self._is_wanted:
            self._tell_death(*(("back at once", 0.0) if self._is_wanted else ("stopped", None)))
            self.move(_S.IDLE if self._is_wanted else _S.STOPPED, "it ended as planned", by="T22")
            return
        judgement = self._judge.judge(self, report)
        decision = self._decide(report, is_excused=judgement.is_excused)
        now, spawned = trio.current_time(), self.state.value is not _S.SPAWNING
        after = decide_aftermath(decision, judgement, held=self._held_until - now, spawned=spawned)
        self._is_wanted = after.state is not _S.STOPPED
        self._tell_death(after.text, after.delay, judgement.culprit)
        self.move(after.state, after.reason, by=after.by)
        self.next_start = None if after.delay is None else now + after.delay

    def _decide(self, report: ExitReport, *, is_excused: bool) -> Decision:
        policy = self.settings.restart
        now = trio.current_time()
        decision = decide_restart(policy, self.history, report, now, self._chance(), is_excused=is_excused)
        self.history = decision.history
        if decision.blocks and decision.blocks in self.plugins:
            reason = f"not loaded any more: {report.describe()}, the {policy.load_fail_limit}. time"
            self._blocked = {**self._blocked, decision.blocks: reason}
            self.failed[decision.blocks] = reason
            record = PluginNotLoaded(shard=self.name, plugin_id=decision.blocks, reason=reason, blocked=True)
            self.observers.notify(record)
            self._judge.take_blocked(self, decision.blocks, reason)
        return decision

    async def _wait_for_lost(self, child: Child) -> None:
        """Watch a process that the kernel keeps; when it goes after all, nothing of it is left."""
        self.observers.notify(RunnerLost(shard=self.name, pid=child.pid))
        await child.wait_dead()
        child.sweep()
        child.reap()
        self._lost.remove(child)

    def _tell_death(self, following: str, delay: float | None, culprit: str = "") -> None:
        if self._untold is not None:
            record = RunnerDied(report=self._untold, next=following, delay=delay, culprit=culprit)
            self.observers.notify(record)
            self._untold = None

    def _leave(self) -> None:
        """However ``run`` ends: nothing is held, nothing is untold, and the state says so."""
        self._waiting = None
        self._is_closing, self._has_left = False, True
        self._turns.give_back(self)
        for child in (*self._lost, *filter(None, (self._newly_lost,))):
            child.abandon()
        self._lost, self._newly_lost = [], None
        self._tell_death("stopped", None)
        if self.state.value is not _S.STOPPED:
            self.move(_S.STOPPED, "the host stops", by="T31")
