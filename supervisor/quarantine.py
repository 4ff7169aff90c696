"""Whose fault was the end of a runner, and what follows for a plugin that is to blame again and again?

Evidence, the strongest first: what was on the CPU, by the crumb in the shared page; where the stacks of a deadly signal or
of a hang show plugin code; the only call that had begun; one of several. Where two of them contradict each other the
weaker is not believed: a plugin can write into the page, and its lies must stay its own.

A plugin whose charges add up gets a shard of its own, where it can harm nobody. When they add up there as well it is not
run for a while, each time for longer. What a crash of the whole machine or a bad library does to most plugins of a shard is
no plugin's fault.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import attrs

from rookery.protocol import page

from .exit_report import ExitKind, ExitReport
from .ranges import Clash, Range

if TYPE_CHECKING:
    from collections.abc import Iterable

SIGKILL = 9

INNOCENT_CODES = frozenset({69, 70, 75, 76, 78, 125})
"""Exit codes that a runner gives by itself: no plugin's doing."""


@attrs.frozen(kw_only=True)
class QuarantinePolicy:
    """When a plugin is isolated, and for how long it is kept out. Times are seconds."""

    crash_limit: float = attrs.field(default=3.0, validator=Range(1))
    """Charges within `crash_window` that give a plugin a shard of its own, and there put it into quarantine."""
    crash_window: float = attrs.field(default=300.0, validator=Range(0, above=True))
    long_crash_limit: float = attrs.field(default=10.0, validator=Range(1))
    """The same for a plugin that does it slowly, within `long_crash_window`."""
    long_crash_window: float = attrs.field(default=72 * 3600.0, validator=Range(0, above=True))
    quarantine_base: float = attrs.field(default=30.0, validator=Range(0, above=True))
    """The first quarantine; each further one is twice as long."""
    quarantine_max: float = attrs.field(default=3600.0, validator=Range(0, above=True))
    max_fraction: float = attrs.field(default=0.5, validator=Range(0, 1))
    """At most this part of a shard's plugins is taken out of it: if more are to blame, it is none of them."""
    event_max_attempts: int = attrs.field(default=3, validator=Range(2, 100))
    """Deaths with one event after which it is dead-lettered, whichever plugins they were charged to; two are enough when
    they were different ones."""

    def __attrs_post_init__(self) -> None:
        if self.quarantine_max < self.quarantine_base:
            raise Clash(
                "quarantine_max",
                "quarantine_base",
                given=f"{self.quarantine_max:g}",
                expected=f"at least quarantine_base ({self.quarantine_base:g})",
                advice="raise quarantine_max or lower quarantine_base",
            )


class Evidence(Enum):
    """Why a plugin is charged."""

    LOADING = "it was being loaded"
    CRUMB = "its code was on the CPU"
    STACKS = "the stacks show its code"
    ONLY_CALL = "its call was the only one that had begun"
    ONE_OF_SEVERAL = "its call was one of several that had begun"


CERTAIN = frozenset({Evidence.LOADING, Evidence.CRUMB, Evidence.STACKS})


@attrs.frozen(kw_only=True)
class Charge:
    """One plugin's part in one death."""

    plugin_id: str
    weight: float
    """1 for the whole death."""
    evidence: Evidence
    event_id: str = ""
    """What it was working on; "" when nobody knows."""
    at: float
    """When the runner ended."""

    @property
    def is_certain(self) -> bool:
        return self.evidence in CERTAIN and self.weight >= 1.0


def weigh(report: ExitReport) -> tuple[Charge, ...]:
    """Who is to be charged with an end; nobody for one that was planned, or that no plugin can have caused."""
    if report.planned or not _is_plugins_doing(report):
        return ()
    # The kernel's kill for memory looks like anybody's kill -9: half a charge, and only with something to show for it.
    weight = 0.5 if report.kind is ExitKind.OUT_OF_MEMORY or _is_strangers_kill(report) else 1.0
    if report.loading:
        return (_charge(report, report.loading, weight, Evidence.LOADING),)
    if report.place is not None and report.place.plugin_id in report.plugins and report.is_loop_thread:
        return (_charge(report, report.place.plugin_id, weight, Evidence.STACKS),)
    if _believes_crumb(report):
        return (_charge(report, report.crumb_plugin, weight, Evidence.CRUMB),)
    if _is_strangers_kill(report) or not report.knows_started:
        return ()
    suspects = sorted({call.plugin_id for call in report.started if call.plugin_id in report.plugins})
    kind = Evidence.ONLY_CALL if len(report.started) == 1 else Evidence.ONE_OF_SEVERAL
    return tuple(_charge(report, plugin_id, weight / len(suspects), kind) for plugin_id in suspects)


def _is_plugins_doing(report: ExitReport) -> bool:
    match report.kind:
        case ExitKind.EXITED:
            return report.code not in INNOCENT_CODES
        case (
            ExitKind.SIGNAL
            | ExitKind.HANG
            | ExitKind.STUCK
            | ExitKind.OUT_OF_MEMORY
            | ExitKind.TOO_MANY_PROCESSES
        ):
            return True
        case ExitKind.LOAD_TIMEOUT:
            return bool(report.loading)
    return False


def _is_strangers_kill(report: ExitReport) -> bool:
    return report.kind is ExitKind.SIGNAL and report.signal == SIGKILL


def _believes_crumb(report: ExitReport) -> bool:
    """Not when it is idle, when another thread crashed, or when it names a call that had not begun."""
    crumb = report.crumb
    if crumb is None or crumb.phase is page.Phase.IDLE or report.crumb_plugin not in report.plugins:
        return False
    if not report.is_loop_thread:
        return False
    if crumb.phase is page.Phase.CALL and report.knows_started and crumb.request_id:
        call = report.running
        return call is not None and call.plugin_id == report.crumb_plugin
    return True


def _charge(report: ExitReport, plugin_id: str, weight: float, evidence: Evidence) -> Charge:
    running = report.running
    event_id = ""
    if running is not None and running.plugin_id == plugin_id:
        event_id = running.event_id
    else:
        own = {call.event_id for call in report.started if call.plugin_id == plugin_id}
        event_id = own.pop() if len(own) == 1 else ""
    return Charge(
        plugin_id=plugin_id, weight=weight, evidence=evidence, event_id=event_id, at=report.ended_at
    )


@attrs.frozen(kw_only=True)
class Record:
    """What is known about one plugin."""

    charges: tuple[Charge, ...] = ()
    """Of the long window, oldest first."""
    quarantines: int = 0
    """How often it was kept out."""
    released_at: float | None = None
    """When the latest quarantine ended; None before the first. Soon after it one charge is enough for the next."""
    fingerprint: int = 0
    """Of its files: a plugin that was changed begins anew."""

    def score(self, policy: QuarantinePolicy, now: float) -> float:
        """The weight of the charges within the short window."""
        return sum(each.weight for each in self.charges if each.at > now - policy.crash_window)

    def charged(self, policy: QuarantinePolicy, charge: Charge, now: float) -> Record:
        """The record with one more charge, and without those that are too old."""
        kept = (each for each in self.charges if each.at > now - policy.long_crash_window)
        return attrs.evolve(self, charges=(*kept, charge))

    def forgiven(self, *, event_id: str = "", since: float = float("inf")) -> Record:
        """Without the charges that an event, or something around all of them, was to blame for."""
        kept = (
            each
            for each in self.charges
            if not (event_id and each.event_id == event_id) and not each.at >= since
        )
        return attrs.evolve(self, charges=tuple(kept))


class Step(Enum):
    """What follows for a plugin."""

    NOTHING = "nothing"
    ISOLATE = "isolate"
    QUARANTINE = "quarantine"


def decide_step(
    policy: QuarantinePolicy, record: Record, now: float, *, is_isolated: bool, neighbours: int, removed: int
) -> Step:
    """What follows from a plugin's record after one more charge.

    Args:
        is_isolated: It has a shard of its own already, because of earlier charges.
        neighbours: Plugins of its shard, itself and those that were taken out of it included.
        removed: How many were taken out of it.
    """
    is_on_probation = record.released_at is not None and now - record.released_at <= policy.crash_window
    slow = sum(each.weight for each in record.charges)
    is_over = record.score(policy, now) >= policy.crash_limit or slow >= policy.long_crash_limit
    if is_isolated:
        return Step.QUARANTINE if is_over or is_on_probation else Step.NOTHING
    if not is_over or neighbours <= 1 or removed + 1 > policy.max_fraction * neighbours:
        return Step.NOTHING
    return Step.ISOLATE


def quarantine_seconds(policy: QuarantinePolicy, quarantines: int) -> float:
    """How long the next quarantine lasts.

    Args:
        quarantines: How many there were before.
    """
    return min(policy.quarantine_max, policy.quarantine_base * 2.0 ** min(quarantines, 64))


def is_poison(policy: QuarantinePolicy, deaths: Iterable[Charge], event_id: str) -> bool:
    """Whether an event is to blame rather than the plugins: it ended the runners of different ones, or too many."""
    own = [each for each in deaths if each.event_id == event_id] if event_id else []
    # When nobody knows which of the plugins that worked on it did it, one death charges all of them.
    times, plugins = len({each.at for each in own}), len({each.plugin_id for each in own})
    return times >= policy.event_max_attempts or (times >= 2 and plugins >= 2)
