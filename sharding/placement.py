"""Which shard does each plugin go to, under which policy?

What adding a plugin does to the others
---------------------------------------
A plan that knows no earlier plan (`previous=None`) is a function of the request alone. Then the place of a plugin that
never moves for a newcomer cannot depend on the others at all: take the others away one by one, nothing may move, and
it sits where it would sit alone. So a plan without history can keep plugins in place or keep shards even, not both.
This one keeps them in place: each group draws its shard by rendezvous hashing, in proportion to the shards' capacities
under `pack`, to one under `spread` and `trust`.

    Without `previous`: adding a plugin that no other names moves no other, unless the newcomer itself
      1. is tied to two groups, which then have to meet,
      2. brings to the group it joins a named shard, or a separation: from what shares the group's shard, or from what
         gave way to the group and now is on equal terms with it,
      3. leaves no way to seat all groups that avoid each other without revising an earlier choice, or brings a
         separation to a group among those where that was so already, or
      4. competes for a shard whose capacity does not suffice for all that would draw it.
    A plugin that others already name in `depends_on` or `together_with` usually finds them waiting where it goes; one
    that others are separate from may make those give way. Taking the newcomer away again undoes exactly what it did.

    The price: shards get as many plugins as the dice say. Of 40 plugins on 4 shards one gets 10 +- 3, and of 8 plugins
    on 4 shards, one shard stays empty in more than a third of all cases. Weights count only against capacities.

A plan that continues an earlier one keeps in place what may stay, and puts the rest on the least loaded shard, by
weight under `pack`, by number under `spread` and `trust`, the heaviest first. `ShardPlan.empty()` is the earlier plan
of a first one.

    With `previous`: no plugin moves that may stay. Only cases 1 to 3 move one, or that its shard is gone, is for others
    now or got too small. Shards are as even as they can be made without moving anything.

    The price: the plan depends on history, so two hosts agree only if they share it.

Under `explicit` and `isolate` capacity and history play no part, and only 1 and 2 can move a plugin.
Whatever moved a plugin is told in its reason, and `rebalance` lists the moves.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING

from .affinity import Group, Separation, find_separations, gather_groups
from .contradiction import (
    Contradiction,
    PlacementError,
    contradictions_in,
    contradictions_on,
    find_duplicates,
    no_seat_left,
    shut_out,
    unnamed,
)
from .hashing import rank
from .names import name_shard
from .plan import Placement, ShardPlan
from .reasons import explain, explain_chosen, explain_kept, explain_own
from .request import PlacementRequest, Policy, Seat
from .seating import Avoidance, Seating
from .weights import Loads, exact, shares_of

if TYPE_CHECKING:
    from collections.abc import Sequence


def place(
    request: PlacementRequest, generation: int | None = None, *, previous: ShardPlan | None = None
) -> ShardPlan:
    """Put every candidate into one shard.

    The plan is the same for the same request in any order, in every process and on every machine.

    Args:
        request: The candidates with their wishes, the seats, and the policy for what is left open.
        generation: The new plan's number; None is the one after `previous`, or 1.
        previous: The plan to continue; None makes one from the request alone. The module says what each promises.

    Raises:
        PlacementError: Wishes exclude each other. All that do are named; there is no partial plan.
    """
    former = previous.generation if previous else 0
    generation = former + 1 if generation is None else generation
    if previous is not None and generation <= former:
        raise ValueError(f"generation {generation} does not follow that of the previous plan, {former}")
    duplicates = find_duplicates(request.candidates)
    unique = [candidate for candidate in request.candidates if candidate.plugin_id not in duplicates]
    groups = gather_groups(unique, keep_dependencies_together=request.keep_dependencies_together)
    separations = find_separations(unique)
    wishes_of: dict[str, list[Separation]] = {candidate.plugin_id: [] for candidate in unique}
    for wish in separations:
        wishes_of[wish.plugin_id].append(wish)
    seats = {seat.name: seat for seat in request.seats}
    contradictions = list(duplicates.values())
    sound = []
    for group in groups:
        wishes = [wish for plugin_id in group.ids for wish in wishes_of[plugin_id]]
        found = contradictions_in(group, seats, wishes)
        contradictions += found
        if not found:
            sound.append(group)
    # Sound groups are seated even when others are not, so that everything that is wrong comes out at once.
    placing = _Placing(request, separations, previous, sound)
    contradictions += placing.seat_all()
    if contradictions:
        raise PlacementError(contradictions)
    return placing.to_plan(generation)


def _make_seats(request: PlacementRequest, groups: Sequence[Group]) -> dict[str, Seat]:
    """The seats that the policy makes, by the head of the group or by the trust level they are for."""
    taken = {seat.name for seat in request.seats}
    made: dict[str, Seat] = {}
    origins: dict[str, str] = {}
    free = [group for group in groups if not group.named]
    if request.policy is Policy.ISOLATE:
        origins = {group.head: group.trust for group in free}
    elif request.policy is Policy.TRUST:
        served = {seat.trust for seat in request.seats if not seat.explicit_only}
        origins = {trust: trust for trust in sorted({group.trust for group in free} - served)}
    for origin, trust in origins.items():
        seat = Seat(name_shard(origin, taken), trust)
        taken.add(seat.name)
        made[origin] = seat
    return made


class _Placing:
    """One plan in the making: seats for the groups whose own wishes agree."""

    def __init__(
        self,
        request: PlacementRequest,
        separations: Sequence[Separation],
        previous: ShardPlan | None,
        groups: Sequence[Group],
    ) -> None:
        self._policy = request.policy
        self._separations = separations
        self._previous = previous
        self._groups = groups
        self._made = _make_seats(request, groups)
        self._seats = {seat.name: seat for seat in (*request.seats, *self._made.values())}
        self._seating = Seating(Loads(self._seats), Avoidance.between(groups, separations))
        self._shares = {trust: self._shares_of_level(trust) for trust in {group.trust for group in groups}}
        self._exact_shares = {
            trust: {shard: exact(share) for shard, share in shares.items()}
            for trust, shares in self._shares.items()
        }
        self._rankings: dict[str, tuple[str, ...]] = {}

    def seat_all(self) -> list[Contradiction]:
        contradictions = self._seat_named()
        free = [group for group in self._groups if not group.named]
        match self._policy:
            case Policy.EXPLICIT:
                contradictions += [unnamed(group) for group in free]
            case Policy.ISOLATE:
                for group in free:
                    self._seating.put(group, self._made[group.head].name)
            case Policy.PACK | Policy.SPREAD | Policy.TRUST:
                contradictions += self._seat_free(free)
        return contradictions

    def _seat_named(self) -> list[Contradiction]:
        members: dict[str, list[Group]] = {}
        for group in self._groups:
            if group.named:
                shard = group.named[0].shard or ""
                members.setdefault(shard, []).append(group)
                self._seating.put(group, shard)
        return [
            found
            for shard, groups in members.items()
            for found in contradictions_on(self._seats[shard], groups, self._separations)
        ]

    def _seat_free(self, free: Sequence[Group]) -> list[Contradiction]:
        contradictions = [shut_out(group, self._policy) for group in free if not self._shares[group.trust]]
        circles = self._seating.avoidance.circles_of(group for group in free if self._shares[group.trust])
        for circle in circles:
            self._keep(circle)
        # The heaviest first: what is hard to fit finds more room. Without capacities and history no order matters.
        circles.sort(key=lambda circle: (-max(map(self._burden, circle)), circle[0].head))
        for circle in circles:
            newcomers = [group for group in circle if group.head not in self._seating.shard_of]
            stuck = self._seating.arrange(newcomers, self._liking)
            if stuck is not None and len(newcomers) < len(circle):
                for group in circle:
                    self._seating.take_back(group)
                stuck = self._seating.arrange(circle, self._liking)
            if stuck is not None:
                seats = [self._seats[shard] for shard in self._shares[stuck.trust]]
                contradictions += no_seat_left(stuck, seats, self._separations)
        return contradictions

    def _keep(self, circle: Sequence[Group]) -> None:
        """Seat again what sat in the previous plan and still may."""
        for group in circle:
            shard = self._former_shard(group)
            for admitted in self._seating.admitted(group, [shard] if shard else []):
                self._seating.put(group, admitted)

    def _former_shard(self, group: Group) -> str | None:
        """The open shard that held most of the group's members, so that the fewest move."""
        former = self._previous.placements if self._previous else {}
        votes = Counter(former[plugin_id].shard for plugin_id in group.ids if plugin_id in former)
        standing = sorted(votes.keys() & self._shares[group.trust].keys())
        return max(standing, key=lambda shard: votes[shard], default=None)

    def _shares_of_level(self, trust: str) -> dict[str, float]:
        """The shards that are open to groups of a trust level, and the part of them that each should get."""
        seats = [seat for seat in self._seats.values() if seat.trust == trust and not seat.explicit_only]
        return shares_of(seats) if self._policy is Policy.PACK else {seat.name: 1.0 for seat in seats}

    def _ranking(self, group: Group) -> tuple[str, ...]:
        """The open shards, the one that the group's anchor likes best first."""
        # Kept: a group that has to choose again while others are revised likes the same, and its reason asks too.
        if group.head not in self._rankings:
            self._rankings[group.head] = rank(group.anchor, self._shares[group.trust])
        return self._rankings[group.head]

    def _burden(self, group: Group) -> Fraction:
        return group.weight if self._policy is Policy.PACK else Fraction(len(group.members))

    def _liking(self, group: Group) -> Sequence[str]:
        """The open shards, the best for this group first, as things stand."""
        ranking = self._ranking(group)
        if self._previous is None:
            return ranking
        shares = self._exact_shares[group.trust]
        loads, burden = self._seating.loads, self._burden(group)
        carried = loads.weight_on if self._policy is Policy.PACK else loads.count_on
        former = self._former_shard(group)
        return sorted(ranking, key=lambda shard: (shard != former, (carried(shard) + burden) / shares[shard]))

    def to_plan(self, generation: int) -> ShardPlan:
        placements = {}
        for group in self._groups:
            shard = self._seating.shard_of[group.head]
            choice = self._explain_choice(group)
            routes = group.routes_to([member.plugin_id for member in group.named] or [group.head])
            for member in group.members:
                reason = explain(member, routes, choice=choice, previous=self._previous, shard=shard)
                placements[member.plugin_id] = Placement(member.plugin_id, shard, reason)
        made = tuple(sorted(self._made.values(), key=lambda seat: seat.name))
        return ShardPlan(generation, placements, tuple(self._seats), made=made)

    def _explain_choice(self, group: Group) -> str:
        if group.named:
            return ""
        if self._policy is Policy.ISOLATE:
            return explain_own(group)
        if self._previous and self._former_shard(group) == self._seating.shard_of[group.head]:
            return explain_kept(group, self._previous)
        return explain_chosen(
            group, self._policy, self._ranking(group), self._seating, is_by_load=self._previous is not None
        )
