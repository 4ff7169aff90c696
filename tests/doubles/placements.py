"""Placements to search through, and an independent reading of what a plan has to keep to."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from random import Random

import attrs
from hypothesis import strategies as st

from rookery.sharding import Candidate, PlacementRequest, Policy, Seat, ShardPlan

IDS = tuple(f"p.{letter}" for letter in "abcdefgh")
SEATS = ("s1", "s2", "s3", "s4")
NEWCOMERS = ("p.new", "a.new")  # after all others and before them: nobody leads by its name alone
TRUSTS = ("trusted", "untrusted")
FREE_POLICIES = (Policy.PACK, Policy.SPREAD, Policy.TRUST)


def _rarely(draw: st.DrawFn, strategy: st.SearchStrategy[str], *, most: int = 1) -> tuple[str, ...]:
    return tuple(draw(st.lists(strategy, max_size=most))) if draw(st.integers(0, 3)) == 0 else ()


@st.composite
def candidates(
    draw: st.DrawFn, plugin_id: str, *, names_shard: bool = True, one_trust: bool = False
) -> Candidate:
    """One plugin whose wishes concern the few others; most have none."""
    others = st.sampled_from([other for other in IDS if other != plugin_id])
    return Candidate(
        plugin_id,
        weight=draw(st.sampled_from([1.0, 0.1, 0.5, 2.0, 0.0])),
        trust="trusted" if one_trust or draw(st.integers(0, 3)) else "untrusted",
        shard=draw(st.sampled_from(SEATS)) if names_shard and draw(st.integers(0, 5)) == 0 else None,
        depends_on=_rarely(draw, others, most=2),
        together_with=_rarely(draw, others),
        separate_from=_rarely(draw, others, most=3),
    )


@st.composite
def requests(
    draw: st.DrawFn,
    *,
    policies: Iterable[Policy] = tuple(Policy),
    capacities: bool = True,
    one_trust: bool = False,
    fewest: int = 0,
) -> PlacementRequest:
    """A small deployment: up to eight plugins and four shards."""
    ids = draw(st.lists(st.sampled_from(IDS), unique=True, min_size=fewest))
    names = draw(st.lists(st.sampled_from(SEATS), unique=True, min_size=1))
    limits = st.sampled_from([None, 0.3, 1.0, 2.5]) if capacities else st.none()
    return PlacementRequest(
        candidates=[draw(candidates(plugin_id, one_trust=one_trust)) for plugin_id in ids],
        seats=[
            Seat(
                name,
                "trusted" if one_trust or draw(st.integers(0, 3)) else "untrusted",
                capacity=draw(limits),
                explicit_only=draw(st.integers(0, 5)) == 0,
            )
            for name in names
        ],
        policy=draw(st.sampled_from(list(policies))),
        keep_dependencies_together=draw(st.booleans()),
    )


def make_crowd(seed: int) -> tuple[PlacementRequest, Candidate]:
    """Plugins that avoid each other a lot on few shards, and a newcomer that nobody names.

    Of drawn lists most are short, and then nobody disputes a seat. So this draws one number and makes the rest of it.
    """
    random = Random(seed)
    ids = random.sample(IDS, random.randint(2, len(IDS)))
    names = SEATS[: random.randint(2, 4)]

    def some(own: str, most: int) -> list[str]:
        others = [other for other in ids if other != own]
        return random.sample(others, min(len(others), random.randint(0, most)))

    def wishes(plugin_id: str, *, ties: int) -> Candidate:
        return Candidate(
            plugin_id,
            depends_on=some(plugin_id, ties),
            separate_from=some(plugin_id, 2),
            shard=random.choice(names) if random.random() < 0.05 else None,
        )

    request = PlacementRequest(
        candidates=[wishes(plugin_id, ties=int(random.random() < 0.5)) for plugin_id in ids],
        seats=[Seat(name) for name in names],
        policy=random.choice([Policy.PACK, Policy.SPREAD, Policy.ISOLATE]),
    )
    return request, wishes(random.choice(NEWCOMERS), ties=1)


crowds = st.integers(0, 2**32 - 1).map(make_crowd)


def ties_of(request: PlacementRequest, candidate: Candidate) -> set[str]:
    """The ids that a candidate has to share a shard with, present or not."""
    depends_on = candidate.depends_on if request.keep_dependencies_together else ()
    return {*depends_on, *candidate.together_with} - {candidate.plugin_id}


def parts_of(request: PlacementRequest) -> list[frozenset[str]]:
    """The plugins in sets that have to share a shard, by merging sets until nothing changes."""
    parts = [{candidate.plugin_id} for candidate in request.candidates]
    for candidate in request.candidates:
        for other in ties_of(request, candidate):
            here = next(part for part in parts if candidate.plugin_id in part)
            there = next((part for part in parts if other in part), None)
            if there is not None and there is not here:
                parts.remove(there)
                here |= there
    return [frozenset(part) for part in parts]


def broken_wishes(
    request: PlacementRequest, shard_of: dict[str, str], made: Iterable[Seat] = ()
) -> list[str]:
    """Every wish of the request that an arrangement does not keep; empty for a good one."""
    seats = {seat.name: seat for seat in (*request.seats, *made)}
    by_id = {candidate.plugin_id: candidate for candidate in request.candidates}
    found = [f"{plugin_id} is not placed" for plugin_id in by_id if plugin_id not in shard_of]
    found += [f"{plugin_id} does not exist" for plugin_id in shard_of if plugin_id not in by_id]
    if found:
        return found
    named = {part for part in parts_of(request) if any(by_id[member].shard for member in part)}
    joined = {member for part in named for member in part}
    for plugin_id, shard in shard_of.items():
        candidate, seat = by_id[plugin_id], seats[shard]
        if candidate.trust != seat.trust:
            found.append(f"{plugin_id} ({candidate.trust}) is in {shard} ({seat.trust})")
        if candidate.shard not in (None, shard):
            found.append(f"{plugin_id} is in {shard} and not in {candidate.shard}")
        if seat.explicit_only and candidate.shard != shard:
            found.append(f"{plugin_id} is in {shard}, which it does not name")
        if request.policy is Policy.EXPLICIT and plugin_id not in joined:
            found.append(f"{plugin_id} is in {shard} although nobody named a shard for it")
        found += [
            f"{plugin_id} is apart from {other}"
            for other in ties_of(request, candidate)
            if shard_of.get(other, shard) != shard
        ]
        found += [
            f"{plugin_id} is with {other}"
            for other in candidate.separate_from
            if shard_of.get(other) == shard
        ]
    for name, seat in seats.items():
        weight = sum(Fraction(str(by_id[one].weight)) for one, shard in shard_of.items() if shard == name)
        if seat.capacity is not None and weight > Fraction(str(seat.capacity)):
            found.append(f"{name} carries {weight}, its capacity is {seat.capacity}")
    return found


def shards_by_plugin(plan: ShardPlan) -> dict[str, str]:
    return {plugin_id: placement.shard for plugin_id, placement in plan.placements.items()}


def can_be_placed(request: PlacementRequest) -> bool:
    """Whether any arrangement on the request's own seats keeps every wish, by trying all. No capacity counts."""
    parts = parts_of(request)
    good = [
        [seat.name for seat in request.seats if not _complaints_about_one(request, part, seat.name)]
        for part in parts
    ]
    avoids = {each.plugin_id: {*each.separate_from} for each in request.candidates}
    apart = {(here, there) for here in parts for there in parts if any(avoids[one] & there for one in here)}

    def fits(shards: tuple[str, ...]) -> bool:
        last = len(shards) - 1
        return (parts[last], parts[last]) not in apart and not any(
            shards[last] == shard and {(parts[last], part), (part, parts[last])} & apart
            for part, shard in zip(parts, shards[:last], strict=False)
        )

    arrangements: list[tuple[str, ...]] = [()]
    for choices in good:
        arrangements = [
            longer for shards in arrangements for shard in choices if fits(longer := (*shards, shard))
        ]
    return bool(arrangements)


def _complaints_about_one(request: PlacementRequest, part: frozenset[str], shard: str) -> list[str]:
    alone = tuple(each for each in request.candidates if each.plugin_id in part)
    return broken_wishes(attrs.evolve(request, candidates=alone), dict.fromkeys(part, shard))


def without(request: PlacementRequest, plugin_id: str) -> PlacementRequest:
    """The same request without one of its candidates."""
    return attrs.evolve(
        request,
        candidates=tuple(each for each in request.candidates if each.plugin_id != plugin_id),
    )
