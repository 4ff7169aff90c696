"""What is the operator told about a plugin's shard?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .affinity import describe_chain
from .request import Candidate, Policy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .affinity import Group, Routes
    from .plan import ShardPlan
    from .seating import Seating


def explain(member: Candidate, routes: Routes, *, choice: str, previous: ShardPlan | None, shard: str) -> str:
    """The sentence for one member, given the ways to those who lead its group, and the sentence for the head."""
    leader = routes.goal_of[member.plugin_id]
    if member.shard is not None:
        sentence = "The configuration names this shard for it."
    elif member.plugin_id == leader:
        sentence = choice
    else:
        sentence = f"Shares the shard of {leader}: {describe_chain(routes.chain_from(member.plugin_id))}."
    former = previous.placements.get(member.plugin_id) if previous else None
    if former is not None and former.shard != shard:
        return f'Moved from "{former.shard}". {sentence}'
    return sentence


def explain_own(group: Group) -> str:
    """For a shard that was made for one group."""
    return "Isolated in a shard of its own" + (" with what is tied to it." if len(group.members) > 1 else ".")


def explain_kept(group: Group, previous: ShardPlan) -> str:
    """For a group that sits again where most of it sat in the previous plan."""
    if group.head in previous.placements:
        return f"Stays where plan {previous.generation} put it."
    return f"Joins those that are tied to it where plan {previous.generation} put them."


def explain_chosen(
    group: Group, policy: Policy, ranking: Sequence[str], seating: Seating, *, is_by_load: bool
) -> str:
    """For a shard that was chosen among the open ones.

    Args:
        ranking: The open seats, the one that the group's anchor likes best first.
        is_by_load: Whether the least loaded seat was looked for instead.
    """
    manner = {Policy.PACK: "Packed by weight", Policy.SPREAD: "Spread"}.get(
        policy, "Spread within its trust level"
    )
    if len(ranking) == 1:
        return f"{manner}: the only shard open to {group.trust} plugins."
    if is_by_load:
        return f"{manner}: the least loaded of {len(ranking)} shards that were free for it."
    key = "its id" if group.anchor == group.head else f"the id of {group.anchor}, which it waits for"
    sentence = f"{manner} over {len(ranking)} shards by {key}"
    if seating.shard_of[group.head] == ranking[0]:
        return f"{sentence}."
    return f'{sentence}; "{ranking[0]}" came first but {_obstacle(group, ranking[0], seating)}.'


def _obstacle(group: Group, shard: str, seating: Seating) -> str:
    for other in sorted(seating.avoidance.avoids[group.head]):
        if seating.shard_of.get(other) == shard:
            return f"holds {other}, from which it is separate"
    if not seating.loads.has_room(shard, group.weight):
        return f"has no room for its weight of {float(group.weight):g}"
    return "was given up to make an arrangement possible"
