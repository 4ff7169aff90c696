"""Which wishes of a placement cannot be met together, and whose are they?

Everything here is found before a seat is chosen. That no seat is left for a group shows only while seating.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from rookery.protocol import RookeryError

from .affinity import describe_chain
from .request import Candidate, Policy, Seat
from .weights import exact, weigh

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .affinity import Group, Separation, Tie


@attrs.frozen(order=True)
class Contradiction:
    """Two wishes that exclude each other."""

    first: str
    """The plugin with the one wish."""
    second: str
    """The plugin with the other; a shard's name where the quarrel is with a shard, "" where it is with the policy."""
    why: str
    """A sentence with both names, and what to change."""


class PlacementError(RookeryError):
    """No plan meets all wishes; the configuration has to change.

    Attributes:
        contradictions: All that were found, in the order of the plugins' ids; never empty.
    """

    def __init__(self, contradictions: Iterable[Contradiction]) -> None:
        self.contradictions = tuple(sorted(set(contradictions)))
        lines = [found.why for found in self.contradictions]
        super().__init__(
            lines[0] if len(lines) == 1 else "\n  - ".join(["no plan meets these wishes:", *lines])
        )


def find_duplicates(candidates: Iterable[Candidate]) -> dict[str, Contradiction]:
    """Ids that more than one candidate has."""
    seen: set[str] = set()
    found = {}
    for plugin_id in (candidate.plugin_id for candidate in candidates):
        if plugin_id in seen:
            why = f"{plugin_id} is given twice: install one copy, or give the other an id of its own"
            found[plugin_id] = Contradiction(plugin_id, plugin_id, why)
        seen.add(plugin_id)
    return found


def contradictions_in(
    group: Group, seats: Mapping[str, Seat], separations: Iterable[Separation]
) -> list[Contradiction]:
    """Why the members of a group cannot share a shard, or not the one that is named for them.

    Args:
        seats: Those of the configuration, by name.
        separations: The wishes of the group's members.
    """
    return [
        *_two_shards(group),
        *_two_trust_levels(group),
        *_separate_but_tied(group, separations),
        *(found for member in group.named for found in _unfit_seat(member, seats)),
        *_dragged_along(group, seats),
    ]


def contradictions_on(
    seat: Seat, groups: Sequence[Group], separations: Iterable[Separation]
) -> Iterator[Contradiction]:
    """Why groups that are named for the same seat cannot share it."""
    group_of = {plugin_id: group for group in groups for plugin_id in group.ids}
    for wish in separations:
        here, there = group_of.get(wish.plugin_id), group_of.get(wish.avoided)
        if here and there and here is not there:
            why = f'{wish}, but both are named for shard "{seat.name}", or tied to plugins that are: name another shard'
            yield Contradiction(wish.plugin_id, wish.avoided, why)
    members = sorted(
        (member for group in groups for member in group.members), key=lambda m: (-m.weight, m.plugin_id)
    )
    if seat.capacity is not None and weigh(members) > exact(seat.capacity):
        first, second = members[0].plugin_id, members[1].plugin_id if len(members) > 1 else seat.name
        listed = ", ".join(f"{member.plugin_id} ({member.weight:g})" for member in members)
        why = (
            f'shard "{seat.name}" has a capacity of {seat.capacity:g}, but what is named for it weighs '
            f"{float(weigh(members)):g}: {listed}; raise the capacity or name another shard for one of them"
        )
        yield Contradiction(first, second, why)


def unnamed(group: Group) -> Contradiction:
    """For a group that nobody named a shard for, where only that counts."""
    why = f"policy {Policy.EXPLICIT.value} needs a named shard for {group.head}: name one, or choose another policy"
    return Contradiction(group.head, "", why)


def shut_out(group: Group, policy: Policy) -> Contradiction:
    """For a group of a trust level that no open shard is for."""
    why = (
        f"no shard is open to {group.trust} plugins, so policy {policy.value} finds none for {group.head}: "
        f"add a shard of that trust level, or name one for it"
    )
    return Contradiction(group.head, "", why)


def no_seat_left(
    group: Group, seats: Iterable[Seat], separations: Iterable[Separation]
) -> list[Contradiction]:
    """For a group that cannot have any of the seats that are open to it; one for each plugin it is apart from."""
    shards = ", ".join(
        f'"{seat.name}"' if seat.capacity is None else f'"{seat.name}" (up to {seat.capacity:g})'
        for seat in sorted(seats, key=lambda seat: seat.name)
    )
    members = {*group.ids}
    wishes = [wish for wish in separations if wish.plugin_id in members or wish.avoided in members]
    if not wishes:
        why = (
            f"no shard has room for {group.head}, which weighs {float(group.weight):g} with what is tied to it; "
            f"there are: {shards}. Raise a capacity or add a shard"
        )
        return [Contradiction(group.head, "", why)]
    return [
        Contradiction(
            wish.plugin_id,
            wish.avoided,
            f"{wish}, but with all that must be apart no shard was found for {group.head}; there are: {shards}. "
            f"Add a shard, or take a separate_from back",
        )
        for wish in wishes
    ]


def _way_out(chain: Sequence[Tie]) -> str:
    if all(tie.is_dependency for tie in chain):
        return "set keep_dependencies_together = false to let them part"
    return "take together_with back to let them part"


def _two_shards(group: Group) -> Iterator[Contradiction]:
    # Each member belongs to the nearest that is named. Where a tie joins the members of two, these two are told: at
    # most one pair a tie, and at least one if two shards are named at all. All pairs would be millions in a large group.
    shard_of = {member.plugin_id: member.shard for member in group.named}
    if len({*shard_of.values()}) < 2:
        return
    routes = group.routes_to(shard_of)
    chains: dict[tuple[str, str], list[Tie]] = {}
    for tie in group.ties:
        here, there = sorted((tie.follower, tie.followed), key=routes.goal_of.__getitem__)
        start, end = routes.goal_of[here], routes.goal_of[there]
        if shard_of[start] != shard_of[end]:
            chain = [*reversed([*routes.chain_from(here)]), tie, *routes.chain_from(there)]
            chains[start, end] = min(chains.get((start, end), chain), chain, key=len)
    for (start, end), chain in chains.items():
        why = (
            f'{start} is named for shard "{shard_of[start]}" and {end} for shard "{shard_of[end]}", but '
            f"{describe_chain(chain)}: name one shard for both, or {_way_out(chain)}"
        )
        yield Contradiction(start, end, why)


def _two_trust_levels(group: Group) -> Iterator[Contradiction]:
    trust_of = {member.plugin_id: member.trust for member in group.members}
    for tie in group.ties:
        mine, other = trust_of[tie.follower], trust_of[tie.followed]
        if mine != other:
            why = (
                f"{tie.follower} is {mine} and {tie.followed} is {other}, which never share a shard, but {tie}: "
                f"give both the same trust, or {_way_out([tie])}"
            )
            yield Contradiction(tie.follower, tie.followed, why)


def _separate_but_tied(group: Group, separations: Iterable[Separation]) -> Iterator[Contradiction]:
    members = frozenset(group.ids)
    for wish in separations:
        if wish.plugin_id == wish.avoided:
            why = f"{wish.plugin_id} is to be separate from itself: take it out of its separate_from"
            yield Contradiction(wish.plugin_id, wish.avoided, why)
        elif wish.avoided in members:
            chain = [*group.routes_to([wish.avoided]).chain_from(wish.plugin_id)]
            why = f"{wish}, but {describe_chain(chain)}: take separate_from back, or {_way_out(chain)}"
            yield Contradiction(wish.plugin_id, wish.avoided, why)


def _unfit_seat(member: Candidate, seats: Mapping[str, Seat]) -> Iterator[Contradiction]:
    shard = member.shard or ""
    seat = seats.get(shard)
    if seat is None:
        known = ", ".join(sorted(seats)) or "none"
        why = f'{member.plugin_id} is named for shard "{shard}", which does not exist; there are: {known}'
        yield Contradiction(member.plugin_id, shard, why)
    elif seat.trust != member.trust:
        why = (
            f'{member.plugin_id} is {member.trust}, but shard "{shard}", which is named for it, is for {seat.trust} '
            f"plugins only: name a shard of its own trust level"
        )
        yield Contradiction(member.plugin_id, shard, why)


def _dragged_along(group: Group, seats: Mapping[str, Seat]) -> Iterator[Contradiction]:
    """Ties may not bring a plugin to a shard that takes only what names it."""
    shard_of = {
        member.plugin_id: member.shard
        for member in group.named
        if (seat := seats.get(member.shard or "")) and seat.explicit_only
    }
    routes = group.routes_to(shard_of)
    for member in group.members if shard_of else ():
        if member.shard is None:
            end, chain = routes.goal_of[member.plugin_id], [*routes.chain_from(member.plugin_id)]
            why = (
                f'{describe_chain(chain)}, but shard "{shard_of[end]}" of {end} takes only plugins that name it: '
                f"name it for {member.plugin_id} too, or {_way_out(chain)}"
            )
            yield Contradiction(member.plugin_id, end, why)
