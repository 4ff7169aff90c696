"""What a runner may use, as a value."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from rookery.supervisor.child_limits import largest_file
from rookery.supervisor.limits import GIB, MIB, ShardLimits


def test_the_defaults_are_valid_and_in_bytes() -> None:
    """768 MiB to be replaced, twice that to be killed."""
    limits = ShardLimits()

    assert (limits.rss_soft, limits.rss_hard) == (768 * MIB, 1536 * MIB)
    assert (limits.nofile, limits.pids) == (1024, 256)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"rss_soft": -1}, id="negative memory"),
        pytest.param({"nofile": 2_000_000}, id="more descriptors than there are"),
        pytest.param({"max_age": -0.1}, id="a negative age"),
        pytest.param({"rss_soft": 2, "rss_hard": 1}, id="killed before it is asked"),
        pytest.param({"rss_soft": 2, "rss_hard": 2}, id="killed as it is asked"),
        pytest.param({"rss_hard": 5 * MIB, "memory": 9 * MIB}, id="two hard limits"),
        pytest.param({"rss_soft": 9 * MIB, "memory": 9 * MIB}, id="killed by another name as it is asked"),
        pytest.param({"files": -1}, id="fewer files than none"),
        pytest.param({"cpu_weight": 0}, id="no processor at all"),
        pytest.param({"cpu_weight": 10_001}, id="more weight than the kernel knows"),
    ],
)
def test_what_makes_no_sense_is_refused(values: dict[str, Any]) -> None:
    """By a message that names the field."""
    with pytest.raises(ValueError, match=next(iter(values))):
        ShardLimits(**values)


def test_memory_sets_the_others() -> None:
    """The hard limit to itself, the soft one to four fifths; a soft one of its own stays, and 0 switches it off."""
    limits = ShardLimits(memory=500 * MIB)
    own = ShardLimits(memory=500 * MIB, rss_soft=300 * MIB)
    only_hard = ShardLimits(memory=500 * MIB, rss_soft=0)

    assert (limits.rss_soft, limits.rss_hard) == (400 * MIB, 500 * MIB)
    assert (own.rss_soft, own.rss_hard) == (300 * MIB, 500 * MIB)
    assert (only_hard.rss_soft, only_hard.rss_hard) == (0, 500 * MIB)
    assert attrs.evolve(limits, pids=1).memory == 500 * MIB


@pytest.mark.parametrize("values", [{"rss_soft": 0}, {"rss_hard": 0}, {"nofile": 0, "pids": 0}])
def test_nothing_is_no_limit(values: dict[str, int]) -> None:
    """Each may be switched off, also without the other."""
    assert attrs_of(ShardLimits(**values), values) == values


def attrs_of(limits: ShardLimits, names: dict[str, int]) -> dict[str, int]:
    return {name: getattr(limits, name) for name in names}


@pytest.mark.parametrize(
    ("values", "largest"),
    [
        ({}, GIB),
        ({"disk": 5 * MIB}, 5 * MIB),
        ({"disk": 5 * MIB, "file_size": MIB}, MIB),
        ({"disk": 5 * MIB, "file_size": 0}, 5 * MIB),
        ({"file_size": 0}, 0),
    ],
)
def test_one_file_is_no_larger_than_all_of_them_may_be(values: dict[str, int], largest: int) -> None:
    """The kernel refuses what would only be found afterwards."""
    assert largest_file(ShardLimits(**values)) == largest
