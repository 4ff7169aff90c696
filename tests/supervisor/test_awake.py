"""For how much of the time does a host count as awake?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rookery.supervisor.awake import AwakeClock


def clock() -> AwakeClock:
    return AwakeClock(1.0, 0.5, 100.0)


def test_looks_in_time_count_as_they_are() -> None:
    """A small lag is time like any other: it must not slow the clock down for ever."""
    awake = clock()

    assert [awake.tick(101.2), awake.tick(102.4), awake.tick(103.4)] == [
        101.2 - 100,
        102.4 - 100,
        103.4 - 100,
    ]


def test_a_host_that_stood_still_counts_one_period() -> None:
    """C13: five seconds, or twenty in a terminal's background, are nobody's silence."""
    awake = clock()

    assert awake.tick(120.0) == 1.0
    assert (awake.lag, awake.largest_lag) == (19.0, 19.0)
    assert awake.tick(121.0) == 2.0
    assert (awake.lag, awake.largest_lag) == (0.0, 19.0)


def test_a_clock_that_goes_back_is_not_followed() -> None:
    """It should not, and nothing must become older by it."""
    awake = clock()

    assert awake.tick(90.0) == 0.0


@given(st.lists(st.floats(0.0, 1000.0), max_size=50))
def test_awake_time_never_exceeds_the_looks(steps: list[float]) -> None:
    """At most a period and the guard for each look, whatever the host goes through."""
    awake, now = clock(), 100.0
    for count, step in enumerate(steps, 1):
        now += step
        before = awake.awake
        assert before <= awake.tick(now) <= before + 1.5 + 1e-6
        assert awake.awake <= 1.5 * count + 1e-6
