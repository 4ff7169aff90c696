"""Whether and when a runner comes back: tables of decisions, and laws that hold for every history."""

from __future__ import annotations

import errno
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.supervisor.exit_report import ExitKind, ExitReport
from rookery.supervisor.restart import (
    Decision,
    History,
    RestartMode,
    RestartPolicy,
    Verdict,
    backoff,
    decide_restart,
)
from rookery.supervisor.shard_state import ShardState

PLUGINS = ("test.one", "test.two")
DEFAULT = RestartPolicy()


def report(**changes: Any) -> ExitReport:
    """A runner that exited with code 1 after a second of work, unless said otherwise."""
    ended_at = changes.pop("ended_at", 1001.0)
    fields: dict[str, Any] = {
        "shard": "games",
        "incarnation": 1,
        "pid": 77,
        "plugins": PLUGINS,
        "state": ShardState.READY,
        "kind": ExitKind.EXITED,
        "code": 1,
        "started_at": ended_at - 2,
        "ready_at": ended_at - 1,
        "ended_at": ended_at,
    }
    return ExitReport(**{**fields, **changes})


def decide(
    history: History | None = None, policy: RestartPolicy = DEFAULT, jitter: float = 0.0, **changes: Any
) -> Decision:
    told = report(**changes)
    return decide_restart(policy, history or History(), told, told.ended_at, jitter)


def live(policy: RestartPolicy, *, ready_for: float, deaths: int) -> list[tuple[float, Decision]]:
    """So many lives that end the same way: when each ended, and what was decided."""
    now, history, decided = 0.0, History(), []
    for _ in range(deaths):
        now += ready_for
        decision = decide(history, policy, ended_at=now, ready_at=now - ready_for)
        decided.append((now, decision))
        history = decision.history
        if decision.verdict is not Verdict.RESTART:
            break
        now += decision.delay or 0.0
    return decided


# --- tables ---------------------------------------------------------------------------------------------------


def test_delays_grow_from_nothing_to_the_longest() -> None:
    """Nothing, base, twice that, and so on to the maximum; however long it goes on."""
    delays = [backoff(DEFAULT, failures, 0.0) for failures in range(1, 11)]

    assert delays == [0, 0.25, 0.5, 1, 2, 4, 8, 16, 30, 30]
    assert backoff(DEFAULT, 100_000, 0.0) == 30


def test_jitter_shortens_and_never_lengthens() -> None:
    """A delay lies between its half and its whole."""
    assert backoff(DEFAULT, 9, 1.0) == 15
    assert backoff(DEFAULT, 1, 1.0) == 0


@pytest.mark.parametrize(
    ("ready_for", "lives"),
    [
        pytest.param(0.0, 6, id="dies at once: five restarts"),
        pytest.param(5.0, 6, id="dies after five seconds: still a burst"),
        pytest.param(60.0, 21, id="dies after a minute: twenty restarts in an hour"),
        pytest.param(400.0, 50, id="works for long each time: never given up"),
    ],
)
def test_how_long_a_shard_is_given_a_chance(ready_for: float, lives: int) -> None:
    """The two windows catch the fast loop and the slow one, and forgive what lives long."""
    decided = live(DEFAULT, ready_for=ready_for, deaths=50)

    assert len(decided) == lives
    assert decided[-1][1].verdict is (Verdict.RESTART if lives == 50 else Verdict.GIVE_UP)


def test_the_reason_of_giving_up_has_numbers() -> None:
    """Whoever reads it knows what was counted."""
    assert live(DEFAULT, ready_for=0, deaths=50)[-1][1].reason == "it ended 6 times within 60 s"
    assert live(DEFAULT, ready_for=60, deaths=50)[-1][1].reason == "it ended 21 times within 3600 s"


def test_a_long_healthy_time_clears_the_record() -> None:
    """The next delay is none again, and an attempt after giving up has succeeded."""
    history = History(failures=7, refusals=1, give_ups=2)

    decision = decide(history, ended_at=1000, ready_at=1000 - DEFAULT.backoff_reset)

    assert (decision.verdict, decision.delay) == (Verdict.RESTART, 0.0)
    assert (decision.history.failures, decision.history.give_ups) == (1, 0)


def test_a_long_time_without_an_answer_clears_nothing() -> None:
    """It was up and of no use: the next pause is longer all the same."""
    history = History(failures=7)

    decision = decide(history, ended_at=1000, ready_at=1000 - DEFAULT.backoff_reset, has_served=False)

    assert decision.history.failures == 8


def test_after_giving_up_there_is_one_attempt_at_a_time() -> None:
    """Each that fails doubles the pause, up to an hour."""
    history, delays = History(give_ups=1), []

    for _ in range(5):
        decision = decide(history)
        assert decision.verdict is Verdict.GIVE_UP
        delays.append(decision.delay)
        history = decision.history

    assert delays == [600, 1200, 2400, 3600, 3600]


def test_no_attempt_follows_when_the_operator_wants_none() -> None:
    """`failed_retry = 0` is for good."""
    decision = decide(History(give_ups=3), RestartPolicy(failed_retry=0))

    assert (decision.verdict, decision.delay) == (Verdict.GIVE_UP, None)


@pytest.mark.parametrize(
    ("mode", "changes", "verdict"),
    [
        pytest.param("permanent", {"code": 0}, Verdict.RESTART, id="permanent, a clean exit"),
        pytest.param("transient", {"code": 0}, Verdict.STAY_STOPPED, id="transient, a clean exit"),
        pytest.param("transient", {"code": 1}, Verdict.RESTART, id="transient, a failure"),
        pytest.param("transient", {"code": 0, "kind": ExitKind.STUCK}, Verdict.RESTART, id="transient, killed as stuck"),
        pytest.param("temporary", {"code": 1}, Verdict.STAY_STOPPED, id="temporary"),
    ],
)  # fmt: skip
def test_the_mode_says_which_ends_are_followed(mode: str, changes: dict[str, Any], verdict: Verdict) -> None:
    """Permanent, transient, temporary."""
    assert decide(policy=RestartPolicy(mode=RestartMode(mode)), **changes).verdict is verdict


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        pytest.param({"code": 76}, Verdict.GIVE_UP, id="it says that the protocol was refused"),
        pytest.param({"code": 78}, Verdict.GIVE_UP, id="it says that its configuration is bad"),
        pytest.param({"code": 125}, Verdict.GIVE_UP, id="it says that it failed for good"),
        pytest.param({"code": 70}, Verdict.RESTART, id="an internal error may pass"),
        pytest.param({"kind": ExitKind.SPAWN_FAILED, "code": errno.ENOENT}, Verdict.GIVE_UP, id="no interpreter"),
        pytest.param({"kind": ExitKind.SPAWN_FAILED, "code": errno.ENOTSUP}, Verdict.GIVE_UP, id="no isolation"),
        pytest.param({"kind": ExitKind.SPAWN_FAILED, "code": errno.EMFILE}, Verdict.RESTART, id="no descriptors"),
        pytest.param({"kind": ExitKind.STUCK, "code": 76}, Verdict.RESTART, id="the code of a killed runner says nothing"),
        pytest.param({"kind": ExitKind.REFUSED}, Verdict.RESTART, id="one bad hello"),
    ],
)  # fmt: skip
def test_what_would_happen_again_is_not_tried_again(changes: dict[str, Any], verdict: Verdict) -> None:
    """Deterministic errors give up at once, others get their restarts."""
    assert decide(**changes).verdict is verdict


def test_a_protocol_broken_twice_in_a_row_gives_up() -> None:
    """Another end in between breaks the row."""
    once = decide(kind=ExitKind.PROTOCOL).history

    assert decide(once, kind=ExitKind.REFUSED).verdict is Verdict.GIVE_UP
    assert decide(decide(once).history, kind=ExitKind.PROTOCOL).verdict is Verdict.RESTART


def test_a_planned_end_clears_everything() -> None:
    """It counts for nothing."""
    decision = decide(History(failures=5, deaths=(1.0, 2.0)), planned=True)

    assert (decision.verdict, decision.history) == (Verdict.STAY_STOPPED, History())


# --- blame ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [ExitKind.SIGNAL, ExitKind.EXITED, ExitKind.LOAD_TIMEOUT])
def test_a_plugin_is_blocked_after_two_runners(kind: ExitKind) -> None:
    """Its runners' ends are the plugin's, and not its shard's."""
    strict = RestartPolicy(burst_limit=0)

    first = decide(policy=strict, loading="test.two", kind=kind)
    second = decide(first.history, strict, loading="test.two", kind=kind)

    assert (first.verdict, first.blocks) == (Verdict.RESTART, "")
    assert (second.verdict, second.blocks) == (Verdict.RESTART, "test.two")
    assert second.history.deaths == ()
    assert second.history.is_blocked(strict, "test.two")
    assert not second.history.is_blocked(strict, "test.one")


def test_a_runner_that_loads_a_blocked_plugin_is_not_excused() -> None:
    """Or it would come back for ever."""
    history = History(load_failures={"test.two": 2})

    assert decide(history, RestartPolicy(burst_limit=0), loading="test.two").verdict is Verdict.GIVE_UP


@pytest.mark.parametrize("code", [76, 78, 125])
def test_a_plugin_is_not_blocked_for_what_the_runner_says_of_itself(code: int) -> None:
    """The shard is given up, and what was being loaded by chance is not to blame."""
    decision = decide(policy=RestartPolicy(load_fail_limit=1), code=code, loading="test.one")

    assert (decision.verdict, decision.blocks) == (Verdict.GIVE_UP, "")


def test_a_plugin_is_not_blamed_for_what_the_host_did_not_like() -> None:
    """A broken protocol while loading is the runner's."""
    decision = decide(loading="test.two", kind=ExitKind.PROTOCOL)

    assert decision.history.load_failures == {}
    assert len(decision.history.deaths) == 1


def test_a_shard_without_a_plugin_left_is_given_up_and_begins_anew() -> None:
    """The attempt after the pause may load them all."""
    decision = decide(History(load_failures={"test.one": 2, "test.two": 1}), loading="test.two")

    assert decision.verdict is Verdict.GIVE_UP
    assert decision.history.load_failures == {}


# --- laws -----------------------------------------------------------------------------------------------------


policies = st.builds(
    lambda base, factor, spread, jitter, burst, sustained: RestartPolicy(
        backoff_base=base,
        backoff_factor=factor,
        backoff_max=base * spread,
        backoff_jitter=jitter,
        backoff_reset=2 * base * spread,
        burst_limit=burst,
        sustained_limit=sustained,
    ),
    st.floats(0.01, 10),
    st.floats(1, 10),
    st.floats(1, 100),
    st.floats(0, 1),
    st.integers(0, 8),
    st.integers(0, 30),
)
ends = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from([kind for kind in ExitKind if kind is not ExitKind.STOPPED]),
            "code": st.sampled_from([None, 0, 1, 70, 76]),
            "loading": st.sampled_from(["", *PLUGINS]),
            "lived": st.floats(0, 300),
        }
    ),
    max_size=60,
)


@pytest.mark.slow
@given(policies, ends, st.floats(0, 1))
def test_whatever_happens_the_limits_hold(
    policy: RestartPolicy, lives: list[dict[str, Any]], jitter: float
) -> None:
    """Every delay lies within its schedule, and no window ever holds more restarts than its limit allows."""
    now, history = 0.0, History()
    restarts: list[float] = []

    for life in lives:
        lived = life["lived"]
        now += lived
        told = report(
            **{name: value for name, value in life.items() if name != "lived"},
            ended_at=now,
            started_at=now - lived,
            ready_at=now - lived,
        )
        decision = decide_restart(policy, history, told, now, jitter)
        if decision.verdict is Verdict.RESTART:
            assert decision.delay is not None
            assert 0 <= decision.delay <= policy.backoff_max
            # Two may fall on one moment, and only the one that was counted is meant.
            if decision.history.deaths.count(now) > history.deaths.count(now):
                restarts.append(now)
        else:
            assert decision.verdict is Verdict.GIVE_UP
            assert decision.reason
            restarts.clear()
        in_burst = [moment for moment in restarts if moment > now - policy.burst_window]
        in_hour = [moment for moment in restarts if moment > now - policy.sustained_window]
        assert len(in_burst) <= policy.burst_limit
        assert len(in_hour) <= policy.sustained_limit
        now += decision.delay or 0.0
        history = decision.history


@given(st.integers(2, 200), st.floats(0, 1))
def test_a_delay_is_never_longer_than_its_schedule_nor_shorter_than_the_jitter_allows(
    failures: int, jitter: float
) -> None:
    """The law of the jitter."""
    whole = backoff(DEFAULT, failures, 0.0)

    assert whole * (1 - DEFAULT.backoff_jitter) <= backoff(DEFAULT, failures, jitter) <= whole


# --- policies -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"mode": "always"}, "mode is 'always', expected one of 'permanent'", id="an unknown mode"),
        pytest.param({"backoff_base": -1}, "backoff_base is -1, expected a number above 0", id="a negative time"),
        pytest.param({"backoff_jitter": 1.5}, "backoff_jitter is 1.5, expected", id="more jitter than delay"),
        pytest.param({"burst_limit": -1}, "burst_limit is -1", id="a negative limit"),
        pytest.param({"backoff_base": 40.0}, "backoff_max is 30, expected at least backoff_base", id="base above max"),
        pytest.param({"backoff_reset": 59.0}, "backoff_reset is 59, expected at least twice", id="reset below max"),
        pytest.param({"burst_window": 4000.0}, "sustained_window is 3600, expected", id="windows crossed"),
        pytest.param({"failed_retry": 4000.0}, "failed_retry_max is 3600, expected", id="retry above its maximum"),
        pytest.param({"load_fail_limit": 0}, "load_fail_limit is 0", id="no chance to load"),
    ],
)  # fmt: skip
def test_a_contradicting_policy_is_refused_with_its_reason(changes: dict[str, Any], message: str) -> None:
    """What was given and what was expected."""
    with pytest.raises(ValueError, match=message):
        RestartPolicy(**changes)


def test_values_are_frozen() -> None:
    """A policy and a history are values."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        DEFAULT.burst_limit = 3  # type: ignore[misc]
    with pytest.raises(TypeError):
        History(load_failures={"a.b": 1}).load_failures["a.b"] = 2  # type: ignore[index]


def test_a_full_disk_is_cleaned_up_by_somebody() -> None:
    """No restart makes room: the first one gives the shard up, and says what to do."""
    decision = decide(
        kind=ExitKind.OUT_OF_DISK, code=None, signal=9, reason="out of disk: 2 MB of 1 MB in /d"
    )

    assert (decision.verdict, decision.is_permanent) == (Verdict.GIVE_UP, True)
    assert decision.reason == (
        "out of disk: 2 MB of 1 MB in /d; remove what is not needed there or raise the limit in [shard.limits], then run"
        " `rookery start games`"
    )
