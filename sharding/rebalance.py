"""What has to move to get from one plan to another, and in which order?

Moves of one kind, out of one shard and into one other, belong together: whoever carries them out disturbs the two
shards once for all of them. The smallest such batch comes first. If one fails, or the operator stops half-way, as few
plugins as possible were disturbed for it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from .plan import ShardPlan


@attrs.frozen
class Move:
    """One plugin changes its shard."""

    plugin_id: str
    source: str | None
    """The shard it leaves; None for a plugin that the old plan did not place."""
    target: str | None
    """The shard it enters; None for a plugin that the new plan does not place."""
    reason: str = ""
    """Why it is in the target, as the new plan says."""


def plan_moves(old: ShardPlan, new: ShardPlan) -> tuple[Move, ...]:
    """The moves that turn one plan into another, no plugin twice and none that stays.

    Batches of the same source and target are kept together, the one with the fewest plugins first; among equals by
    the names of source and target, then by plugin id.
    """
    moves = []
    for plugin_id in sorted({*old.placements, *new.placements}):
        former, placement = old.placements.get(plugin_id), new.placements.get(plugin_id)
        source = former.shard if former else None
        target = placement.shard if placement else None
        if source != target:
            moves.append(Move(plugin_id, source, target, placement.reason if placement else ""))
    sizes = Counter((move.source, move.target) for move in moves)
    return tuple(
        sorted(
            moves,
            key=lambda move: (
                sizes[move.source, move.target],
                move.source or "",
                move.target or "",
                move.plugin_id,
            ),
        )
    )
