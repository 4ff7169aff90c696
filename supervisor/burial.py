"""What is done when a runner's life is over, in which order, and what is told of it?

Settle, read the last words, sweep, reap, tell: each step needs the one before. Callers are told first, because they wait.
The group is swept before the process is reaped, because until then its number cannot be another's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import trio

from rookery.protocol import page

from .autopsy import Findings, Sentence, decide_cause
from .exit_report import ExitKind, ExitReport
from .shard_state import ShardState
from .stack_dump import is_loop_thread

if TYPE_CHECKING:
    from .live_runner import LiveRunner
    from .shard import Shard


@attrs.frozen(kw_only=True)
class Course:
    """What its host knows of a runner's life."""

    incarnation: int
    started_at: float
    state: ShardState
    """What it was doing when its end began."""
    planned: bool
    sentence: Sentence | None
    """Why the host killed it; None when it did not, or had planned the end."""
    rss: int = 0
    """Resident memory when it was last looked at, in bytes; 0 where it is not known."""


def bury(shard: Shard, runner: LiveRunner, course: Course) -> ExitReport:
    """Finish with a runner whose link is closed, and from which everything that it had sent was read.

    One whose death is not proved may still run what it was sent: then everything may have been executed.
    """
    ledger, is_dead = runner.ledger, runner.dead.is_set()
    runner.read_page()
    started = runner.read_started() if is_dead else None
    calls = ledger.started_calls(started)
    has_served = ledger.has_served  # before all that is left is settled
    _settle(runner, course, started)
    runner.out.read_rest()
    runner.err.read_rest()
    status = _reap(runner)
    if status is None:
        shard.take_lost(runner.child)
    usage = runner.child.usage
    kind, reason = decide_cause(
        Findings(
            planned=course.planned,
            sentence=course.sentence,
            status=status,
            was_signalled=runner.was_signalled,
            rss=course.rss,
            rss_hard=shard.settings.limits.rss_hard,
            oom_killed=usage is not None and usage.oom_kills > 0,
        )
    )
    report = ExitReport(
        shard=shard.name,
        incarnation=course.incarnation,
        pid=runner.child.pid,
        plugins=shard.plugins,
        state=course.state,
        kind=kind,
        code=status if status is not None and status >= 0 else None,
        signal=-status if status is not None and status < 0 else None,
        reason=reason,
        planned=course.planned,
        loading=runner.arrival.loading,
        started_at=course.started_at,
        ready_at=runner.arrival.ready_at,
        ended_at=trio.current_time(),
        in_flight=ledger.lost,
        called=tuple(sorted(ledger.called)),
        has_served=has_served,
        stderr_tail=runner.err.tail,
        crumb=runner.crumb,
        crumb_plugin=runner.crumb_plugin,
        started=calls,
        knows_started=started is not None,
        put_back=ledger.unbegun,
        place=runner.find_place(),
        is_loop_thread=is_loop_thread(runner.err.tail),
        hang=course.sentence.hang if course.sentence is not None and kind is ExitKind.HANG else None,
        dump=runner.dump,
        cpu=usage.cpu if usage is not None else None,
        max_rss=usage.max_rss if usage is not None else None,
        sent_signal=runner.was_signalled,
    )
    shard.take_end(report)
    if runner.arrival.greeted.is_set():
        shard.traffic.runner_lost(shard, report)
    shard.log_sink.end(shard.name)
    return report


def report_no_process(shard: Shard, course: Course, error: OSError) -> ExitReport:
    """There never was a process."""
    report = ExitReport(
        shard=shard.name,
        incarnation=course.incarnation,
        pid=None,
        plugins=shard.plugins,
        state=course.state,
        kind=ExitKind.SPAWN_FAILED,
        code=error.errno,
        reason=f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror),
        started_at=course.started_at,
        ended_at=trio.current_time(),
    )
    shard.take_end(report)
    return report


def _settle(runner: LiveRunner, course: Course, started: frozenset[int] | None) -> None:
    hung_plugin, hung_request = "", 0
    sentence, crumb = course.sentence, runner.crumb
    if sentence is not None and sentence.kind is ExitKind.HANG:
        place = runner.find_place()
        hung_plugin = place.plugin_id if place is not None else runner.crumb_plugin
        if crumb is not None and crumb.phase is page.Phase.CALL and hung_plugin == runner.crumb_plugin:
            hung_request = crumb.request_id
    reason = f"the runner was ended: {sentence.reason}" if sentence is not None else "the runner died"
    runner.ledger.settle(started, reason, hung_plugin=hung_plugin, hung_request=hung_request)


def _reap(runner: LiveRunner) -> int | None:
    if runner.dead.is_set():
        runner.child.sweep()
    return runner.child.reap()
