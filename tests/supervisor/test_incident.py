"""When is it the machine, and no plugin?"""

from __future__ import annotations

import pytest

from rookery.supervisor.incident import BACKOFF, Death, find_incident, group_backoff

CASES = {
    "one of one": ([Death("a", 1)], 1, ""),
    "two of three": ([Death("a", 1), Death("b", 2)], 3, "ab"),
    "two of four are half and not more": ([Death("a", 1), Death("b", 2)], 4, ""),
    "one shard twice": ([Death("a", 1), Death("a", 2)], 2, ""),
    "two plugins that crash": ([Death("a", 1, True), Death("b", 2, True)], 2, ""),
    "three plugins that crash": ([Death(name, 1, True) for name in "abc"], 4, "abc"),
    "the first was long ago": ([Death("a", -20), Death("b", 2)], 2, ""),
}


@pytest.mark.parametrize(("deaths", "shards", "expected"), CASES.values(), ids=CASES)
def test_more_than_half_within_ten_seconds(deaths: list[Death], shards: int, expected: str) -> None:
    """4.5, and what tells two crashing plugins from a machine that is out of memory."""
    assert find_incident(deaths, shards, 5.0) == set(expected)


def test_all_wait_a_little_and_not_equally_long() -> None:
    """They must not come back at the same moment."""
    assert (group_backoff(0.0), group_backoff(1.0)) == BACKOFF
