"""Lists with a number: both ends keep the same ones, and never too many."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rookery.protocol import Groups
from rookery.protocol.groups import MAX_GROUPS, MAX_MEMBERS


def test_a_group_is_known_by_its_number() -> None:
    """With what was said of it the last time."""
    groups: Groups[str] = Groups()

    groups.add(7, 3, "three")
    groups.add(7, 4, "four")

    assert (7 in groups, groups.get(7), 8 in groups, groups.get(8)) == (True, "four", False, None)


def test_the_oldest_is_let_go_when_there_are_too_many() -> None:
    """And only that."""
    groups: Groups[int] = Groups()

    for number in range(MAX_GROUPS + 1):
        groups.add(number, 2, number)

    assert [number for number in range(MAX_GROUPS + 1) if number not in groups] == [0]


def test_the_latest_is_kept_however_large_it_is() -> None:
    """One that was let go at once would be sent in full each time."""
    groups: Groups[str] = Groups()

    groups.add(1, 2, "small")
    groups.add(2, MAX_MEMBERS + 1, "large")

    assert (1 in groups, 2 in groups) == (False, True)


@given(st.lists(st.tuples(st.integers(1, 200), st.integers(2, MAX_MEMBERS)), max_size=200))
def test_both_ends_know_the_same(sent: list[tuple[int, int]]) -> None:
    """One that only notes what it sends, and one that has the lists."""
    here: Groups[None] = Groups()
    there: Groups[str] = Groups()

    for number, members in sent:
        if number in here:
            assert there.get(number) == f"list {number}"
        else:
            here.add(number, members, None)
            there.add(number, members, f"list {number}")

    assert [number in here for number in range(201)] == [number in there for number in range(201)]
