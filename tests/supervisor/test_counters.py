"""Are the numbers right, in bounded memory?"""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.supervisor.counters import BUCKETS_A_DECADE, LARGEST, SMALLEST, Counters, Latencies

STEP = 10 ** (1 / BUCKETS_A_DECADE)


def test_without_values_there_is_no_percentile() -> None:
    """Nothing is not zero."""
    latencies = Latencies()

    assert latencies.percentile(50) is None
    assert (latencies.count, latencies.largest) == (0, 0.0)


@given(
    values=st.lists(st.floats(min_value=1e-5, max_value=1e3), min_size=1, max_size=50),
    percent=st.sampled_from([1.0, 50.0, 90.0, 99.0, 100.0]),
)
def test_a_percentile_is_right_to_a_bucket(values: list[float], percent: float) -> None:
    """Beside the exact one of the sorted values; it never exceeds the largest."""
    latencies = Latencies()
    for value in values:
        latencies.add(value)

    found = latencies.percentile(percent)

    exact = sorted(values)[max(0, math.ceil(len(values) * percent / 100 - 1e-9) - 1)]
    assert found is not None
    assert exact / STEP / (1 + 1e-9) <= found <= max(values)
    assert found <= exact * STEP * STEP


@pytest.mark.parametrize("value", [0.0, -1.0, 1e-9, 1e9])
def test_values_out_of_range_go_to_the_ends(value: float) -> None:
    """A clock that jumps must not end the host."""
    latencies = Latencies()

    latencies.add(value)

    found = latencies.percentile(50)
    assert found is not None
    assert found <= LARGEST * STEP * (1 + 1e-9)
    assert latencies.count == 1


def test_memory_is_bounded_by_the_buckets() -> None:
    """Whatever comes, for months."""
    latencies = Latencies()

    for number in range(20_000):
        latencies.add(SMALLEST * 1.002**number)

    decades = math.log10(LARGEST / SMALLEST)
    assert len(latencies._buckets) <= decades * BUCKETS_A_DECADE + 1
    assert latencies.count == 20_000


def test_every_shard_has_its_own_numbers() -> None:
    """They begin at 0 and are made when they are asked for."""
    counters = Counters()

    counters.of_shard("a").errors += 1

    assert counters.of_shard("a").errors == 1
    assert counters.of_shard("b").errors == 0
    assert sorted(counters.per_shard) == ["a", "b"]
