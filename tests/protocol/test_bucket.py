"""How often in the long run, and how often at once?"""

from __future__ import annotations

import pytest

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
