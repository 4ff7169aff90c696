"""How many calls may be made again?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rookery.supervisor.retries import LEAST, MOST, SHARE, RetryBudget


def test_a_few_retries_are_there_without_any_traffic() -> None:
    """A bot that hears one message an hour may repeat it."""
    budget = RetryBudget()

    assert [budget.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert not budget.take(19.0)
    assert budget.take(40.0)


@given(st.lists(st.sampled_from(["call", "retry", "wait"]), max_size=400))
def test_retries_stay_a_fifth_of_the_traffic(steps: list[str]) -> None:
    """Whatever the order: what is taken was earned, was there from the start, or came with time."""
    budget, calls, taken, now = RetryBudget(), 0, 0, 0.0
    for step in steps:
        if step == "call":
            budget.earn()
            calls += 1
        elif step == "wait":
            now += 1.0
        else:
            taken += budget.take(now)
        assert taken <= LEAST + SHARE * calls + now * LEAST / 60.0 + 1e-6
        assert budget.left <= MOST + SHARE
