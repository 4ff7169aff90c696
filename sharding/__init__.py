"""Decides which plugin sits in which shard; nothing here has an effect.

request: candidates, seats and the policy · hashing: stable key to shard · weights: what a plugin costs · graph: parts
and paths of names · affinity: must-share and must-not-share · contradiction: wishes that exclude each other · names:
shards that a policy makes · seating: who gives way to whom · placement: the policies, and what each promises ·
reasons: why, for the operator · plan: plugin to shard, by generation · rebalance: two plans to ordered moves.
"""

from __future__ import annotations

from .contradiction import Contradiction, PlacementError
from .graph import sort_after
from .placement import place
from .plan import Placement, ShardPlan
from .rebalance import Move, plan_moves
from .request import Candidate, PlacementRequest, Policy, Seat

__all__ = [
    "Candidate",
    "Contradiction",
    "Move",
    "Placement",
    "PlacementError",
    "PlacementRequest",
    "Policy",
    "Seat",
    "ShardPlan",
    "place",
    "plan_moves",
    "sort_after",
]
