"""Would each invariant be found broken, and is every host looked at?"""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from rookery.supervisor import Supervisor
from rookery.supervisor.exit_report import ExitKind, ExitReport, StartedCall
from rookery.supervisor.fate import DispatchFailed, Fate
from rookery.supervisor.observers import PluginIsolated, RunnerDied, ShardMoved
from rookery.supervisor.restart import RestartPolicy
from rookery.supervisor.shard_state import ShardState
from tests.faults.invariants import CHECKS, Remains, SeenCall, broken_by
from tests.faults.watch import Watch
from tests.whole.host import Deployment

S = ShardState

LOST = DispatchFailed(Fate.RUNNER_LOST, "the runner died", maybe_executed=True)


def move(
    old: ShardState, new: ShardState, by: str, *, number: int = 1, at: float = 0.0, failures: int = 0
) -> ShardMoved:
    return ShardMoved(
        shard="a",
        incarnation=number,
        old=old,
        new=new,
        reason="why",
        at=at,
        transition=by,
        failures=failures,
    )


def death(
    number: int = 1, *, delay: float | None = 0.0, kind: ExitKind = ExitKind.SIGNAL, reason: str = ""
) -> RunnerDied:
    report = ExitReport(
        shard="a",
        incarnation=number,
        pid=4711,
        plugins=("test.one",),
        state=S.READY,
        kind=kind,
        signal=9,
        reason=reason,
        started_at=0.0,
        ended_at=5.0,
        started=(StartedCall(plugin_id="test.one", component="c", event_id="", session_id="", request_id=1),),
        knows_started=True,
    )
    return RunnerDied(report=report, next="back at once", delay=delay)


def call(*ends: object, ended_at: float = 1.0, attempts: int = 0) -> SeenCall:
    return SeenCall(name="test.one.c", deadline=10.0, ends=list(ends), ended_at=ended_at, attempts=attempts)


UP = (
    move(S.IDLE, S.SPAWNING, "T2"),
    move(S.SPAWNING, S.HELLO, "T3"),
    move(S.HELLO, S.LOADING, "T5"),
    move(S.LOADING, S.READY, "T9"),
)
CRASH = (
    move(S.READY, S.REAPING, "T18", at=5.0),
    death(),
    move(S.REAPING, S.BACKOFF, "T27", at=5.0, failures=1),
)
STOP = (move(S.BACKOFF, S.STOPPED, "T31", at=6.0, failures=1),)
WHOLE = Remains(
    records=(*UP, *CRASH, *STOP),
    policies={"a": RestartPolicy()},
    restarts={"a": 0},
    calls=(call({"success": True}), call(LOST, attempts=1)),
    loads={"a": (0, 0)},
    stop_budget=5.0,
)
"""A shard whose only runner was killed while it ran a call."""

AGAIN = tuple(attrs.evolve(each, incarnation=2, failures=1) for each in UP)


def often(*, delay: float) -> tuple[object, ...]:
    """It dies a second time, and comes back after so many seconds."""
    return (
        *UP,
        *CRASH,
        move(S.BACKOFF, S.IDLE, "T28", at=5.0, failures=1),
        *AGAIN,
        move(S.READY, S.REAPING, "T18", number=2, at=6.0, failures=1),
        death(2, delay=delay),
        move(S.REAPING, S.BACKOFF, "T27", number=2, at=6.0, failures=2),
    )


def told_late() -> tuple[object, ...]:
    """The second runner starts before anybody was told of the end of the first."""
    records = [each for each in often(delay=0.5) if not isinstance(each, RunnerDied)]
    return (*records[:-2], death(), *records[-2:-1], death(2, delay=0.5), records[-1])


PLANNED = (
    *UP,
    move(S.READY, S.DRAINING, "T14"),
    move(S.DRAINING, S.REAPING, "T18"),
    death(kind=ExitKind.STOPPED),
    move(S.REAPING, S.STOPPED, "T22", failures=1),
)

BROKEN = {
    "I1": attrs.evolve(WHOLE, children=frozenset({4711})),
    "I4": attrs.evolve(WHOLE, tasks=("rookery.supervisor.something",)),
    "I5": attrs.evolve(WHOLE, loads={"a": (0, 1)}),
    "I6": attrs.evolve(WHOLE, calls=(call(LOST, {"success": True}),)),
    "I6 late": attrs.evolve(WHOLE, calls=(call(LOST, ended_at=11.5),)),
    "I6 open": attrs.evolve(WHOLE, calls=(call(),)),
    "I7": attrs.evolve(WHOLE, calls=(call({"success": True}, attempts=1),)),
    "I8": attrs.evolve(WHOLE, calls=(call(LOST, attempts=4),)),
    "I10": attrs.evolve(WHOLE, calls=(call(LOST), call(LOST))),
    "I11": attrs.evolve(WHOLE, records=(*often(delay=0.0), *STOP), restarts={"a": 1}),
    "I11 often": attrs.evolve(
        WHOLE,
        records=(*often(delay=5.0), *STOP),
        policies={"a": RestartPolicy(burst_limit=0, load_fail_limit=1)},
        restarts={"a": 1},
    ),
    "I12": attrs.evolve(WHOLE, records=PLANNED, calls=()),
    "I13": attrs.evolve(WHOLE, records=(*told_late(), *STOP), restarts={"a": 1}),
    "I20": attrs.evolve(WHOLE, records=(*UP, *CRASH, death(), *STOP)),
    "I20 untold": attrs.evolve(WHOLE, records=(*UP, CRASH[0], CRASH[2], *STOP), calls=()),
    "I21": attrs.evolve(
        WHOLE,
        records=(*WHOLE.records, PluginIsolated(plugin_id="test.two", shard="a", to_shard="b", reason="-")),
    ),
    "I22": attrs.evolve(WHOLE, stop_took=16.0),
    "I22 up": attrs.evolve(WHOLE, records=(*UP, *CRASH)),
    "I23": attrs.evolve(WHOLE, run_files=("boot/a.1",)),
    "I25": attrs.evolve(WHOLE, records=(*UP[:1], *UP[2:], *CRASH, *STOP)),
    "counts": attrs.evolve(WHOLE, restarts={"a": 3}),
}


def test_a_host_that_kept_them_is_found_whole() -> None:
    """Nothing is said of a crash that went as it should."""
    assert broken_by(WHOLE) == []
    assert broken_by(attrs.evolve(WHOLE, records=(*often(delay=0.5), *STOP), restarts={"a": 1})) == []


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_one_is_found(name: str) -> None:
    """By its number, and no other is blamed."""
    found = broken_by(BROKEN[name])

    assert {text.partition(":")[0] for text in found} == {name.partition(" ")[0]}, found


def test_each_can_be_found_broken() -> None:
    """A check that nothing fails says nothing."""
    assert {name.partition(" ")[0] for name in BROKEN} == set(CHECKS)


@pytest.mark.slow
async def test_every_host_of_a_fault_test_is_judged(
    tmp_path: Path, state_dir: Path, invariants: Watch
) -> None:
    """Its records, its calls and what is left of it."""
    deployment = Deployment(tmp_path, state_dir)
    deployment.plugin("one", "good", "@tool('greet')\nasync def greet(self, **args):\n    return 'hello'")

    async with deployment.run() as supervisor:
        await _greet(supervisor)
        await _greet(supervisor)

    assert invariants.looked_at == 1
    assert [len(each.ends) for each in invariants.calls] == [1, 1]
    assert invariants.broken == []


async def _greet(supervisor: Supervisor) -> None:
    await supervisor.invoke("test.good", "greet", {}, timeout=20)
