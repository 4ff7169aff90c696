"""Who follows whom, and how often?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.supervisor.strategy import (
    GroupSettings,
    Strategy,
    followers,
    predecessors,
    start_order,
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


@given(st.dictionaries(st.text("abcdefgh", min_size=1, max_size=2), st.none() | st.integers(0, 9)))
def test_numbers_come_first_and_the_rest_keeps_its_order(places: dict[str, int | None]) -> None:
    """Everybody is in it once; equal numbers, which no file may have, keep the order of the file."""
    order = start_order(places)
    numbers = [places[name] for name in order]
    numbered = [number for number in numbers if number is not None]

    assert sorted(order) == sorted(places)
    assert numbers == [*sorted(numbered), *[None] * (len(numbers) - len(numbered))]
    assert [name for name in order if places[name] is None] == [
        name for name in places if places[name] is None
    ]
