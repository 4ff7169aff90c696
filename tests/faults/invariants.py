"""Did a whole deployment keep the invariants, as far as that can be decided when it is over?

Looked at: every record of the observers, every call that went through the dispatcher, what the host's parts say when it has
stopped, and the kernel. ``watch.py`` gathers these of each host that a fault test embeds; here they are judged, by one
function for each invariant.

The others cannot be seen afterwards, or need to know what the test did, and are shown where they can be:

==== =================================================================================================================
I2   descriptors: ``tests/leaks.py``, after every test; as are processes that are not known from records (I1), threads (I3)
I7   executions, which only plugins can count: ``test_a_life.py``, the simulator, ``tests/properties/test_fate_model.py``
I8   the same, for calls that may run again
I9   order within a key: the same model, ``tests/whole/test_segments.py``, the simulator
I14  answers of another connection: the same model (mutant ``BARE_ID``), ``tests/protocol/test_session.py``
I15  signals after reaping: the puppets of ``tests/properties/shard_puppet.py``, ``tests/supervisor/test_process.py``
I16  bystanders: asserted in each fault test, and by the simulator for the shards that it spares
I17  lag of the host's loop: ``benchmarks/deaths.py`` and the soak; a test on a shared machine cannot time it
I18  memory of a connection: ``tests/protocol/test_link_stream.py``
I19  a runner that prints is not held up: ``tests/supervisor/test_output.py``
I24  nothing unraisable and no warning: ``filterwarnings`` of ``pyproject.toml``
I26  status answers in every state: ``tests/supervisor/test_snapshot.py``
==== =================================================================================================================
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise

import attrs

from rookery.supervisor.exit_report import ExitKind, ExitReport
from rookery.supervisor.fate import DispatchFailed, Fate
from rookery.supervisor.observers import (
    EnvironmentIncident,
    GroupRestarted,
    PluginIsolated,
    PluginQuarantined,
    RunnerDied,
    ShardMoved,
)
from rookery.supervisor.restart import RestartPolicy
from rookery.supervisor.retries import MAX_ATTEMPTS
from rookery.supervisor.shard_state import ShardState, is_path

S = ShardState
SOME = 1e-6

LATE = 1.0
"""Seconds after its deadline by which a call has ended: ten times what is promised, on a machine that others use."""

STOP_ROOM = 10.0
"""Seconds that a stop may take beyond its budget, for the same reason."""

SELF_TOLD = frozenset({ExitKind.STOPPED, ExitKind.EXITED, ExitKind.SIGNAL, ExitKind.OUT_OF_MEMORY})
"""Ends that say by themselves what they are."""

CLEAN_SLATE = frozenset({"T1", "T24", "T26"})
"""Rows after which earlier ends do not count."""


@attrs.define(eq=False, kw_only=True)
class SeenCall:
    """One call, as its maker saw it."""

    name: str
    deadline: float
    may_run_again: bool = False
    ends: list[object] = attrs.field(factory=list)
    """Results and failures that it was told."""
    ended_at: float = 0.0
    attempts: int = 0
    """How often it had begun when its runner ended, as the host counts."""


@attrs.frozen(kw_only=True)
class Remains:
    """What there is of a host that has stopped."""

    records: tuple[object, ...] = ()
    """Of the observers, in order."""
    policies: Mapping[str, RestartPolicy] = attrs.field(factory=dict)
    """By shard, those of isolated plugins among them."""
    restarts: Mapping[str, int] = attrs.field(factory=dict)
    """By shard: how many the host counts."""
    calls: tuple[SeenCall, ...] = ()
    open_calls: int = 0
    loads: Mapping[str, tuple[int, int]] = attrs.field(factory=dict)
    """By shard: calls that wait and that are out."""
    children: frozenset[int] = frozenset()
    """Process ids of this process's children, zombies included."""
    tasks: tuple[str, ...] = ()
    """Names of those that were not there before the host began."""
    run_files: tuple[str, ...] = ()
    stop_took: float = 0.0
    stop_budget: float = 0.0

    @property
    def deaths(self) -> list[RunnerDied]:
        return [record for record in self.records if isinstance(record, RunnerDied)]

    @property
    def moves(self) -> dict[str, list[ShardMoved]]:
        """By shard."""
        found: dict[str, list[ShardMoved]] = defaultdict(list)
        for record in self.records:
            if isinstance(record, ShardMoved):
                found[record.shard].append(record)
        return found


def broken_by(remains: Remains) -> list[str]:
    """Each invariant that was broken, by its number and in words."""
    return [f"{name}: {text}" for name, check in CHECKS.items() for text in check(remains)]


def no_process_is_left(remains: Remains) -> Iterator[str]:
    for death in remains.deaths:
        if death.report.pid in remains.children:
            yield f"process {death.report.pid} of {death.report.shard} is still a child"


def no_task_is_left(remains: Remains) -> Iterator[str]:
    if remains.tasks:
        yield f"still running: {', '.join(remains.tasks)}"


def no_call_is_left(remains: Remains) -> Iterator[str]:
    if remains.open_calls or any(sum(load) for load in remains.loads.values()):
        yield f"{remains.open_calls} calls are open, waiting and out are {dict(remains.loads)}"


def each_call_ends_once_in_time(remains: Remains) -> Iterator[str]:
    for call in remains.calls:
        if len(call.ends) != 1:
            yield f"{call.name} ended {len(call.ends)} times"
        elif call.ended_at > call.deadline + LATE:
            yield f"{call.name} ended {call.ended_at - call.deadline:.2f} s after its deadline"


def what_had_begun_is_not_made_again(remains: Remains) -> Iterator[str]:
    for call in remains.calls:
        is_done = any(not isinstance(end, DispatchFailed) for end in call.ends)
        if is_done and call.attempts and not call.may_run_again:
            yield f"{call.name} may run once, had begun, and has a result of another runner"


def nothing_is_made_again_too_often(remains: Remains) -> Iterator[str]:
    for call in remains.calls:
        if call.attempts > MAX_ATTEMPTS:
            yield f"{call.name} was lost {call.attempts} times"


def only_what_had_begun_is_lost(remains: Remains) -> Iterator[str]:
    lost = [call for call in remains.calls if any(_is_lost(end) for end in call.ends)]
    if all(death.report.knows_started for death in remains.deaths if death.report.called):
        begun = sum(len(death.report.started) for death in remains.deaths)
        if len(lost) > begun:
            yield f"{len(lost)} calls are lost, and {begun} had begun when runners died"


def _is_lost(end: object) -> bool:
    return isinstance(end, DispatchFailed) and end.fate in (Fate.RUNNER_LOST, Fate.HUNG)


def restarts_keep_to_their_policy(remains: Remains) -> Iterator[str]:
    counted: dict[str, list[float]] = defaultdict(list)
    delays: dict[str, float | None] = {}
    for record in remains.records:
        if isinstance(record, RunnerDied):
            delays[record.report.shard] = record.delay
        elif isinstance(record, (EnvironmentIncident, GroupRestarted)):
            counted.clear()
        elif isinstance(record, ShardMoved) and record.transition in CLEAN_SLATE:
            counted[record.shard].clear()
        elif isinstance(record, ShardMoved) and record.transition == "T27":
            policy, ends = remains.policies[record.shard], counted[record.shard]
            ends.append(record.at)
            recent = sum(at > record.at - policy.burst_window for at in ends)
            if recent > policy.burst_limit + policy.load_fail_limit:
                yield f"{record.shard} comes back after {recent} ends within {policy.burst_window:g} s"
            least = _least_delay(policy, record.failures)
            if (delays.get(record.shard) or 0.0) < least - SOME:
                yield f"{record.shard} comes back after {delays.get(record.shard)} s, {least:g} s at least are right"


def _least_delay(policy: RestartPolicy, failures: int) -> float:
    if failures < 2:
        return 0.0
    longest = min(policy.backoff_max, policy.backoff_base * policy.backoff_factor ** (failures - 2))
    return longest * (1 - policy.backoff_jitter)


def what_is_planned_counts_nowhere(remains: Remains) -> Iterator[str]:
    for name, moves in remains.moves.items():
        for before, move in pairwise(moves):
            if move.transition == "T22" and move.failures != before.failures:
                yield f"{name} ended as planned, and {before.failures} ends in a row became {move.failures}"


def one_runner_at_a_time(remains: Remains) -> Iterator[str]:
    alive: dict[str, int] = {}
    for record in remains.records:
        if isinstance(record, ShardMoved) and record.new is S.SPAWNING:
            if record.shard in alive:
                yield f"{record.shard} #{record.incarnation} starts, and #{alive[record.shard]} is not over"
            alive[record.shard] = record.incarnation
        elif isinstance(record, RunnerDied):
            alive.pop(record.report.shard, None)


def each_runner_has_one_end(remains: Remains) -> Iterator[str]:
    told: dict[tuple[str, int], int] = defaultdict(int)
    for death in remains.deaths:
        report = death.report
        told[report.shard, report.incarnation] += 1
        if not report.reason and report.kind not in SELF_TOLD:
            yield f"the end of {report.shard} #{report.incarnation} by {report.kind.value} has no reason"
    for name, moves in remains.moves.items():
        for number in {move.incarnation for move in moves if move.new is S.SPAWNING}:
            if told[name, number] != 1:
                yield f"the end of {name} #{number} was told {told[name, number]} times"


def only_suspects_are_punished(remains: Remains) -> Iterator[str]:
    suspects = set[str]().union(*(_suspects_of(death.report) for death in remains.deaths))
    for record in remains.records:
        if isinstance(record, (PluginIsolated, PluginQuarantined)) and record.plugin_id not in suspects:
            yield f"{record.plugin_id} is punished, and nothing ever pointed to it: {record.reason}"


def _suspects_of(report: ExitReport) -> set[str]:
    place = report.place.plugin_id if report.place is not None else ""
    return {report.crumb_plugin, report.loading, place, *(call.plugin_id for call in report.started)}


def a_stop_keeps_its_budget(remains: Remains) -> Iterator[str]:
    if remains.stop_took > remains.stop_budget + STOP_ROOM:
        yield f"the stop took {remains.stop_took:.1f} s, {remains.stop_budget:.1f} s are given"
    for name, moves in remains.moves.items():
        if moves[-1].new is not S.STOPPED:
            yield f"{name} is {moves[-1].new.value} after the host has stopped"


def no_file_of_a_runner_is_left(remains: Remains) -> Iterator[str]:
    if remains.run_files:
        yield f"of its runners is left: {', '.join(remains.run_files)}"


def moves_keep_to_the_table(remains: Remains) -> Iterator[str]:
    for name, moves in remains.moves.items():
        if not is_path([(move.old, move.new, move.transition) for move in moves]):
            yield f"{name} went {' '.join(f'{move.transition}:{move.new.value}' for move in moves)}"


def restarts_are_counted(remains: Remains) -> Iterator[str]:
    for name, moves in remains.moves.items():
        started = sum(move.new is S.SPAWNING for move in moves)
        if name in remains.restarts and remains.restarts[name] != max(0, started - 1):
            yield f"{name} counts {remains.restarts[name]} restarts, and {started} runners were started"


CHECKS: Mapping[str, Callable[[Remains], Iterator[str]]] = {
    "I1": no_process_is_left,
    "I4": no_task_is_left,
    "I5": no_call_is_left,
    "I6": each_call_ends_once_in_time,
    "I7": what_had_begun_is_not_made_again,
    "I8": nothing_is_made_again_too_often,
    "I10": only_what_had_begun_is_lost,
    "I11": restarts_keep_to_their_policy,
    "I12": what_is_planned_counts_nowhere,
    "I13": one_runner_at_a_time,
    "I20": each_runner_has_one_end,
    "I21": only_suspects_are_punished,
    "I22": a_stop_keeps_its_budget,
    "I23": no_file_of_a_runner_is_left,
    "I25": moves_keep_to_the_table,
    "counts": restarts_are_counted,
}
