"""Who follows whom, and how often?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.supervisor.strategy import (
    GroupSettings,
    Strategy,
    followers,
    may_restart_group,
    predecessors,
)

ORDER = ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (Strategy.ONE_FOR_ONE, ()),
        (Strategy.REST_FOR_ONE, ("d", "c")),
        (Strategy.ONE_FOR_ALL, ("d", "c", "a")),
    ],
)
def test_the_last_to_start_is_the_first_to_stop(strategy: Strategy, expected: tuple[str, ...]) -> None:
    """The one that failed is not among them: it has ended."""
    assert followers(strategy, ORDER, "b") == expected


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=2), unique=True, min_size=1), st.data())
def test_rest_for_one_is_exactly_the_later_ones(order: list[str], data: st.DataObject) -> None:
    """And one_for_all everybody else, and predecessors exactly the earlier ones."""
    failed = data.draw(st.sampled_from(order))
    index = order.index(failed)
    settings = GroupSettings(strategy=Strategy.REST_FOR_ONE)

    assert set(followers(Strategy.REST_FOR_ONE, order, failed)) == set(order[index + 1 :])
    assert set(followers(Strategy.ONE_FOR_ALL, order, failed)) == set(order) - {failed}
    assert predecessors(settings, order, failed) == tuple(order[:index])
    assert predecessors(GroupSettings(), order, failed) == ()


def test_a_stranger_has_no_followers() -> None:
    """A shard of another group."""
    assert followers(Strategy.ONE_FOR_ALL, ORDER, "x") == ()


@given(st.lists(st.floats(0.0, 400.0), max_size=30), st.integers(0, 5))
def test_a_group_is_restarted_only_so_often_within_its_window(steps: list[float], limit: int) -> None:
    """In no window of 300 s more than the limit."""
    settings = GroupSettings(restart_limit=limit)
    counted: tuple[float, ...] = ()
    allowed: list[float] = []
    now = 0.0
    for step in steps:
        now += step
        may, counted = may_restart_group(settings, counted, now)
        if may:
            allowed.append(now)
        assert sum(moment > now - settings.restart_window for moment in allowed) <= limit
