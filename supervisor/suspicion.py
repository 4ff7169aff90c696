"""Does a runner that is ready still work, and what is done when it seems not to?

It gets no new work, and is asked where it is: the stacks name the plugin while it hangs, not only when it is killed for it.
When it shows life again it goes on as if nothing had been.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from .health import Doomed, Fine, Recycle, Resume, Suspect
from .observers import RunnerRecovered, RunnerSuspect
from .shard_state import WORKING, ShardState
from .watch import RunnerWatch
from .wear import decide_excess

if TYPE_CHECKING:
    from collections.abc import Callable

    from .exit_report import ExitKind
    from .hang import HangClass
    from .live_runner import LiveRunner
    from .shard import Shard


class Suspicion:
    """Looks at one runner once a second, from READY on.

    Args:
        condemn: Ends the runner.
    """

    def __init__(
        self, shard: Shard, number: int, condemn: Callable[[ExitKind, str, HangClass | None], None]
    ) -> None:
        self._shard = shard
        self._number = number
        self._condemn = condemn
        self._watch: RunnerWatch | None = None
        self._arisen = trio.Event()
        self._reason = ""
        self._was_told = False
        self._looked_at = self._paused = 0.0

    @property
    def rss(self) -> int:
        """Resident memory at the latest look, in bytes; 0 where it is not known."""
        return self._watch.rss if self._watch is not None else 0

    def look(self, runner: LiveRunner, awake: float) -> None:
        """Look, and act on what is found; outside of READY and SUSPECT only on what it and its descendants use. Time in which
        it was paused does not count.

        Args:
            awake: The time of ``AwakeClock``.
        """
        passed, self._looked_at = awake - self._looked_at, awake
        if self._shard.is_paused:
            self._paused += passed
            return
        if self._shard.state.value not in WORKING:
            limits = self._shard.settings.limits
            excess = decide_excess(limits, runner.child.look_at_family(limits))
            if isinstance(excess, Doomed):
                self._condemn(excess.kind, excess.reason, None)
            return
        if self._watch is None:
            self._watch = self._make_watch(runner)
        match self._watch.look(awake - self._paused):
            case Fine():
                self._clear(runner)
            case Suspect(reason=reason):
                self._suspect(reason)
            case Resume(reason=reason):
                self._suspect(reason)
                runner.child.resume()
            case Doomed(kind=kind, reason=reason, hang=hang):
                self._condemn(kind, reason, hang)
            case Recycle(reason=reason):
                self._shard.restart(reason)

    async def inquire(self, runner: LiveRunner) -> None:
        """Each time that it becomes suspect: ask it where it is, and tell. Until cancelled."""
        shard = self._shard
        while True:
            await self._arisen.wait()
            self._arisen = trio.Event()
            await runner.collect_stacks()
            if shard.state.value is ShardState.SUSPECT:
                self._was_told = True
                record = RunnerSuspect(
                    shard=shard.name,
                    incarnation=self._number,
                    reason=self._reason,
                    place=runner.find_place(),
                )
                shard.observers.notify(record)

    def _make_watch(self, runner: LiveRunner) -> RunnerWatch:
        settings = self._shard.settings
        return RunnerWatch(
            policy=settings.health,
            limits=settings.limits,
            child=runner.child,
            page=runner.page if "beats" in runner.arrival.features else None,
            ask=runner.ask,
            link=runner.link,
            plugin_load=settings.timeouts.plugin_load,
            answered=lambda: runner.ledger.answered,
        )

    def _suspect(self, reason: str) -> None:
        shard = self._shard
        if shard.state.value is ShardState.READY:
            self._reason = reason
            shard.move(ShardState.SUSPECT, reason, by="T10")
            shard.traffic.runner_suspect(shard)
            self._arisen.set()

    def _clear(self, runner: LiveRunner) -> None:
        shard = self._shard
        if shard.state.value is not ShardState.SUSPECT:
            shard.traffic.runner_works(shard)
            return
        runner.err.forget_tail()  # where it was then says nothing about its end
        shard.move(ShardState.READY, "it shows life again", by="T11")
        shard.traffic.runner_recovered(shard)
        if self._was_told:
            self._was_told = False
            shard.observers.notify(RunnerRecovered(shard=shard.name, incarnation=self._number))
