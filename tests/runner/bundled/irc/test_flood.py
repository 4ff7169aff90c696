"""Flood control, back-off and the watch for silence decide from the time that they are told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.runner.bundled.irc.flood import TokenBucket
from rookery.runner.bundled.irc.liveness import Liveness


def test_a_burst_goes_at_once_and_then_the_rate_holds() -> None:
    """Three lines go without a wait, the fourth waits for half a second."""
    bucket = TokenBucket(burst=3, rate=2)

    waits = []
    now = 100.0
    for _ in range(5):
        waits.append(bucket.delay(now))
        now += waits[-1]
        bucket.take(now)

    assert waits == [0.0, 0.0, 0.0, pytest.approx(0.5), pytest.approx(0.5)]


def test_a_rate_of_zero_means_no_limit() -> None:
    """Any number of lines goes at once."""
    bucket = TokenBucket(burst=1, rate=0)
    for _ in range(100):
        bucket.take(5.0)

    assert bucket.delay(5.0) == 0.0


@pytest.mark.slow
@given(st.lists(st.floats(0, 10), min_size=1, max_size=60))
def test_no_span_of_time_sees_more_lines_than_burst_and_rate_allow(pauses: list[float]) -> None:
    """For lines that wait as they are told, N lines take at least (N - burst) / rate seconds, from any line on."""
    bucket, now, times = TokenBucket(burst=4, rate=2), 0.0, []
    for pause in pauses:
        now += pause
        now += bucket.delay(now)
        bucket.take(now)
        times.append(now)

    for first in range(len(times)):
        for last in range(first, len(times)):
            assert times[last] - times[first] >= (last - first + 1 - 4) / 2 - 1e-6


def test_a_silent_server_is_asked_and_then_given_up() -> None:
    """After the interval a PING, after the patience the end; any line in between counts as life."""
    watch = Liveness(interval=60, patience=30)
    watch.heard(1000)

    assert not watch.should_ask(1059)
    assert watch.should_ask(1060)
    watch.asked(1060)
    assert not watch.should_ask(1080)
    assert watch.next_look() == 1090
    assert not watch.is_gone(1089)
    assert watch.is_gone(1090)
    watch.heard(1089.5)
    assert not watch.is_gone(1090)
    assert watch.next_look() == 1149.5
