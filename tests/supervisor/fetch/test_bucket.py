"""How often in the long run, and how often at once?"""

from __future__ import annotations

import pytest

from rookery.supervisor.fetch.bucket import Bucket


def test_a_burst_is_followed_by_the_rate() -> None:
    """What is refused takes nothing, and says how long to wait."""
    bucket = Bucket.full(rate=2.0, size=3, now=10.0)

    at_once = [bucket.take(10.0) for _ in range(4)]
    again = [bucket.take(10.4), bucket.take(10.5), bucket.take(10.5)]

    assert at_once == [0.0, 0.0, 0.0, 0.5]
    assert again == [pytest.approx(0.1), 0.0, pytest.approx(0.5)]


def test_a_pause_saves_no_more_than_the_size() -> None:
    """However long it was."""
    bucket = Bucket.full(rate=2.0, size=2, now=0.0)

    assert [bucket.take(1e6) == 0.0 for _ in range(3)] == [True, True, False]
