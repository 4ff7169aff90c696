"""Who is charged with a death, and what follows from the charges?"""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.protocol.page import Crumb, Phase
from rookery.supervisor.exit_report import ExitKind, ExitReport, Place, StartedCall
from rookery.supervisor.quarantine import (
    Charge,
    Evidence,
    QuarantinePolicy,
    Record,
    Step,
    decide_step,
    is_poison,
    quarantine_seconds,
    weigh,
)
from rookery.supervisor.shard_state import ShardState

POLICY = QuarantinePolicy()


def report(**changes: Any) -> ExitReport:
    return attrs.evolve(
        ExitReport(
            shard="games",
            incarnation=1,
            pid=9,
            plugins=("p.a", "p.b"),
            state=ShardState.READY,
            kind=ExitKind.SIGNAL,
            signal=11,
            started_at=0.0,
            ready_at=1.0,
            ended_at=5.0,
            knows_started=True,
        ),
        **changes,
    )


def call(plugin_id: str, request_id: int = 1, event_id: str = "") -> StartedCall:
    return StartedCall(plugin_id=plugin_id, component="x", request_id=request_id, event_id=event_id)


def in_call(plugin: int, request_id: int = 1) -> Crumb:
    return Crumb(phase=Phase.CALL, plugin=plugin, request_id=request_id)


A_PLACE = Place(plugin_id="p.a", file="plugin.py", line=3, function="x")

CASES = {
    "what was being loaded": (report(loading="p.a"), [("p.a", 1.0, Evidence.LOADING)]),
    "the crumb of a call that had begun": (
        report(crumb=in_call(1), crumb_plugin="p.a", started=(call("p.a"), call("p.b", 2))),
        [("p.a", 1.0, Evidence.CRUMB)],
    ),
    "a task's crumb": (
        report(crumb=Crumb(phase=Phase.TASK, plugin=2), crumb_plugin="p.b"),
        [("p.b", 1.0, Evidence.CRUMB)],
    ),
    "the stacks go before the crumb": (
        report(place=A_PLACE, crumb=in_call(2), crumb_plugin="p.b", started=(call("p.b"),)),
        [("p.a", 1.0, Evidence.STACKS)],
    ),
    "a crumb that names a call that had not begun is a lie": (
        report(crumb=in_call(2, 77), crumb_plugin="p.b", started=(call("p.a"),)),
        [("p.a", 1.0, Evidence.ONLY_CALL)],
    ),
    "a crumb that names a call of another plugin is a lie": (
        report(crumb=in_call(2), crumb_plugin="p.b", started=(call("p.a"),)),
        [("p.a", 1.0, Evidence.ONLY_CALL)],
    ),
    "a crash in another thread leaves the crumb innocent": (
        report(
            crumb=in_call(1),
            crumb_plugin="p.a",
            is_loop_thread=False,
            started=(call("p.a"), call("p.b", 2)),
        ),
        [("p.a", 0.5, Evidence.ONE_OF_SEVERAL), ("p.b", 0.5, Evidence.ONE_OF_SEVERAL)],
    ),
    "the only call": (report(started=(call("p.b"),)), [("p.b", 1.0, Evidence.ONLY_CALL)]),
    "out of memory counts half": (
        report(kind=ExitKind.OUT_OF_MEMORY, crumb=in_call(1), crumb_plugin="p.a", started=(call("p.a"),)),
        [("p.a", 0.5, Evidence.CRUMB)],
    ),
    "a kill -9 with a crumb counts half": (
        report(signal=9, crumb=in_call(1), crumb_plugin="p.a", started=(call("p.a"),)),
        [("p.a", 0.5, Evidence.CRUMB)],
    ),
    "a kill -9 without a crumb says nothing": (report(signal=9, started=(call("p.a"),)), []),
    "a clean exit with work in flight is a death": (
        report(kind=ExitKind.EXITED, code=0, signal=None, crumb=in_call(1), crumb_plugin="p.a",
               started=(call("p.a"),)),
        [("p.a", 1.0, Evidence.CRUMB)],
    ),
    "a planned end": (report(planned=True, started=(call("p.a"),)), []),
    "a runner that wants to be replaced": (
        report(kind=ExitKind.EXITED, code=75, signal=None, started=(call("p.a"),)),
        [],
    ),
    "a broken rule": (report(kind=ExitKind.PROTOCOL, started=(call("p.a"),)), []),
    "nobody knows what had begun": (report(knows_started=False, started=(call("p.a"),)), []),
    "a plugin of another shard": (report(loading="", crumb=in_call(3), crumb_plugin="p.z"), []),
}  # fmt: skip


@pytest.mark.parametrize(("ended", "expected"), CASES.values(), ids=CASES)
def test_evidence_is_weighed(ended: ExitReport, expected: list[tuple[str, float, Evidence]]) -> None:
    """The strongest that nothing contradicts."""
    assert [(each.plugin_id, each.weight, each.evidence) for each in weigh(ended)] == expected


def test_a_charge_knows_what_was_worked_on() -> None:
    """By the running call, or the only event of the plugin's calls."""
    (charge,) = weigh(report(crumb=in_call(1), crumb_plugin="p.a", started=(call("p.a", 1, "m1"),)))

    assert charge.event_id == "m1"
    assert charge.is_certain


def charge(at: float, plugin_id: str = "p.a", weight: float = 1.0, event_id: str = "") -> Charge:
    return Charge(plugin_id=plugin_id, weight=weight, evidence=Evidence.CRUMB, event_id=event_id, at=at)


def record(*at: float, **changes: Any) -> Record:
    return attrs.evolve(Record(charges=tuple(map(charge, at))), **changes)


@pytest.mark.parametrize(
    ("known", "isolated", "neighbours", "removed", "step"),
    [
        pytest.param(record(1, 2), False, 5, 0, Step.NOTHING, id="not enough"),
        pytest.param(record(1, 2, 3), False, 5, 0, Step.ISOLATE, id="three"),
        pytest.param(record(-400, 2, 3), False, 5, 0, Step.NOTHING, id="one is too old"),
        pytest.param(record(1, 2, 3), False, 1, 0, Step.NOTHING, id="it is alone in the operator's own shard"),
        pytest.param(record(1, 2, 3), False, 4, 2, Step.NOTHING, id="more than half would be taken out"),
        pytest.param(record(1, 2, 3), False, 4, 1, Step.ISOLATE, id="half may be taken out"),
        pytest.param(record(1, 2), True, 1, 0, Step.NOTHING, id="not enough in its own shard"),
        pytest.param(record(1, 2, 3), True, 1, 0, Step.QUARANTINE, id="three in its own shard"),
        pytest.param(record(9, released_at=5.0), True, 1, 0, Step.QUARANTINE, id="one after a quarantine"),
        pytest.param(record(9, released_at=-999.0), True, 1, 0, Step.NOTHING, id="one long after it"),
        pytest.param(
            record(*[-900.0 * n for n in range(10)]), False, 5, 0, Step.ISOLATE, id="slowly, ten in three days"
        ),
    ],
)  # fmt: skip
def test_what_follows_from_the_charges(
    known: Record, isolated: bool, neighbours: int, removed: int, step: Step
) -> None:
    """F1, F4, F5, F7."""
    found = decide_step(POLICY, known, 10.0, is_isolated=isolated, neighbours=neighbours, removed=removed)

    assert found is step


@given(st.lists(st.floats(0, 3000), max_size=30), st.booleans())
def test_nobody_is_touched_below_the_limit(moments: list[float], isolated: bool) -> None:
    """I21: a plugin without three charges in a window, or ten in all, stays where it is."""
    known, now = Record(), 0.0
    for moment in sorted(moments):
        now = moment
        known = known.charged(POLICY, charge(now, weight=0.5), now)
    step = decide_step(POLICY, known, now, is_isolated=isolated, neighbours=9, removed=0)

    if step is not Step.NOTHING:
        in_window = sum(0.5 for moment in moments if moment > now - POLICY.crash_window)
        assert in_window >= POLICY.crash_limit or 0.5 * len(moments) >= POLICY.long_crash_limit


def test_quarantines_double_up_to_an_hour() -> None:
    """30 s, 60 s, … and however many there were, no more than the limit."""
    assert [quarantine_seconds(POLICY, number) for number in (0, 1, 2, 6, 7, 1000)] == [
        30.0,
        60.0,
        120.0,
        1920.0,
        3600.0,
        3600.0,
    ]


@pytest.mark.parametrize(
    ("deaths", "poison"),
    [
        pytest.param([charge(1, "p.a", event_id="m")], False, id="one death"),
        pytest.param(
            [charge(1, "p.a", event_id="m"), charge(2, "p.b", event_id="m")], True, id="two plugins"
        ),
        pytest.param(
            [charge(1, "p.a", event_id="m"), charge(1, "p.b", event_id="m")],
            False,
            id="two plugins at one death",
        ),
        pytest.param(
            [charge(n, "p.a", event_id="m") for n in (1, 1, 1)], False, id="three calls at one death"
        ),
        pytest.param([charge(n, "p.a", event_id="m") for n in (1, 2)], False, id="one plugin twice"),
        pytest.param([charge(n, "p.a", event_id="m") for n in (1, 2, 3)], True, id="one plugin three times"),
        pytest.param([charge(1, "p.a", event_id=""), charge(2, "p.b", event_id="")], False, id="no event"),
    ],
)
def test_an_event_is_to_blame_when_it_ends_different_plugins(deaths: list[Charge], poison: bool) -> None:
    """F2; several events with one plugin blame the plugin."""
    assert is_poison(POLICY, deaths, "m") is poison


def test_what_an_event_or_the_machine_did_is_forgiven() -> None:
    """By its event, or by its time."""
    known = Record(charges=(charge(1, event_id="m"), charge(2), charge(3)))

    assert [each.at for each in known.forgiven(event_id="m").charges] == [2, 3]
    assert [each.at for each in known.forgiven(since=2.5).charges] == [1, 2]


def test_a_policy_that_contradicts_itself_is_refused() -> None:
    """With both names."""
    with pytest.raises(ValueError, match=r"quarantine_max is 1.*quarantine_base \(30\)"):
        QuarantinePolicy(quarantine_max=1.0)
