"""A circuit opens after some failures in a row, tries one call after a while, and can be stuck in no state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.protocol import ComponentType
from rookery.supervisor.breaker import LEASE_GRACE, PLAIN, Breaker, BreakerPolicy, Ticket
from rookery.supervisor.call import Outcome
from rookery.supervisor.component import Component
from rookery.supervisor.fate import DispatchFailed, Fate

WELL: Outcome = {"success": True}
FAILED: Outcome = {"success": False}
TOO_LATE: Outcome = DispatchFailed(Fate.TIMEOUT, "", maybe_executed=True)
HUNG: Outcome = DispatchFailed(Fate.HUNG, "", maybe_executed=True)
NOT_BEGUN: Outcome = DispatchFailed(Fate.TIMEOUT, "")
AWAY: Outcome = DispatchFailed(Fate.UNAVAILABLE, "")
DIED: Outcome = DispatchFailed(Fate.RUNNER_LOST, "", maybe_executed=True)


def _component(name: str = "c", plugin_id: str = "p.a") -> Component:
    return Component(
        plugin_id=plugin_id, name=name, type=ComponentType.EVENT_HANDLER, shard="one", metadata={}
    )


def _open(breaker: Breaker, handler: Component, now: float = 0.0) -> None:
    for _ in range(breaker.policy.failures):
        breaker.note(handler, PLAIN, TOO_LATE, now)


def _ask(breaker: Breaker, handler: Component, now: float) -> Ticket | None:
    return breaker.ask(handler, now, 5.0)


def test_three_in_a_row_open_it() -> None:
    """Two do not, and neither do three with a good one among them."""
    breaker, handler = Breaker(), _component()

    for outcome in (TOO_LATE, HUNG, WELL, TOO_LATE, TOO_LATE):
        breaker.note(handler, PLAIN, outcome, 0.0)
    before = _ask(breaker, handler, 0.0)
    breaker.note(handler, PLAIN, TOO_LATE, 0.0)

    assert before is PLAIN
    assert _ask(breaker, handler, 0.0) is None
    assert _ask(breaker, _component("other"), 0.0) is PLAIN


@pytest.mark.parametrize("outcome", [WELL, FAILED, NOT_BEGUN, AWAY, DIED])
def test_what_costs_nobody_time_is_not_counted(outcome: Outcome) -> None:
    """An answer that says it failed, a shard that is away, a runner that died: others answer for that."""
    breaker, handler = Breaker(), _component()

    for _ in range(10):
        breaker.note(handler, PLAIN, outcome, 0.0)

    assert not breaker.watched


def test_nothing_is_watched_while_all_is_well() -> None:
    """A handler that is well again leaves nothing behind that a dispatch looks at."""
    breaker, handler = Breaker(), _component()

    breaker.note(handler, PLAIN, TOO_LATE, 0.0)
    watched = breaker.watches_any([handler])
    breaker.note(handler, PLAIN, WELL, 0.0)

    assert (watched, breaker.watched) == (True, {})


def test_one_probe_tries_it() -> None:
    """The others are passed over until it is back; when it went well everybody is asked again."""
    breaker, handler = Breaker(), _component()
    _open(breaker, handler)

    early = _ask(breaker, handler, 59.9)
    probe = _ask(breaker, handler, 60.0)
    other = _ask(breaker, handler, 60.0)
    assert probe is not None
    breaker.note(handler, probe, WELL, 61.0)

    assert (early, other) == (None, None)
    assert probe is not PLAIN
    assert _ask(breaker, handler, 61.0) is PLAIN
    assert not breaker.watched


def test_each_time_it_stays_open_for_longer() -> None:
    """One, two, four minutes, and then five each time."""
    breaker, handler = Breaker(), _component()
    _open(breaker, handler)
    now, waits = 0.0, []

    for _ in range(5):
        left = breaker.open_circuits(now)[0].left
        waits.append(left)
        now += left
        probe = _ask(breaker, handler, now)
        assert probe is not None
        breaker.note(handler, probe, TOO_LATE, now)

    assert waits == [60.0, 120.0, 240.0, 300.0, 300.0]


@pytest.mark.parametrize(("pause", "left"), [(599.0, 120.0), (600.0, 60.0)])
def test_after_ten_good_minutes_it_is_a_first_time_again(pause: float, left: float) -> None:
    """Before, it goes on where it was."""
    breaker, handler = Breaker(), _component()
    _open(breaker, handler)
    probe = _ask(breaker, handler, 60.0)
    assert probe is not None
    breaker.note(handler, probe, WELL, 60.0)

    _open(breaker, handler, 60.0 + pause)

    assert breaker.open_circuits(60.0 + pause)[0].left == left


@pytest.mark.parametrize("outcome", [NOT_BEGUN, AWAY, DIED])
def test_a_probe_that_proves_nothing_lets_the_next_one_try(outcome: Outcome) -> None:
    """W8: whatever else becomes of it, it is not held for ever."""
    breaker, handler = Breaker(), _component()
    _open(breaker, handler)
    probe = _ask(breaker, handler, 60.0)
    assert probe is not None

    breaker.note(handler, probe, outcome, 61.0)

    assert _ask(breaker, handler, 61.0) not in (None, PLAIN, probe)


def test_a_probe_that_is_given_back_lets_the_next_one_try() -> None:
    """W8: its caller was cancelled."""
    breaker, handler = Breaker(), _component()
    _open(breaker, handler)
    probe = _ask(breaker, handler, 60.0)
    assert probe is not None

    breaker.give_back(handler, probe)

    assert _ask(breaker, handler, 60.0) not in (None, PLAIN)


def test_a_probe_that_nobody_hears_of_again_ends_by_itself() -> None:
    """W8: it is a lease, for the handler's time and a grace."""
    breaker, handler = Breaker(), _component()
    _open(breaker, handler)
    _ask(breaker, handler, 60.0)

    assert _ask(breaker, handler, 65.0) is None
    assert _ask(breaker, handler, 65.0 + LEASE_GRACE) is not None


def test_what_began_before_proves_nothing() -> None:
    """A call that was out when the circuit opened neither closes it nor keeps it open for longer."""
    breaker, handler = Breaker(), _component()
    _open(breaker, handler)

    breaker.note(handler, PLAIN, WELL, 1.0)
    breaker.note(handler, PLAIN, TOO_LATE, 1.0)

    (circuit,) = breaker.open_circuits(1.0)
    assert (circuit.state, circuit.left, circuit.level) == ("open", 59.0, 1)


def test_what_a_plugin_registers_again_begins_anew() -> None:
    """By a reload or by a new runner; other plugins' circuits stay."""
    breaker, handler, other = Breaker(), _component(), _component(plugin_id="p.b")
    _open(breaker, handler)
    _open(breaker, other)

    breaker.forget("p.a")

    assert [each.component for each in breaker.open_circuits(0.0)] == ["p.b.c"]
    assert _ask(breaker, handler, 0.0) is PLAIN


def test_nothing_is_kept_of_a_component_that_is_gone() -> None:
    """Its last call may end after its plugin has registered another."""
    breaker = Breaker(is_live=lambda _: False)

    _open(breaker, _component())

    assert not breaker.watched


def test_zero_failures_never_open_it() -> None:
    """It is off."""
    breaker, handler = Breaker(BreakerPolicy(failures=0)), _component()

    for _ in range(10):
        breaker.note(handler, PLAIN, TOO_LATE, 0.0)

    assert not breaker.watched


def test_people_see_what_is_passed_over() -> None:
    """For how long, the how manieth time, and how often it was."""
    breaker, handler = Breaker(), _component()
    _open(breaker, handler)
    for _ in range(4):
        _ask(breaker, handler, 10.0)

    (circuit,) = breaker.open_circuits(15.0)
    (due,) = breaker.open_circuits(100.0)

    assert (circuit.component, circuit.state, circuit.left) == ("p.a.c", "open", 45.0)
    assert (circuit.level, circuit.skipped) == (1, 4)
    assert (due.state, due.left) == ("half-open", 0.0)


@given(
    st.lists(
        st.tuples(st.sampled_from([WELL, FAILED, TOO_LATE, HUNG, AWAY, DIED, None]), st.integers(0, 200))
    )
)
def test_a_handler_that_is_well_again_is_asked_within_the_longest_cooldown(
    story: list[tuple[Outcome | None, int]],
) -> None:
    """W8: after whatever has happened, cancelled calls included (None), it takes one probe at most."""
    breaker, handler, now = Breaker(), _component(), 0.0
    for outcome, pause in story:
        now += pause
        ticket = _ask(breaker, handler, now)
        if ticket is not None and outcome is not None:
            breaker.note(handler, ticket, outcome, now)

    now += breaker.policy.cooldown_max
    ticket = _ask(breaker, handler, now)
    assert ticket is not None
    breaker.note(handler, ticket, WELL, now)

    assert _ask(breaker, handler, now) is PLAIN
