"""The faults of a soak test follow from its seed, and the time that each may take from the shard's own policy."""

from __future__ import annotations

from itertools import islice, pairwise
from random import Random

import pytest

from rookery.supervisor.fate import Fate
from rookery.supervisor.health import HealthPolicy
from rookery.supervisor.settings import ShardSettings
from rookery.supervisor.soak_plan import Expect, Fault, FaultKind, excused_by, plan_faults, time_allowed


def plan(seed: int, count: int, shards: tuple[str, ...] = ("a", "b", "c")) -> list[Fault]:
    return list(islice(plan_faults(FaultKind, shards, Random(seed)), count))


def test_one_seed_gives_one_order() -> None:
    """Two runs can be compared; another seed is another run."""
    assert plan(7, 100) == plan(7, 100)
    assert plan(7, 100) != plan(8, 100)


@pytest.mark.parametrize("seed", range(10))
def test_every_kind_comes_once_in_a_round(seed: int) -> None:
    """A short run sees as many kinds as it has faults."""
    kinds = [fault.kind for fault in plan(seed, 3 * len(FaultKind))]

    for start in range(0, len(kinds), len(FaultKind)):
        assert set(kinds[start : start + len(FaultKind)]) == set(FaultKind)


@pytest.mark.parametrize("seed", range(10))
def test_no_shard_is_hurt_twice_in_a_row(seed: int) -> None:
    """The one before has time to heal; and each has its turn."""
    shards = [fault.shard for fault in plan(seed, 60)]

    assert all(before != after for before, after in pairwise(shards))
    assert set(shards) == {"a", "b", "c"}


def test_the_only_shard_is_hurt_all_the_time() -> None:
    """There is no other."""
    assert {fault.shard for fault in plan(1, 10, ("only",))} == {"only"}


@pytest.mark.parametrize("kind", FaultKind)
def test_only_what_ends_a_runner_excuses_a_lost_call(kind: FaultKind) -> None:
    """A restart, a reload, a flood: nobody may notice."""
    loses = kind.expect in (Expect.REPLACED, Expect.RECOVERED)

    assert (Fate.RUNNER_LOST in excused_by(kind)) is loses
    assert Fate.HANDLER_ERROR not in excused_by(kind)
    assert Fate.OVERLOADED not in excused_by(kind)


def test_a_hang_may_take_as_long_as_the_policy_waits() -> None:
    """And a death, which is seen at once, may not."""
    patient = ShardSettings(name="a", health=HealthPolicy(hang_timeout=100.0))
    quick = ShardSettings(name="a", health=HealthPolicy(hang_timeout=10.0, stopped_timeout=5.0))

    assert time_allowed(patient, FaultKind.BLOCK) - time_allowed(quick, FaultKind.BLOCK) == 90.0
    assert time_allowed(patient, FaultKind.KILL) == time_allowed(quick, FaultKind.KILL)
    assert time_allowed(quick, None) >= max(time_allowed(quick, kind) for kind in FaultKind)
