"""How does one runner live and end: spawned, watched, asked to leave, killed, reaped, all in one nursery.

Whatever a runner does becomes an ``ExitReport`` that ``run`` returns. Small tasks watch it: its death, its link, the
limits of its start; ``look`` is called once a second. The first that sees an end wakes the main task, which walks the
ladder: ask, wait, ask for the stacks, kill. Death, an accusation or a hurry ends the polite part of the ladder at once.
The nursery is left when the process is dead or the kernel keeps it, and nothing returns before it was reaped.

Nobody is told that a call has failed before the death is proved and everything that the runner had written is read.
"""

from __future__ import annotations

import logging
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import trio

from rookery.protocol import ErrorCode, Link, Pace, Shortcut, Side

from .arrival import Arrival
from .autopsy import Sentence
from .birth import bear
from .bounds import bounds_of
from .burial import Course, bury, report_no_process
from .checkup import check_up
from .disk_watch import watch_disk
from .exit_report import ExitKind
from .farewell import drain
from .hang import HangClass
from .ledger import Ledger
from .live_runner import LiveRunner
from .output import OutputPipe
from .shard_state import BY_ID, WORKING, ShardState
from .stack_dump import DUMP_MARK
from .suspicion import Suspicion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rookery.protocol import Request

    from .channels import Channels
    from .exit_report import ExitReport
    from .page import Page
    from .process import Child
    from .shard import Shard

EOF_GRACE = 0.5
"""Seconds between a link's end of file and the proof of death that follows it within a millisecond, as a rule. Without
the proof the runner lives on and cannot be talked to."""

_TELLING = frozenset({ExitKind.HANG, ExitKind.STUCK, ExitKind.LOAD_TIMEOUT})
"""Before these kills it is asked where it is."""

_KILLS = {
    ExitKind.REFUSED: "T6",
    ExitKind.HELLO_TIMEOUT: "T7",
    ExitKind.LOAD_TIMEOUT: "T7",
    ExitKind.HANG: "T12",
}
"""Rows of the table of transitions; everything else is T19."""


class Incarnation:
    """One runner of a shard. ``run`` is called once.

    Args:
        blocked: Plugins that it must not load, with the reasons.
    """

    def __init__(self, shard: Shard, number: int, blocked: Mapping[str, str]) -> None:
        self._shard = shard
        self._number = number
        self._blocked = blocked
        self._started_at = trio.current_time()
        self._turn = trio.Event()
        self._polite = trio.CancelScope()
        self._patience = trio.CancelScope()
        self._sentence: Sentence | None = None
        self._planned = False
        self._was_told = False
        self._in_hurry = False
        self._is_forced = False
        self._suspicion = Suspicion(shard, number, self.condemn)
        self._drain_budget = shard.settings.timeouts.drain
        self._state_at_end = ShardState.SPAWNING
        self._runner: LiveRunner | None = None

    # --- what others may want of it ----------------------------------------------------------------------------

    def stop(self, *, force: bool, drain: float | None = None) -> None:
        """Make it leave, or with ``force`` kill it now.

        Args:
            drain: Seconds for what is in flight and for unloading; ``None`` takes the shard's own.
        """
        if drain is not None:
            self._drain_budget = min(drain, self._drain_budget)
        # A crash stays a crash, also when the host stops because of it, and before its proof is there.
        link = self._shard.link
        has_gone = self._is_dead or (link is not None and link.is_closed)
        self._planned = self._planned or (self._sentence is None and not has_gone)
        self._was_told = True
        if self._shard.state.value is ShardState.KILLING:
            # Whoever stops a shard has no minute for a process that the kernel keeps.
            kill_wait = self._shard.settings.timeouts.kill_wait
            self._patience.deadline = min(self._patience.deadline, trio.current_time() + kill_wait)
        if force:
            self._in_hurry = self._is_forced = True
            self._polite.cancel()
        self._turn.set()

    def condemn(self, kind: ExitKind, reason: str, hang: HangClass | None = None) -> None:
        """Kill it now; the first reason is the one that counts, unless its end was planned before."""
        if self._is_dead:
            return
        if not self._planned and self._sentence is None:
            self._sentence = Sentence(kind, reason, hang)
        self._in_hurry = True
        self._polite.cancel()
        self._turn.set()

    def look(self, awake: float) -> None:
        """Look whether it works, once a second, and act on it.

        Args:
            awake: The time of ``AwakeClock``.
        """
        if self._runner is not None and not self._turn.is_set():
            self._suspicion.look(self._runner, awake)

    @property
    def rss(self) -> int:
        """Resident memory at the latest look, in bytes; 0 while it is not known."""
        return self._suspicion.rss

    @property
    def _is_dead(self) -> bool:
        return self._runner is not None and self._runner.dead.is_set()

    # --- its life ----------------------------------------------------------------------------------------------

    async def run(self) -> ExitReport:
        """Live to the end. Raises nothing that the runner could cause; a cancel kills it and is passed on."""
        shard = self._shard
        shard.move(ShardState.SPAWNING, "its turn to start", by="T2")
        try:
            newborn = await bear(shard, self._number, self._blocked)
        except OSError as error:
            return report_no_process(shard, self._course, error)
        with closing(newborn):
            self._move(ShardState.HELLO, f"process {newborn.child.pid} runs", by="T3")
            shard.pid = newborn.child.pid
            return await self._live(newborn.child, newborn.channels, newborn.page)

    async def _live(self, child: Child, channels: Channels, page: Page | None) -> ExitReport:
        arrival = Arrival(self._shard, self._number, self._blocked, channels.terminal, self.condemn)
        bounds = bounds_of(self._shard.settings)
        ledger = Ledger(Side.HOST, max_frame_bytes=bounds.max_frame_bytes)
        ledger.max_containers = bounds.max_containers
        link = Link(
            channels.socket,
            ledger,
            on_request=partial(self._take_request, arrival),
            on_broadcast=arrival.take_broadcast,
            pace=None if bounds.pace is None else Pace(bounds.pace, trio.current_time()),
            max_unwritten=bounds.max_unwritten,
        )
        without = self._shard.settings.without
        link.is_batching, ledger.is_quick = Shortcut.BATCHES not in without, Shortcut.FRAMES not in without
        arrival.link, arrival.ledger, arrival.page = link, ledger, page
        arrival.child = child
        arrival.reception = channels.reception
        out, err = (
            OutputPipe(descriptor, partial(self._log_output, arrival, level))
            for descriptor, level in ((channels.out, logging.INFO), (channels.err, logging.WARNING))
        )
        runner = self._runner = LiveRunner(
            child=child,
            link=link,
            ledger=ledger,
            page=page,
            ask=channels.ask,
            arrival=arrival,
            out=out,
            err=err,
        )
        ledger.read_started = runner.read_started if page is not None else None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch_death, runner)
                nursery.start_soon(self._talk, runner, channels)
                nursery.start_soon(arrival.keep_limits)
                nursery.start_soon(_read_for_it, runner)
                nursery.start_soon(self._suspicion.inquire, runner)
                nursery.start_soon(watch_disk, self._shard, self._number, self.condemn)
                if channels.reception is not None:
                    nursery.start_soon(check_up, self._shard, runner, self.condemn)
                await self._turn.wait()
                await self._make_it_leave(runner)
                nursery.cancel_scope.cancel()
        finally:
            await self._make_sure_it_is_dead(runner)
            report = self._bury(runner)
        return report

    async def _watch_death(self, runner: LiveRunner) -> None:
        await runner.child.wait_dead()
        if self._shard.state.value is ShardState.LOST:
            return  # a moment too late: it is the shard's to watch now
        self._note_state()
        await runner.link.drain()  # what it had written counts
        runner.link.close("the runner died")
        runner.dead.set()
        self._move(
            ShardState.REAPING, "it is dead", by="T18"
        )  # now: its tasks end first, and take their time
        self._polite.cancel()
        self._patience.cancel()
        self._turn.set()

    async def _talk(self, runner: LiveRunner, channels: Channels) -> None:
        if channels.reception is not None:
            stranger = runner.arrival.note_stranger
            await channels.reception.receive(channels.socket, runner.child.pid, stranger)
        closed = await runner.link.run()
        if closed.kind == "protocol":
            self.condemn(ExitKind.PROTOCOL, closed.reason)
        elif closed.kind == "stuck":
            self.condemn(ExitKind.STUCK, closed.reason)
        elif closed.kind == "eof" and not self._planned:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(runner.ledger.keep_deadlines)
                with trio.move_on_after(EOF_GRACE):
                    await runner.dead.wait()
                await trio.lowlevel.checkpoint()  # the proof may be there, and the host was busy
                if not self._planned:
                    self.condemn(ExitKind.STUCK, "it closed its connection and did not end")
        await runner.ledger.keep_deadlines()

    def _take_request(self, arrival: Arrival, request: Request) -> None:
        if self._sentence is not None:
            request.refuse(ErrorCode.E_SHUTTING_DOWN, "this runner is being ended")
        else:
            arrival.take_request(request)

    # --- the ladder --------------------------------------------------------------------------------------------

    async def _make_it_leave(self, runner: LiveRunner) -> None:
        if not self._in_hurry:
            with self._polite:
                await self._ask_it_to_leave(runner)
        if self._is_dead:
            return
        await self._kill(runner)
        timeouts, health = self._shard.settings.timeouts, self._shard.settings.health
        # Planned or not: whoever wants it gone has no minute.
        wait = timeouts.kill_wait if self._was_told else max(timeouts.kill_wait, health.unkillable_timeout)
        self._patience.deadline = min(self._patience.deadline, trio.current_time() + wait)
        with self._patience:
            await runner.dead.wait()
        await trio.lowlevel.checkpoint()  # a proof that came while the host itself was busy still counts
        if not self._is_dead:
            self._move(ShardState.LOST, "it did not end although it was sent SIGKILL", by="T20")

    async def _ask_it_to_leave(self, runner: LiveRunner) -> None:
        """Drain, shut down, SIGTERM, each within its part of the budget; cancelled when the runner has gone."""
        await trio.lowlevel.checkpoint()  # it may be dead by now
        state = self._shard.state.value
        if state is ShardState.HELLO:
            return  # no plugin has run yet, and its signal handlers may not be there
        by = "T14"
        if state in WORKING:
            self._move(ShardState.DRAINING, "it is to stop", by="T14")
            self._shard.traffic.runner_draining(self._shard)
            await drain(runner, self._drain_budget)
            if self._is_dead:
                return
            by = "T16" if runner.ledger.pending else "T15"
        self._move(ShardState.STOPPING, "it is asked to leave", by=by)
        runner.ask_to_leave()
        await trio.sleep(self._shard.settings.timeouts.term_grace)

    async def _kill(self, runner: LiveRunner) -> None:
        sentence = self._sentence
        self._move(
            ShardState.KILLING, sentence.reason if sentence else "the host stops", by=self._row_of_kill
        )
        can_tell = sentence is None or sentence.hang not in (HangClass.STOPPED, HangClass.KERNEL)
        if can_tell and not self._is_forced and (sentence is None or sentence.kind in _TELLING):
            await runner.collect_stacks()
        if not self._is_dead:
            runner.kill()

    @property
    def _row_of_kill(self) -> str:
        """The row of the table of transitions that leads to KILLING now."""
        state, sentence = self._shard.state.value, self._sentence
        if sentence is None:
            wanted = {ShardState.STOPPING: "T17", ShardState.HELLO: "T14"}.get(state, "T31")
        elif sentence.hang is HangClass.STOPPED:
            wanted = "T13"
        else:
            wanted = _KILLS.get(sentence.kind, "T19")
        return wanted if (state, ShardState.KILLING) in BY_ID[wanted].pairs else "T19"

    async def _make_sure_it_is_dead(self, runner: LiveRunner) -> None:
        """The way out when the nursery was cancelled from outside or by a bug of the host's: kill, and wait, bounded."""
        state = self._shard.state.value
        if self._is_dead or state is ShardState.LOST:
            return
        if self._sentence is None:
            self._planned = True
        if state is not ShardState.KILLING:
            self._move(ShardState.KILLING, "the host stops", by=self._row_of_kill)
        runner.kill()
        deadline = trio.current_time() + self._shard.settings.timeouts.kill_wait
        with trio.CancelScope(shield=True, deadline=deadline):
            await runner.child.wait_dead()
            runner.dead.set()
        if not self._is_dead:
            self._move(ShardState.LOST, "it did not end after SIGKILL", by="T20")

    # --- the end -----------------------------------------------------------------------------------------------

    def _bury(self, runner: LiveRunner) -> ExitReport:
        if self._is_dead and self._shard.state.value is not ShardState.REAPING:
            self._move(ShardState.REAPING, "it is dead", by="T18")
        return bury(self._shard, runner, self._course)

    @property
    def _course(self) -> Course:
        return Course(
            incarnation=self._number,
            started_at=self._started_at,
            state=self._state_at_end,
            planned=self._planned,
            sentence=self._sentence,
            rss=self.rss,
        )

    def _move(self, state: ShardState, reason: str, *, by: str) -> None:
        self._note_state()
        was_ready = self._shard.state.value is ShardState.READY
        self._shard.move(state, reason, by=by)
        if was_ready and state is ShardState.KILLING:
            # The kernel may keep it for long: what comes now waits for the next runner.
            self._shard.traffic.runner_draining(self._shard)

    def _note_state(self) -> None:
        # What it was doing, not what the host did about it.
        state = self._shard.state.value
        if state not in (ShardState.KILLING, ShardState.REAPING, ShardState.LOST):
            self._state_at_end = state

    def _log_output(self, arrival: Arrival, level: int, lines: bytes) -> None:
        if DUMP_MARK in lines:
            level = (
                logging.INFO
            )  # thirty lines, of which the record of its silence or of its death has the gist
        self._shard.log_sink.write_output(self._shard.name, arrival.loading, lines, level=level)


async def _read_for_it(runner: LiveRunner) -> None:
    """Read the output of a runner that does not do it itself, as those of the original kind."""
    if runner.arrival.reception is None:
        await runner.arrival.greeted.wait()
    if not runner.arrival.reads_own_output:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(runner.out.pump)
            nursery.start_soon(runner.err.pump)
