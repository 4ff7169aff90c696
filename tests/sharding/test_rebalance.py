"""Two plans make the moves that turn one into the other, the smallest disturbance first."""

from __future__ import annotations

from rookery.sharding import Move, Placement, ShardPlan, plan_moves


def _plan(generation: int, **shard_of: str) -> ShardPlan:
    placements = {name: Placement(name, shard, f"to {shard}.") for name, shard in shard_of.items()}
    return ShardPlan(generation, placements, ("s1", "s2", "s3"))


def test_a_plugin_that_stays_does_not_move() -> None:
    """Two plans that agree need nothing."""
    assert plan_moves(_plan(1, a="s1", b="s2"), _plan(2, a="s1", b="s2")) == ()


def test_comings_and_goings_are_moves_with_one_end() -> None:
    """None stands for nowhere."""
    moves = plan_moves(_plan(1, a="s1"), _plan(2, b="s2"))

    assert moves == (Move("b", None, "s2", "to s2."), Move("a", "s1", None, ""))


def test_small_batches_come_first() -> None:
    """And those of one source and target stay together, by id."""
    old = _plan(1, a="s1", b="s1", c="s1", d="s2", e="s1")
    new = _plan(2, a="s2", b="s3", c="s2", d="s3", e="s2")

    moves = plan_moves(old, new)

    assert [(move.plugin_id, move.source, move.target) for move in moves] == [
        ("b", "s1", "s3"),
        ("d", "s2", "s3"),
        ("a", "s1", "s2"),
        ("c", "s1", "s2"),
        ("e", "s1", "s2"),
    ]
