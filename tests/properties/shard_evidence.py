"""Does the report of an end say what was really done, and is a shard where it has to be by now?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import trio

from rookery.supervisor.exit_report import ExitKind, ExitReport
from rookery.supervisor.settings import ShardSettings
from rookery.supervisor.shard_state import AT_REST, ShardState
from rookery.supervisor.strategy import Significance

if TYPE_CHECKING:
    from tests.properties.shard_books import Book, Life
    from tests.properties.shard_puppet import Puppet

S = ShardState
EPS = 1e-6
LOOK = 1.5
"""Seconds on the clock of the watchdog that one look may be worth at most."""


def explain(report: ExitReport, puppet: Puppet | None, life: Life, settings: ShardSettings) -> Iterator[str]:
    """Whatever does not fit between a report and what the runner has done."""
    if puppet is None:
        if report.kind is not ExitKind.SPAWN_FAILED or report.pid is not None:
            yield "there was no process"
        return
    if report.pid != puppet.pid:
        yield f"it names process {report.pid}, and it was {puppet.pid}"
    if report.planned is not (report.kind is ExitKind.STOPPED):
        yield f"planned is {report.planned}"
    if life.was_clean and not report.planned:
        yield "it was told to leave before it had done anything"
    if report.planned and not life.orders and not _may_be_sent_away(puppet, settings):
        yield "nobody had told it to leave"
    if report.loading and report.loading not in puppet.told_loading:
        yield f"it is said to load {report.loading}, and it said {puppet.told_loading}"
    if not report.planned and not _is_explained(report, puppet, settings):
        yield f"it had done nothing of the kind, only {[kind.value for kind in puppet.offences]}: {report.describe()}"
    if report.kind in (ExitKind.EXITED, ExitKind.SIGNAL) and puppet.own_status is not None:
        status = report.code if report.code is not None else -(report.signal or 0)
        if status != puppet.own_status:
            yield f"it ended with {puppet.own_status}, and the report says {status}"


def _may_be_sent_away(puppet: Puppet, settings: ShardSettings) -> bool:
    """By itself, because of what it has become, or for its group."""
    limits = settings.limits
    is_worn = 0 < limits.rss_soft < puppet.largest_rss or limits.max_age > 0 or limits.max_dispatches > 0
    return is_worn or settings.group != "alone" or settings.significance is Significance.REQUIRED


def _is_explained(report: ExitReport, puppet: Puppet, settings: ShardSettings) -> bool:
    timeouts, health = settings.timeouts, settings.health
    match report.kind:
        case ExitKind.HELLO_TIMEOUT:
            return report.ended_at >= puppet.born + timeouts.hello - EPS
        case ExitKind.LOAD_TIMEOUT:
            step = min(timeouts.load, timeouts.plugin_load + 1.0)
            least = min(puppet.progress_at + step, puppet.greeted_at + timeouts.start_max)
            return report.ended_at >= least - EPS
        case ExitKind.HANG:
            if puppet.stopped_looks:
                # Silent for as long as makes it suspect, and stopped for the rest.
                return LOOK * (puppet.silent_looks + 1) >= health.stopped_timeout and puppet.was_stopped
            return LOOK * (puppet.silent_looks + 1) >= health.hang_timeout or not puppet.reads
        case ExitKind.OUT_OF_MEMORY:
            is_large = 0 < settings.limits.rss_hard < puppet.largest_rss
            return is_large or (puppet.own_status == -9 and puppet.largest_rss > 0)
    return report.kind in puppet.offences


def check_rest(book: Book, others: tuple[Book, ...], *, is_ordered: bool) -> None:
    """What holds when everybody who can run has run: nobody is late, and each is where it is wanted."""
    shard, now, state = book.shard, trio.current_time(), book.shard.state.value
    for text in _late(book, now):
        book.wrong(text)
    if book.stop_by is not None and now > book.stop_by and state not in AT_REST:
        book.wrong(f"it was to be stopped {now - book.stop_by:g} s ago")
    is_due = shard.next_start is not None and shard.next_start <= now
    if state in (S.BACKOFF, S.FAILED) and is_due:
        book.wrong("its time has come, and it waits on")
    if state is S.BACKOFF and shard.next_start is None:
        book.wrong("it waits for ever")
    if state is S.FAILED and (shard.next_start is None) is (shard.settings.restart.failed_retry > 0):
        book.wrong("it is to try again, or not to")
    if not book.wanted and state in (S.IDLE, S.BACKOFF, S.FAILED, S.SPAWNING):
        book.wrong("it was stopped, and that was ignored")
    if book.wanted and state in (S.STOPPED, S.DISABLED):
        book.wrong("it is wanted")
    is_alone = all(other.shard.state.value in AT_REST | {S.READY} for other in others)
    if state is S.IDLE and shard._held_until <= now and is_alone and not is_ordered:
        book.wrong("nobody stands against its start")
    if state in AT_REST and book.died != book.spawned:
        book.wrong(f"{book.spawned} runners were started and {book.died} deaths told")


def _late(book: Book, now: float) -> Iterator[str]:
    shard, puppet = book.shard, book.puppet
    timeouts, health = shard.settings.timeouts, shard.settings.health
    longest = {
        S.SPAWNING: 0.0,
        S.HELLO: timeouts.hello,
        S.LOADING: max(timeouts.start_max, timeouts.load),
        S.DRAINING: timeouts.drain,
        S.STOPPING: timeouts.term_grace,
        S.KILLING: 0.5 + max(timeouts.kill_wait, health.unkillable_timeout),
        S.REAPING: 0.0,
        S.LOST: 0.0,
    }
    state = shard.state.value
    since = book.entered.get(state, now)
    if state in longest and now > since + longest[state] + EPS:
        yield f"it has been {state.value} for {now - since:g} s"
    if puppet is None or shard.is_paused or state not in (S.READY, S.SUSPECT):
        return
    if puppet.is_dead:
        yield "its runner is dead, and it does not know"
    silent = puppet.silent_looks
    if silent > health.beat_timeout + 2 and state is S.READY and "beats" in shard.features:
        yield f"its runner has been silent for {silent} s, and it is not suspect"
    may_be_silent = puppet.was_traced or puppet.was_importing or puppet.was_resumed
    if silent > health.hang_timeout + 3 and not may_be_silent and "beats" in shard.features:
        yield f"its runner has been silent for {silent} s"
    if puppet.large_looks > 1:
        yield "its runner is too large"
