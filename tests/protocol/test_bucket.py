"""How often in the long run, and how often at once?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.protocol import Bucket


def test_a_burst_is_followed_by_the_rate() -> None:
    """What is refused takes nothing, and says how long to wait."""
    bucket = Bucket.full(rate=2.0, size=3, now=10.0)

    at_once = [bucket.take(10.0) for _ in range(4)]
    again = [bucket.take(10.4), bucket.take(10.5), bucket.take(10.5)]

    assert at_once == [0.0, 0.0, 0.0, 0.5]
    assert again == [pytest.approx(0.1), 0.0, pytest.approx(0.5)]


def test_what_was_done_without_leave_is_owed() -> None:
    """Until it has come back nothing more may be taken."""
    bucket = Bucket.full(rate=2.0, size=3, now=0.0)

    assert bucket.charge(3, 0.0) == 0.0
    assert bucket.charge(4, 0.0) == 2.0
    assert bucket.take(2.0) == 0.5
    assert bucket.take(2.5) == 0.0


def test_without_a_rate_there_is_no_limit() -> None:
    """As 0 means elsewhere."""
    bucket = Bucket.full(rate=0.0, size=0, now=0.0)

    assert (bucket.take(0.0), bucket.charge(1e9, 0.0)) == (0.0, 0.0)


def test_a_pause_saves_no_more_than_the_size() -> None:
    """However long it was."""
    bucket = Bucket.full(rate=2.0, size=2, now=0.0)

    assert [bucket.take(1e6) == 0.0 for _ in range(3)] == [True, True, False]


def test_much_is_taken_at_once_or_not_at_all() -> None:
    """And never more than it holds, however long nothing was taken."""
    bucket = Bucket.full(rate=10.0, size=100, now=0.0)

    assert bucket.take(1e6, 100) == 0.0
    assert bucket.wait(1e6, 5) == pytest.approx(0.5)
    assert bucket.take(1e6, 1) == pytest.approx(0.1)
    assert bucket.take(1e6 + 1, 10) == 0.0


def test_what_waits_as_it_is_told_goes_at_the_rate() -> None:
    """Three go without a wait, the fourth waits for half a second."""
    bucket = Bucket.full(rate=2, size=3, now=100.0)

    waits = []
    now = 100.0
    for _ in range(5):
        waits.append(bucket.wait(now))
        now += waits[-1]
        bucket.charge(1, now)

    assert waits == [0.0, 0.0, 0.0, pytest.approx(0.5), pytest.approx(0.5)]


def test_without_a_rate_nothing_waits() -> None:
    """Any number goes at once."""
    bucket = Bucket.full(rate=0, size=1, now=5.0)
    for _ in range(100):
        bucket.charge(1, 5.0)

    assert bucket.wait(5.0) == 0.0


@pytest.mark.slow
@given(st.lists(st.floats(0, 10), min_size=1, max_size=60))
def test_no_span_of_time_sees_more_than_burst_and_rate_allow(pauses: list[float]) -> None:
    """For those that wait as they are told, N take at least (N - burst) / rate seconds, from any line on."""
    bucket, now, times = Bucket.full(rate=2, size=4, now=0.0), 0.0, list[float]()
    for pause in pauses:
        now += pause
        now += bucket.wait(now)
        bucket.charge(1, now)
        times.append(now)

    for first in range(len(times)):
        for last in range(first, len(times)):
            assert times[last] - times[first] >= (last - first + 1 - 4) / 2 - 1e-6
