"""A plan puts every plugin into one of its shards."""

from __future__ import annotations

import pytest

from rookery.sharding import Placement, ShardPlan


def _plan(**shard_of: str) -> ShardPlan:
    return ShardPlan(
        1, {name: Placement(name, shard) for name, shard in shard_of.items()}, tuple({*shard_of.values()})
    )


def test_a_plan_tells_both_ways() -> None:
    """From plugin to shard and from shard to plugins, by id."""
    plan = _plan(c="s1", a="s1", b="s2")

    assert plan.shard_of("a") == "s1"
    assert plan.plugins_of("s1") == ("a", "c")
    assert plan.plugins_of("s9") == ()
    assert list(plan.placements) == ["a", "b", "c"]
    assert plan.shards == ("s1", "s2")
    with pytest.raises(KeyError):
        plan.shard_of("d")


def test_a_plan_cannot_be_changed() -> None:
    """Whoever holds one may keep it."""
    plan = _plan(a="s1")

    with pytest.raises(TypeError):
        plan.placements["b"] = Placement("b", "s1")  # type: ignore[index]


def test_the_plan_before_the_first_places_nothing() -> None:
    """And has generation 0."""
    assert ShardPlan.empty() == ShardPlan(0, {}, ())


def test_a_placement_in_no_shard_of_the_plan_is_refused() -> None:
    """With the shards there are."""
    with pytest.raises(ValueError, match="a is in shard 's2', which is not one of the plan's: s1"):
        ShardPlan(1, {"a": Placement("a", "s2")}, ("s1",))


def test_a_placement_under_another_name_is_refused() -> None:
    """It would be found by one name and tell another."""
    with pytest.raises(ValueError, match="the placement of 'b' is kept under 'a'"):
        ShardPlan(1, {"a": Placement("b", "s1")}, ("s1",))


def test_a_negative_generation_is_refused() -> None:
    """They count from 0."""
    with pytest.raises(ValueError, match="generation"):
        ShardPlan(-1, {}, ())
