"""What a shard's connection is held to, by its trust and by what its operator says."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.protocol import limits
from rookery.supervisor.bounds import CALLS_RATE, FRAMES_RATE, Bounds, bounds_of
from rookery.supervisor.limits import ShardLimits
from rookery.supervisor.settings import ShardSettings


def bounds(trust: str = "untrusted", **told: Any) -> Bounds:
    return bounds_of(ShardSettings(name="a", trust=trust, limits=ShardLimits(**told)))


def test_a_trusted_shard_is_read_as_fast_as_it_speaks() -> None:
    """Nothing of what costs time is there."""
    assert bounds("trusted") == Bounds(calls_burst=1.0)


def test_a_strangers_shard_is_bounded_in_everything() -> None:
    """Whatever its limits leave open."""
    found = bounds()

    assert found.max_frame_bytes == limits.UNTRUSTED_MAX_FRAME_BYTES
    assert found.max_containers == limits.UNTRUSTED_MAX_CONTAINERS
    assert found.max_unwritten == limits.UNTRUSTED_WRITE_BUFFER_BYTES
    assert (found.calls_rate, found.calls_burst) == (CALLS_RATE, 2 * CALLS_RATE)
    assert found.pace is not None
    assert found.pace.frames_rate == FRAMES_RATE
    assert min(found.pace.bytes_rate, found.pace.work_share, found.max_open, found.held_bytes) > 0
    assert found.pace.turn_bytes == limits.UNTRUSTED_TURN_BYTES


@pytest.mark.parametrize("trust", ["trusted", "untrusted"])
def test_an_operator_has_the_last_word_on_rates(trust: str) -> None:
    """Also that there is none."""
    chosen = bounds(trust, calls_rate=5.0, calls_burst=7.0, frames_rate=11.0)
    none = bounds(trust, calls_rate=0.0, frames_rate=0.0)

    assert chosen.pace is not None
    assert (chosen.calls_rate, chosen.calls_burst) == (5.0, 7.0)
    assert (chosen.pace.frames_rate, chosen.pace.frames_burst) == (11.0, 22.0)
    assert none.calls_rate == 0.0
    assert none.pace is None or none.pace.frames_rate == 0.0


def test_a_frame_of_the_largest_size_can_be_read_and_held() -> None:
    """A bound that no frame fits into would refuse for ever."""
    found = bounds()

    assert found.held_bytes >= found.max_frame_bytes
    assert found.max_unwritten >= found.max_frame_bytes
    assert found.pace is not None
    assert found.pace.bytes_burst >= found.max_frame_bytes
