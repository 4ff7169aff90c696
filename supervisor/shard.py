"""How does one shard live: incarnation after incarnation, with a decision between two of them."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import trio
from trio_util import AsyncValue

from . import process
from .exit_report import ExitKind, ExitReport
from .incarnation import Incarnation
from .observers import Observers, PluginNotLoaded, RunnerBack, RunnerDied, ShardMoved
from .restart import Decision, History, Verdict, decide_restart
from .shard_state import ShardState, check_move

if TYPE_CHECKING:
    from rookery.protocol import Assignment, Link, Request, RunnerReady

    from .logs import LogSink
    from .process import Child, Launch
    from .settings import ShardSettings

Assign = Callable[["Shard", int, dict[str, str]], "Assignment"]
"""``(shard, incarnation, blocked)``: what the runner is told to load."""

RUNNER_COMMAND = (sys.executable, "-P", "-m", "rookery.runner")
"""``-P``: the directory that the host was started in is no place to import from."""


class ShardTraffic(Protocol):
    """What happens with a runner's requests and what passes to it. Called from the loop; must not raise."""

    def runner_connected(self, shard: Shard, link: Link) -> None:
        """A runner was accepted and loads its plugins. ``runner_lost`` follows for each of these."""

    def handle_request(self, shard: Shard, request: Request) -> None:
        """Answer it once, now or later. All requests but hello and ready come here."""

    def runner_ready(self, shard: Shard, ready: RunnerReady) -> None:
        """Called before the state becomes READY."""

    def runner_draining(self, shard: Shard) -> None:
        """Nothing new may be sent to it; what it has may end."""

    def runner_lost(self, shard: Shard, report: ExitReport) -> None:
        """Its link is closed and every request that waited on it has been settled."""


class Shard:
    """A named seat for plugins, and whichever runner is in it.

    Args:
        plugins: The ids of the plugins that live here; a runner may speak for no others.
        assign: Makes the assignment of each runner.
        terminal: The host's terminal by name; it is handed to the runner if the settings say so.
        host_version: Told to the runner.
        runner_command: What is started; descriptors are named by further arguments.
        spawn: Starts a process. Tests put one here that is none.
        chance: A random number from 0 to 1, for the delays.

    Attributes:
        state: Changes by ``move`` only; wait on it for whatever is of interest.
        incarnation: The number of the present or latest runner; 0 before the first.
        since: When the state changed last, on trio's clock.
        restarts: How many runners followed another.
        link: To the present runner, from its hello on; None while there is none.
        features: What that runner can do beyond protocol 1.0.0 and the host uses.
        loaded: The plugins that work now.
        failed: The plugins that could not be loaded the last time, with the reasons.
        next_start: When the next attempt is due, on trio's clock; None when none is.
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
        runner_command: tuple[str, ...] = RUNNER_COMMAND,
        spawn: Callable[[Launch], Child] = process.spawn,
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
        self.runner_command = runner_command
        self.spawn = spawn
        self.state: AsyncValue[ShardState] = AsyncValue(ShardState.IDLE)
        self.incarnation = 0
        self.pid: int | None = None
        self.since = 0.0
        self.restarts = 0
        self.link: Link | None = None
        self.features: frozenset[str] = frozenset()
        self.loaded: tuple[str, ...] = ()
        self.failed: dict[str, str] = {}
        self.last_exit: ExitReport | None = None
        self.next_start: float | None = None
        self._chance = chance
        self._history = History()
        self._blocked: dict[str, str] = {}
        self._runner: Incarnation | None = None
        self._untold: ExitReport | None = None
        self._stopping = False
        self._waiting: trio.CancelScope | None = None
        self._limiter: trio.CapacityLimiter | None = None
        self._has_token = False

    def __repr__(self) -> str:
        process = f", pid {self.pid}" if self.pid is not None else ""
        return f"<Shard {self.name!r} {self.state.value.value}, #{self.incarnation}{process}>"

    # --- what others may want of it ----------------------------------------------------------------------------

    async def run(self, start_limiter: trio.CapacityLimiter | None = None) -> None:
        """Keep a runner in this shard until it is stopped or not to come back.

        Raises nothing that a runner could cause. A cancel kills the runner and is passed on when it has been reaped.

        Args:
            start_limiter: How many shards may be on their way to READY at once; None for as many as like.
        """
        self._limiter = start_limiter
        try:
            while await self._wait_for_turn():
                report = await self._live_once()
                if not await self._follow(self._decide(report)):
                    break
                self.restarts += 1
                self.move(ShardState.IDLE, "the delay is over")
        finally:
            self._leave()

    def request_stop(self, *, force: bool = False, drain: float | None = None) -> None:
        """Make ``run`` end: at once when no runner works, else when it has drained and left; ``force`` kills it now.

        Args:
            drain: Seconds that are left for draining; ``None`` takes the settings'.
        """
        self._stopping = True
        if self._waiting is not None:
            self._waiting.cancel()
        if self._runner is not None:
            self._runner.stop(force=force, drain=drain)

    def accuse(self, reason: str) -> None:
        """Kill the runner because it broke a rule; does nothing while there is none."""
        if self._runner is not None:
            self._runner.condemn(ExitKind.PROTOCOL, reason)

    # --- for its incarnation -----------------------------------------------------------------------------------

    def move(self, new: ShardState, reason: str) -> None:
        """Change the state and tell the observers.

        Raises:
            RuntimeError: The table of states has no such move: a bug.
        """
        old = self.state.value
        check_move(old, new)
        self.since = trio.current_time()
        self.state.value = new
        moved = ShardMoved(
            shard=self.name, incarnation=self.incarnation, old=old, new=new, reason=reason, at=self.since
        )
        self.observers.notify(moved)

    def become_ready(self) -> None:
        """The runner has loaded its plugins and the traffic knows it."""
        self._give_token_back()
        self.move(ShardState.READY, f"{len(self.loaded)} of {len(self.plugins)} plugins are loaded")
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

    # --- the loop ----------------------------------------------------------------------------------------------

    async def _live_once(self) -> ExitReport:
        self.incarnation += 1
        self._runner = Incarnation(self, self.incarnation, self._blocked)
        try:
            return await self._runner.run()
        finally:
            self._runner = None
            self._give_token_back()

    def _decide(self, report: ExitReport) -> Decision:
        if self._stopping:
            return Decision(verdict=Verdict.STAY_STOPPED, reason="it was stopped", history=self._history)
        policy = self.settings.restart
        decision = decide_restart(policy, self._history, report, trio.current_time(), self._chance())
        self._history = decision.history
        if decision.blocks:
            reason = f"not loaded any more: {report.describe()}, the {policy.load_fail_limit}. time"
            self._blocked = {**self._blocked, decision.blocks: reason}
            self.failed[decision.blocks] = reason
            record = PluginNotLoaded(shard=self.name, plugin_id=decision.blocks, reason=reason, blocked=True)
            self.observers.notify(record)
        self._blocked = {
            plugin: reason
            for plugin, reason in self._blocked.items()
            if self._history.is_blocked(policy, plugin)
        }
        return decision

    async def _follow(self, decision: Decision) -> bool:
        """Tell what comes next and wait for it; False when it is the end."""
        if decision.verdict is Verdict.STAY_STOPPED:
            self._tell_death("stopped", None)
            return False
        if decision.verdict is Verdict.RESTART:
            after = f"in {decision.delay:.1f} s" if decision.delay else "at once"
            self._tell_death(f"back {after}", decision.delay)
            self.move(ShardState.BACKOFF, f"back {after}")
        else:
            again = "" if decision.delay is None else f"; another attempt in {decision.delay:.0f} s"
            self._tell_death(f"given up: {decision.reason}{again}", decision.delay)
            self.move(ShardState.FAILED, f"{decision.reason}{again}")
        return await self._wait(decision.delay)

    async def _wait(self, delay: float | None) -> bool:
        """Wait for the delay, or for ever; False when the shard was stopped meanwhile."""
        self.next_start = None if delay is None else trio.current_time() + delay
        with trio.CancelScope() as self._waiting:
            await trio.sleep(float("inf") if delay is None else delay)
        self._waiting = None
        self.next_start = None
        return not self._stopping

    async def _wait_for_turn(self) -> bool:
        """Wait for a token of the start limiter; False when the shard was stopped meanwhile."""
        if self._stopping:
            return False
        if self.state.value is not ShardState.IDLE:
            self.move(ShardState.IDLE, "it was started")
        if self._limiter is not None:
            with trio.CancelScope() as self._waiting:
                await self._limiter.acquire_on_behalf_of(self)
                self._has_token = True
            self._waiting = None
        return not self._stopping

    def _give_token_back(self) -> None:
        if self._limiter is not None and self._has_token:
            self._has_token = False
            self._limiter.release_on_behalf_of(self)

    def _tell_death(self, following: str, delay: float | None) -> None:
        if self._untold is not None:
            self.observers.notify(RunnerDied(report=self._untold, next=following, delay=delay))
            self._untold = None

    def _leave(self) -> None:
        """However ``run`` ends: nothing is held, nothing is untold, and the state says so."""
        self._waiting = None
        self._stopping = False
        self.next_start = None
        self._give_token_back()
        self._tell_death("stopped", None)
        if self.state.value is not ShardState.STOPPED:
            self.move(ShardState.STOPPED, "it was stopped")
