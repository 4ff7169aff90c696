"""After how long a shard is given up, worked out from its policy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.supervisor.give_up import find_endless, is_given_up, simulate_give_up
from rookery.supervisor.restart import RestartPolicy

DEFAULT = RestartPolicy()


@pytest.mark.parametrize(
    ("ready_for", "seconds", "restarts"),
    [
        pytest.param(0.0, 4.0, 5, id="it cannot live"),
        pytest.param(10.0, 64.0, 5, id="it dies of its first work"),
        pytest.param(15.0, 613.0, 20, id="slowly enough for the short window"),
        pytest.param(170.0, 3574.2, 20, id="just too often within an hour"),
    ],
)
def test_the_defaults_give_up_after_a_time(ready_for: float, seconds: float, restarts: int) -> None:
    """The short window catches what cannot live, the long one what dies again and again."""
    found = simulate_give_up(DEFAULT, ready_for)

    assert found is not None
    assert (round(found.seconds, 1), found.restarts) == (seconds, restarts)


def test_what_works_for_minutes_is_never_given_up() -> None:
    """Four hundred restarts a day are seen in the log, and better than no shard."""
    assert simulate_give_up(DEFAULT, 200.0) is None
    assert find_endless(DEFAULT) == 200.0


def test_a_policy_without_end_is_found_out() -> None:
    """Soon: nobody waits for a million restarts."""
    policy = RestartPolicy(burst_limit=10**6, sustained_limit=10**6)

    assert simulate_give_up(policy, 0.0) is None
    assert find_endless(policy) == 1.0


def test_a_window_as_long_as_a_life_gives_every_one_up() -> None:
    """So there is no life that is long enough, of those that are tried."""
    assert find_endless(RestartPolicy(sustained_limit=0, sustained_window=10**7)) is None


def test_one_that_is_never_started_again_is_not_given_up() -> None:
    """It stays stopped."""
    assert not is_given_up(RestartPolicy(mode="temporary"))
    assert is_given_up(RestartPolicy(mode="transient"))


@pytest.mark.slow
@given(st.integers(0, 30), st.integers(0, 30), st.floats(0, 1000))
def test_no_limit_is_passed(burst: int, sustained: int, ready_for: float) -> None:
    """There are never more restarts than the larger limit allows, when they come within its window."""
    policy = RestartPolicy(burst_limit=burst, sustained_limit=sustained)

    found = simulate_give_up(policy, ready_for)

    assert found is None or found.restarts >= min(burst, sustained)
    assert found is None or found.seconds > 3600 or found.restarts <= max(burst, sustained)
