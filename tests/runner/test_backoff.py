"""How long does a gateway wait before its next attempt?"""

from __future__ import annotations

from rookery.runner.backoff import Backoff


def test_the_back_off_doubles_up_to_its_bound_and_spreads() -> None:
    """The wait lies between half of its full length and all of it, and never passes the longest."""
    backoff = Backoff(first=1.0, longest=10.0)

    assert [backoff.delay(failures, 1.0) for failures in (1, 2, 3, 4, 5, 10_000)] == [1, 2, 4, 8, 10, 10]
    assert backoff.delay(3, 0.0) == 2.0
    assert Backoff(1.0, 60.0).delay(1, 0.0) == 0.5
