"""How does one runner live and end: spawned, watched, asked to leave, killed, reaped, all in one nursery.

Whatever a runner does becomes an ``ExitReport`` that ``run`` returns. Small tasks watch it: its death, its link, the
limits of its start. The first that sees an end wakes the main task, which walks the ladder: ask, wait, kill. Death, an
accusation or a hurry ends the polite part of the ladder at once. The nursery is left when the process is dead or the
kernel keeps it, and nothing returns before it was reaped.
"""

from __future__ import annotations

import logging
import os
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import trio

from rookery.protocol import (
    PLUGIN_PREPARE_SHUTDOWN,
    PLUGIN_SHUTDOWN,
    ErrorCode,
    Link,
    RequestSettled,
    RookeryError,
    Session,
    Shutdown,
    Side,
    limits,
    unstructure,
)

from .arrival import Arrival
from .channels import Channels
from .exit_report import ExitKind, ExitReport
from .isolation import child_environment, confine
from .output import OutputPipe
from .process import Child, Launch
from .shard_state import ShardState
from .stack_dump import is_loop_thread, where_it_was

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rookery.protocol import Request

    from .shard import Shard

EOF_GRACE = 0.5
"""Seconds between a link's end of file and the proof of death that follows it within a millisecond, as a rule. Without
the proof the runner lives on and cannot be talked to."""

TRUSTED = "trusted"
"""The trust level whose runners may send the largest frames."""

DRAIN_LOOK = 0.02
"""Seconds between two looks at the requests in flight while a runner drains; the link's own deadlines are coarser."""

_OWN_METHODS = (PLUGIN_PREPARE_SHUTDOWN, PLUGIN_SHUTDOWN)
"""What the host asks for itself: nobody loses anything when there is no answer."""

LEAVE_SHARE = 0.25
"""The part of the drain budget that is kept for the plugins' own unloading."""


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
        self._dead = trio.Event()
        self._polite = trio.CancelScope()
        self._sentence: tuple[ExitKind, str] | None = None
        self._planned = False
        self._in_hurry = False
        self._drain_budget = shard.settings.timeouts.drain
        self._state_at_end = ShardState.SPAWNING

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
        has_gone = self._dead.is_set() or (link is not None and link.is_closed)
        self._planned = self._planned or (self._sentence is None and not has_gone)
        if force:
            self._in_hurry = True
            self._polite.cancel()
        self._turn.set()

    def condemn(self, kind: ExitKind, reason: str) -> None:
        """Kill it now; the first reason is the one that counts, unless its end was planned before."""
        if self._dead.is_set():
            return
        if not self._planned and self._sentence is None:
            self._sentence = (kind, reason)
        self._in_hurry = True
        self._polite.cancel()
        self._turn.set()

    # --- its life ----------------------------------------------------------------------------------------------

    async def run(self) -> ExitReport:
        """Live to the end. Raises nothing that the runner could cause; a cancel kills it and is passed on."""
        shard = self._shard
        shard.move(ShardState.SPAWNING, "its turn to start")
        try:
            channels = Channels(shard.terminal if shard.settings.terminal else {})
        except OSError as error:
            return self._report_no_process(error)
        with closing(channels):
            try:
                child = shard.spawn(self._launch(channels))
            except OSError as error:
                return self._report_no_process(error)
            finally:
                channels.close_child_ends()
            self._move(ShardState.HELLO, f"process {child.pid} runs")
            shard.pid = child.pid
            return await self._live(child, channels)

    def _launch(self, channels: Channels) -> Launch:
        descriptors = ("--link-fd", str(channels.link), "--lifeline-fd", str(channels.lifeline))
        launch = Launch(
            command=(
                *self._shard.runner_command,
                *descriptors,
                "--output-fds",
                f"{channels.out},{channels.err}",
            ),
            environment=child_environment(os.environ),
            stdout=channels.stdout,
            stderr=channels.stderr,
            inherited=channels.inherited,
        )
        return confine(launch)

    async def _live(self, child: Child, channels: Channels) -> ExitReport:
        arrival = Arrival(self._shard, self._number, self._blocked, channels.terminal, self.condemn)
        is_trusted = self._shard.settings.trust == TRUSTED
        session = _CountingSession(
            Side.HOST,
            max_frame_bytes=limits.MAX_FRAME_BYTES if is_trusted else limits.UNTRUSTED_MAX_FRAME_BYTES,
        )
        link = arrival.link = Link(
            channels.socket,
            session,
            on_request=partial(self._take_request, arrival),
            on_broadcast=arrival.take_broadcast,
        )
        out, err = (
            OutputPipe(descriptor, partial(self._log_output, arrival, level))
            for descriptor, level in ((channels.out, logging.INFO), (channels.err, logging.WARNING))
        )
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch_death, child, link)
                nursery.start_soon(self._talk, link)
                nursery.start_soon(arrival.keep_limits)
                nursery.start_soon(_read_for_it, arrival, out, err)
                await self._turn.wait()
                await self._make_it_leave(child, link)
                nursery.cancel_scope.cancel()
        finally:
            await self._make_sure_it_is_dead(child)
            report = self._bury(child, arrival, session, out, err)
        return report

    async def _watch_death(self, child: Child, link: Link) -> None:
        await child.wait_dead()
        self._note_state()
        link.drain_nowait()  # what it had written counts
        link.close("the runner died")
        self._dead.set()
        self._polite.cancel()
        self._turn.set()

    async def _talk(self, link: Link) -> None:
        closed = await link.run()
        if closed.kind == "protocol":
            self.condemn(ExitKind.PROTOCOL, closed.reason)
        elif closed.kind == "stuck":
            self.condemn(ExitKind.STUCK, closed.reason)
        elif closed.kind == "eof" and not self._planned:
            with trio.move_on_after(EOF_GRACE):
                await self._dead.wait()
            await trio.lowlevel.checkpoint()  # the proof may be there, and the host was busy
            if not self._planned:
                self.condemn(ExitKind.STUCK, "it closed its connection and did not end")

    def _take_request(self, arrival: Arrival, request: Request) -> None:
        if self._sentence is not None:
            request.refuse(ErrorCode.E_SHUTTING_DOWN, "this runner is being ended")
        else:
            arrival.take_request(request)

    # --- the ladder --------------------------------------------------------------------------------------------

    async def _make_it_leave(self, child: Child, link: Link) -> None:
        if not self._in_hurry:
            with self._polite:
                await self._ask_it_to_leave(child, link)
        if self._dead.is_set():
            return
        wait = self._shard.settings.timeouts.kill_wait
        self._kill(child)
        with trio.move_on_after(wait):
            await self._dead.wait()
        await trio.lowlevel.checkpoint()  # a proof that came while the host itself was busy still counts
        if not self._dead.is_set():
            self._move(ShardState.LOST, f"it did not end within {wait:g} s of SIGKILL")

    async def _ask_it_to_leave(self, child: Child, link: Link) -> None:
        """Drain, shut down, SIGTERM, each within its part of the budget; cancelled when the runner has gone."""
        await trio.lowlevel.checkpoint()  # it may be dead by now
        state = self._shard.state.value
        if state is ShardState.HELLO:
            return  # no plugin has run yet, and its signal handlers may not be there
        if state in (ShardState.READY, ShardState.SUSPECT):
            self._move(ShardState.DRAINING, "it is to stop")
            self._shard.traffic.runner_draining(self._shard)
            await self._drain(link)
        self._move(ShardState.STOPPING, "it is asked to leave")
        child.ask_to_leave()
        await trio.sleep(self._shard.settings.timeouts.term_grace)

    async def _drain(self, link: Link) -> None:
        budget = self._drain_budget
        if budget == 0:
            return
        end = trio.current_time() + budget
        leave = min(limits.SHUTDOWN_TIMEOUT, budget * LEAVE_SHARE)
        told = unstructure(Shutdown(reason="stop", drain_timeout_ms=int((budget - leave) * 1000)))
        with trio.move_on_at(end - leave):
            await _tell(link, PLUGIN_PREPARE_SHUTDOWN, told)
            while link.pending_count:  # noqa: ASYNC110  # the link tells nobody when it has none left
                await trio.sleep(DRAIN_LOOK)
        with trio.move_on_at(min(end, trio.current_time() + limits.SHUTDOWN_TIMEOUT)):
            told = unstructure(Shutdown(reason="stop", drain_timeout_ms=int(leave * 1000)))
            await _tell(link, PLUGIN_SHUTDOWN, told)
            await self._dead.wait()

    def _kill(self, child: Child) -> None:
        reason = self._sentence[1] if self._sentence else "the host stops"
        self._move(ShardState.KILLING, reason)
        child.kill()

    async def _make_sure_it_is_dead(self, child: Child) -> None:
        """The way out when the nursery was cancelled from outside or by a bug of the host's: kill, and wait, bounded."""
        state = self._shard.state.value
        if self._dead.is_set() or state is ShardState.LOST:
            return
        if self._sentence is None:
            self._planned = True
        if state is not ShardState.KILLING:
            self._kill(child)
        deadline = trio.current_time() + self._shard.settings.timeouts.kill_wait
        with trio.CancelScope(shield=True, deadline=deadline):
            await child.wait_dead()
            self._dead.set()
        if not self._dead.is_set():
            self._move(ShardState.LOST, "it did not end after SIGKILL")

    # --- the end -----------------------------------------------------------------------------------------------

    def _bury(
        self, child: Child, arrival: Arrival, session: _CountingSession, out: OutputPipe, err: OutputPipe
    ) -> ExitReport:
        """Sweep, read the last words, reap, tell. The link is closed and everybody who waited on it has been told."""
        shard = self._shard
        if self._dead.is_set():
            self._move(ShardState.REAPING, "it is dead")
            # Before the reaping: until then the number of its group cannot be another's.
            child.kill()
        out.read_rest()
        err.read_rest()
        status = child.reap()
        if status is None:
            child.abandon()
        place = where_it_was(err.tail, arrival.paths)
        kind, reason = self._cause(status)
        report = ExitReport(
            shard=shard.name,
            incarnation=self._number,
            pid=child.pid,
            plugins=shard.plugins,
            state=self._state_at_end,
            kind=kind,
            code=status if status is not None and status >= 0 else None,
            signal=-status if status is not None and status < 0 else None,
            reason=reason,
            planned=self._planned,
            loading=arrival.loading,
            started_at=self._started_at,
            ready_at=arrival.ready_at,
            ended_at=trio.current_time(),
            in_flight=session.lost,
            called=tuple(sorted(session.called)),
            stderr_tail=err.tail,
            place=place,
            is_loop_thread=is_loop_thread(err.tail),
        )
        shard.take_end(report)
        if arrival.greeted.is_set():
            shard.traffic.runner_lost(shard, report)
        shard.log_sink.end(shard.name)
        return report

    def _cause(self, status: int | None) -> tuple[ExitKind, str]:
        if self._planned:
            return ExitKind.STOPPED, ""
        if self._sentence is not None:
            return self._sentence
        if status is not None and status < 0:
            return ExitKind.SIGNAL, ""
        return ExitKind.EXITED, ""

    def _report_no_process(self, error: OSError) -> ExitReport:
        report = ExitReport(
            shard=self._shard.name,
            incarnation=self._number,
            pid=None,
            plugins=self._shard.plugins,
            state=ShardState.SPAWNING,
            kind=ExitKind.SPAWN_FAILED,
            code=error.errno,
            reason=f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror),
            started_at=self._started_at,
            ended_at=trio.current_time(),
        )
        self._shard.take_end(report)
        return report

    def _move(self, state: ShardState, reason: str) -> None:
        self._note_state()
        self._shard.move(state, reason)

    def _note_state(self) -> None:
        # What it was doing, not what the host did about it.
        state = self._shard.state.value
        if state not in (ShardState.KILLING, ShardState.REAPING, ShardState.LOST):
            self._state_at_end = state

    def _log_output(self, arrival: Arrival, level: int, lines: bytes) -> None:
        self._shard.log_sink.write_output(self._shard.name, arrival.loading, lines, level=level)


class _CountingSession(Session):
    """Remembers how many requests its end has failed, and of which plugins."""

    lost = 0
    called: frozenset[str] = frozenset()

    def close(self, reason: str) -> list[RequestSettled]:
        settled = super().close(reason)
        lost = [item.pending for item in settled if item.pending.method not in _OWN_METHODS]
        self.lost += len(lost)
        self.called |= {pending.plugin_id for pending in lost if pending.plugin_id}
        return settled


async def _read_for_it(arrival: Arrival, out: OutputPipe, err: OutputPipe) -> None:
    """Read the output of a runner that does not do it itself, as those of the original kind."""
    await arrival.greeted.wait()
    if not arrival.reads_own_output:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(out.pump)
            nursery.start_soon(err.pump)


async def _tell(link: Link, method: str, payload: dict[str, object]) -> None:
    """Ask the runner for something that is good to have and not needed: the ladder goes on without it."""
    try:
        await link.call(method, payload, timeout=limits.SHUTDOWN_TIMEOUT)
    except RookeryError:
        pass  # refused, late, or gone; each ends the same way
