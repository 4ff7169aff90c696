"""Is a runner that ended started again, after which delay, or not at all?

A pure function of the policy, of what happened before, of the report and of the time. The delays grow while failures
follow each other and begin again after a long healthy time. Two sliding windows give a shard up: the short one when it
cannot live at all, the long one when it dies again and again after a while of work, which a short window never sees. A
shard that was given up gets single attempts after growing times.

A plugin that is being loaded when its runner dies is certainly to blame, so such a death is counted for the plugin
and not for its shard: it comes up without the plugin after ``load_fail_limit`` deaths.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from enum import Enum, StrEnum
from types import MappingProxyType

import attrs

from .exit_report import ExitKind, ExitReport
from .ranges import Clash, Range

PERMANENT_EXIT_CODES = {
    76: "the protocol was refused",
    78: "its configuration is bad",
    125: "it failed for good",
}
"""Exit codes that the same start would give again."""

RECYCLE_EXIT_CODE = 75
"""The runner works and wants to be replaced: at once, and counted nowhere."""

REFUSALS_LIMIT = 2
"""Broken protocols in a row after which another try with the same program is pointless."""

PERMANENT_SPAWN_ERRORS = frozenset({errno.ENOENT, errno.EACCES, errno.ENOEXEC, errno.ENOTDIR, errno.EPERM})
"""The interpreter is not there or may not be started. Others (no memory, no descriptors) pass."""


class RestartMode(StrEnum):
    """After which ends a runner is started again."""

    PERMANENT = "permanent"
    """After every one that was not planned."""
    TRANSIENT = "transient"
    """Unless it exited by itself with code 0."""
    TEMPORARY = "temporary"
    """Never."""


def _mode(text: str) -> RestartMode:
    try:
        return RestartMode(text)
    except ValueError:
        known = ", ".join(repr(mode.value) for mode in RestartMode)
        raise ValueError(f"mode is {text!r}, expected one of {known}") from None


@attrs.frozen(kw_only=True)
class RestartPolicy:
    """How a shard's runner comes back after an unplanned end. Times are seconds.

    Raises:
        ValueError: A value is out of range or two contradict each other.
    """

    mode: RestartMode = attrs.field(default=RestartMode.PERMANENT, converter=_mode)
    backoff_base: float = attrs.field(default=0.25, validator=Range(0, above=True))
    """The delay after the second failure in a row; after the first there is none."""
    backoff_factor: float = attrs.field(default=2.0, validator=Range(1))
    """By how much each further delay is longer."""
    backoff_max: float = attrs.field(default=30.0, validator=Range(0, above=True))
    """The longest delay."""
    backoff_jitter: float = attrs.field(default=0.5, validator=Range(0, 1))
    """The part of a delay that is left to chance, so that shards do not all come back at once."""
    backoff_reset: float = attrs.field(default=120.0, validator=Range(0))
    """A runner that was ready for so long, and of some use, has cleared the record."""
    burst_limit: int = attrs.field(default=5, validator=Range(0))
    """More unplanned ends than this within `burst_window` give the shard up."""
    burst_window: float = attrs.field(default=60.0, validator=Range(0, above=True))
    sustained_limit: int = attrs.field(default=20, validator=Range(0))
    """More unplanned ends than this within `sustained_window` give the shard up."""
    sustained_window: float = attrs.field(default=3600.0, validator=Range(0, above=True))
    failed_retry: float = attrs.field(default=300.0, validator=Range(0))
    """After so long a given-up shard gets one attempt; each that fails doubles the time. 0 means never."""
    failed_retry_max: float = attrs.field(default=3600.0, validator=Range(0))
    """The longest time between two such attempts."""
    load_fail_limit: int = attrs.field(default=2, validator=Range(1))
    """A plugin whose loading ended so many runners is left out of the next ones."""

    def __attrs_post_init__(self) -> None:
        _refuse(
            self.backoff_max < self.backoff_base,
            "backoff_max",
            self.backoff_max,
            "backoff_base",
            self.backoff_base,
        )
        if self.backoff_reset < 2 * self.backoff_max:
            raise Clash(
                "backoff_reset",
                "backoff_max",
                given=f"{self.backoff_reset:g}",
                expected=f"at least twice backoff_max ({self.backoff_max:g}): a shard would clear its record between two"
                " of its delays",
                advice=f"raise backoff_reset to {2 * self.backoff_max:g} or lower backoff_max",
            )
        _refuse(
            self.sustained_window < self.burst_window,
            "sustained_window", self.sustained_window, "burst_window", self.burst_window,
        )  # fmt: skip
        if self.failed_retry:
            _refuse(
                self.failed_retry_max < self.failed_retry,
                "failed_retry_max", self.failed_retry_max, "failed_retry", self.failed_retry,
            )  # fmt: skip


def _refuse(wrong: bool, name: str, value: float, least: str, least_value: float) -> None:
    if wrong:
        raise Clash(
            name,
            least,
            given=f"{value:g}",
            expected=f"at least {least} ({least_value:g})",
            advice=f"raise {name} or lower {least}",
        )


def _frozen(counts: Mapping[str, int]) -> Mapping[str, int]:
    return MappingProxyType(dict(counts))


@attrs.frozen(kw_only=True)
class History:
    """What a shard's earlier ends say about the next one."""

    failures: int = 0
    """Unplanned ends in a row; the delay grows with it."""
    deaths: tuple[float, ...] = ()
    """When the counted ones of the longer window were, oldest first."""
    refusals: int = 0
    """Broken protocols in a row."""
    give_ups: int = 0
    """Times in a row that the shard was given up; above 0 the next attempt is the only one."""
    load_failures: Mapping[str, int] = attrs.field(factory=dict, converter=_frozen)
    """By plugin: how many runners ended while they loaded it."""

    def is_blocked(self, policy: RestartPolicy, plugin_id: str) -> bool:
        """Whether a plugin has ended so many runners that it is not loaded any more."""
        return self.load_failures.get(plugin_id, 0) >= policy.load_fail_limit


class Verdict(Enum):
    RESTART = "restart"
    GIVE_UP = "give up"
    STAY_STOPPED = "stay stopped"


@attrs.frozen(kw_only=True)
class Decision:
    """What is to be done after an end."""

    verdict: Verdict
    delay: float | None = None
    """Seconds until the next start; None when there is none."""
    reason: str = ""
    """Why the shard is given up or stays stopped."""
    is_permanent: bool = False
    """Whether the same start would end the same way, so that the exit code gave the shard up and not a limit."""
    blocks: str = ""
    """The plugin that later runners must not load any more; "" when there is no new one."""
    history: History = attrs.field(repr=False)
    """What to decide with next time."""


def decide_restart(
    policy: RestartPolicy,
    history: History,
    report: ExitReport,
    now: float,
    jitter: float,
    *,
    is_excused: bool = False,
) -> Decision:
    """What follows an end.

    Args:
        now: On the clock of the report, seconds.
        jitter: A random number from 0 to 1: how much of the random part of the delay is taken off.
        is_excused: It is certain who was to blame, and that this is gone from the shard: the end is not counted.
    """
    if report.planned:
        return Decision(verdict=Verdict.STAY_STOPPED, reason="planned", history=History())
    # One that was asked for two minutes and answered nothing was up, and was no use.
    if report.ready_for >= policy.backoff_reset and report.has_served:
        history = attrs.evolve(history, failures=0, refusals=0, give_ups=0)
    if refusal := _mode_refuses(policy, report):
        return Decision(verdict=Verdict.STAY_STOPPED, reason=refusal, history=history)

    if report.kind is ExitKind.EXITED and report.code == RECYCLE_EXIT_CODE:
        return Decision(verdict=Verdict.RESTART, delay=0.0, history=history)
    history, certain, blocks = _blame(policy, history, report)
    certain = certain or is_excused
    broke_protocol = report.kind in (ExitKind.PROTOCOL, ExitKind.REFUSED)
    horizon = now - policy.sustained_window
    deaths = tuple(moment for moment in history.deaths if moment > horizon)
    history = attrs.evolve(
        history,
        failures=history.failures + 1,
        refusals=history.refusals + 1 if broke_protocol else 0,
        deaths=deaths if certain else (*deaths, now),
    )
    if reason := _why_pointless(report):
        return attrs.evolve(_give_up(policy, history, reason, ""), is_permanent=True)
    if reason := _why_give_up(policy, history, report, now, certain=certain):
        return _give_up(policy, history, reason, blocks)
    delay = backoff(policy, history.failures, jitter)
    return Decision(verdict=Verdict.RESTART, delay=delay, blocks=blocks, history=history)


def backoff(policy: RestartPolicy, failures: int, jitter: float) -> float:
    """Seconds before the start that follows the ``failures``-th failure in a row: none, base, base·factor, … max."""
    if failures <= 1:
        return 0.0
    try:
        longest = min(policy.backoff_max, policy.backoff_base * policy.backoff_factor ** (failures - 2))
    except OverflowError:
        longest = policy.backoff_max
    return longest * (1.0 - policy.backoff_jitter * jitter)


def _mode_refuses(policy: RestartPolicy, report: ExitReport) -> str:
    if policy.mode is RestartMode.TEMPORARY:
        return "a temporary shard is not restarted"
    if policy.mode is RestartMode.TRANSIENT and report.kind is ExitKind.EXITED and report.code == 0:
        return "it ended by itself, and a transient shard is not restarted then"
    return ""


def _blame(policy: RestartPolicy, history: History, report: ExitReport) -> tuple[History, bool, str]:
    """The history with the plugin's failure, whether the evidence is certain, and whom it blocks."""
    ended_itself = report.kind in (ExitKind.EXITED, ExitKind.SIGNAL, ExitKind.LOAD_TIMEOUT)
    if not report.loading or not ended_itself:
        return history, False, ""
    failures = history.load_failures.get(report.loading, 0) + 1
    history = attrs.evolve(history, load_failures={**history.load_failures, report.loading: failures})
    # A runner that loads a blocked plugin all the same is not excused, or it would come back for ever.
    certain = failures <= policy.load_fail_limit
    return history, certain, report.loading if failures == policy.load_fail_limit else ""


def _why_pointless(report: ExitReport) -> str:
    if report.kind is ExitKind.OUT_OF_DISK:
        return (
            f"{report.reason}; remove what is not needed there or raise the limit in [shard.limits], then run `rookery start"
            f" {report.shard}`"
        )
    if report.kind is ExitKind.EXITED and report.code in PERMANENT_EXIT_CODES:
        return f"exit code {report.code} says that {PERMANENT_EXIT_CODES[report.code]}"
    if report.kind is ExitKind.SPAWN_FAILED and report.code in PERMANENT_SPAWN_ERRORS:
        return "the interpreter cannot be started"
    if report.kind is ExitKind.SPAWN_FAILED and report.code == errno.ENOTSUP:
        return "this machine does not isolate it as it has to be"
    return ""


def _why_give_up(
    policy: RestartPolicy, history: History, report: ExitReport, now: float, *, certain: bool
) -> str:
    if history.refusals >= REFUSALS_LIMIT:
        return f"it broke the protocol {history.refusals} times in a row"
    if report.plugins and all(history.is_blocked(policy, plugin) for plugin in report.plugins):
        return "each of its plugins ends the runner that loads it"
    if certain:
        return ""
    if history.give_ups:
        return "another attempt failed"
    in_burst = sum(moment > now - policy.burst_window for moment in history.deaths)
    if in_burst > policy.burst_limit:
        return f"it ended {in_burst} times within {policy.burst_window:g} s"
    if len(history.deaths) > policy.sustained_limit:
        return f"it ended {len(history.deaths)} times within {policy.sustained_window:g} s"
    return ""


def _give_up(policy: RestartPolicy, history: History, reason: str, blocks: str) -> Decision:
    # The windows begin anew, and every plugin gets another chance: the attempt that follows is judged by itself.
    after = attrs.evolve(history, deaths=(), give_ups=history.give_ups + 1, load_failures={})
    delay = None
    if policy.failed_retry:
        doublings = min(history.give_ups, 64)  # as good as for ever, and no overflow
        delay = min(policy.failed_retry_max, policy.failed_retry * 2.0**doublings)
    return Decision(verdict=Verdict.GIVE_UP, delay=delay, reason=reason, blocks=blocks, history=after)
