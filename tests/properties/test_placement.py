"""What every plan keeps to, and what adding a plugin may do to the others, as sharding/placement.py promises it."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from rookery.sharding import (
    Candidate,
    PlacementError,
    PlacementRequest,
    Policy,
    Seat,
    ShardPlan,
    place,
    plan_moves,
)
from rookery.sharding.affinity import gather_groups
from rookery.sharding.hashing import rank
from tests.doubles.placements import (
    FREE_POLICIES,
    IDS,
    NEWCOMERS,
    SEATS,
    TRUSTS,
    broken_wishes,
    can_be_placed,
    candidates,
    crowds,
    parts_of,
    requests,
    shards_by_plugin,
    ties_of,
    without,
)

EARLIER = st.one_of(st.none(), st.just(ShardPlan.empty()))


def _try(request: PlacementRequest, previous: ShardPlan | None = None) -> ShardPlan | PlacementError:
    try:
        return place(request, previous=previous)
    except PlacementError as error:
        return error


def _place(request: PlacementRequest, previous: ShardPlan | None = None) -> ShardPlan:
    plan = _try(request, previous)
    assume(isinstance(plan, ShardPlan))
    assert isinstance(plan, ShardPlan)
    return plan


# Each of these searches takes a second or two.
pytestmark = pytest.mark.slow

# --- every plan -------------------------------------------------------------------------------------------------


@settings(max_examples=200)
@given(requests(), EARLIER)
def test_a_plan_keeps_every_wish(request: PlacementRequest, earlier: ShardPlan | None) -> None:
    """Each plugin in exactly one shard, trust unmixed, ties kept, separations kept, capacities kept."""
    plan = _place(request, earlier)

    assert broken_wishes(request, shards_by_plugin(plan), plan.made) == []
    assert set(plan.shards) == {seat.name for seat in (*request.seats, *plan.made)}
    assert sorted(one for shard in plan.shards for one in plan.plugins_of(shard)) == sorted(plan.placements)
    assert all(placement.reason.endswith(".") for placement in plan.placements.values())


@settings(max_examples=150)
@given(requests(), EARLIER, st.randoms(use_true_random=False))
def test_the_order_of_a_request_means_nothing(
    request: PlacementRequest, earlier: ShardPlan | None, random: object
) -> None:
    """The same plan or the same complaints, for any order of plugins, shards and wishes."""

    def shuffled(items: tuple[object, ...]) -> tuple[object, ...]:
        mixed = list(items)
        random.shuffle(mixed)  # type: ignore[attr-defined]
        return tuple(mixed)

    other = attrs.evolve(
        request,
        candidates=shuffled(
            tuple(
                attrs.evolve(
                    each, depends_on=shuffled(each.depends_on), separate_from=shuffled(each.separate_from)
                )
                for each in request.candidates
            )
        ),
        seats=shuffled(request.seats),
    )

    first, second = _try(request, earlier), _try(other, earlier)

    if isinstance(first, PlacementError):
        assert isinstance(second, PlacementError)
        assert second.contradictions == first.contradictions
    else:
        assert second == first


@settings(max_examples=150)
@given(requests(policies=[Policy.ISOLATE]))
def test_an_isolated_plugin_is_alone_but_for_its_ties(request: PlacementRequest) -> None:
    """A shard that was made holds one group, and groups that somebody named a shard for made none."""
    plan = _place(request)

    by_id = {candidate.plugin_id: candidate for candidate in request.candidates}
    for part in parts_of(request):
        [shard] = {plan.shard_of(member) for member in part}
        is_named = any(by_id[member].shard for member in part)
        assert is_named is (shard not in {seat.name for seat in plan.made})
        assert is_named or set(plan.plugins_of(shard)) == part


@settings(max_examples=150)
@given(requests(), EARLIER)
def test_complaints_name_both_plugins(request: PlacementRequest, earlier: ShardPlan | None) -> None:
    """Whoever reads one knows whose wishes it is about."""
    error = _try(request, earlier)
    assume(isinstance(error, PlacementError))
    assert isinstance(error, PlacementError)

    ids = {candidate.plugin_id for candidate in request.candidates}
    assert error.contradictions
    for found in error.contradictions:
        assert found.first in ids
        assert found.second in {*ids, *SEATS, ""}
        assert found.first in found.why
        assert found.second in found.why
        assert found.why in str(error)


@settings(max_examples=200)
@given(
    st.one_of(
        requests(policies=[Policy.PACK, Policy.SPREAD, Policy.EXPLICIT], capacities=False),
        crowds.map(lambda crowd: crowd[0]).filter(lambda request: request.policy is not Policy.ISOLATE),
    ),
    EARLIER,
)
def test_a_request_is_refused_exactly_when_no_plan_exists(
    request: PlacementRequest, earlier: ShardPlan | None
) -> None:
    """Where no capacity counts, the search is complete: all arrangements were tried to compare."""
    plan = _try(request, earlier)

    event(type(plan).__name__)
    assert isinstance(plan, ShardPlan) is can_be_placed(request)


# --- a newcomer -------------------------------------------------------------------------------------------------


arrivals = st.one_of(
    crowds,
    crowds,
    st.tuples(
        requests(capacities=False, one_trust=True),
        st.sampled_from(NEWCOMERS).flatmap(lambda plugin_id: candidates(plugin_id, one_trust=True)),
    ),
)


def _gives_way_to(request: PlacementRequest, plugin_id: str) -> set[frozenset[str]]:
    """The groups that a plugin's group wished to be separate from, and those that these did, and so on."""
    parts = parts_of(request)
    part_of = {member: part for part in parts for member in part}
    avoids = {each.plugin_id: {*each.separate_from} & part_of.keys() for each in request.candidates}
    found: set[frozenset[str]] = set()
    waiting = [part_of[plugin_id]]
    while waiting:
        new = {part_of[other] for member in waiting.pop() for other in avoids[member]} - found
        found |= new
        waiting += new
    return found


def _is_revised(request: PlacementRequest, plan: ShardPlan) -> bool:
    """Whether a group may have given up a seat that was free when it chose: nobody it gave way to sits there."""
    for group in gather_groups(
        request.candidates, keep_dependencies_together=request.keep_dependencies_together
    ):
        own = plan.shard_of(group.head)
        ranking = rank(group.anchor, {seat.name: 1.0 for seat in request.seats if not seat.explicit_only})
        better = [] if group.named or own not in ranking else ranking[: ranking.index(own)]
        first = {min(part) for part in _gives_way_to(request, group.head) if not {*group.ids} & part}
        if not {*better} <= {plan.shard_of(other) for other in first}:
            return True
    return False


def _may_move_others(newcomer: Candidate, before: PlacementRequest, plan: ShardPlan) -> str:
    """Which of the cases 1 to 3 of the promise applies; "" when nobody may move. No capacity counts here."""
    ties = ties_of(before, newcomer)
    joined = [part for part in parts_of(before) if part & ties]
    if len(joined) > 1:
        return "1: tied to two groups"
    by_id = {candidate.plugin_id: candidate for candidate in before.candidates}
    avoided = {other for other in newcomer.separate_from if other in by_id}
    if joined:
        [part] = joined
        if newcomer.shard is not None and not any(by_id[member].shard for member in part):
            return "2: brings a named shard"
        shard = plan.shard_of(min(part))
        if any(plan.shard_of(other) == shard for other in avoided):
            return "2: brings a separation from what shares the shard"
        if any(part in _gives_way_to(before, other) for other in avoided):
            return "2: brings a separation from what gives way"
        return (
            "3: brings a separation where choices were revised"
            if avoided and _is_revised(before, plan)
            else ""
        )
    if newcomer.shard is not None:
        found = any(plan.shard_of(other) == newcomer.shard for other in avoided)
        return "2: brings a named shard and a separation from what is there" if found else ""
    open_seats = {
        seat.name for seat in before.seats if seat.trust == newcomer.trust and not seat.explicit_only
    }
    if before.policy in FREE_POLICIES and open_seats <= {plan.shard_of(other) for other in avoided}:
        return "3: no way but to revise"
    return ""


@settings(max_examples=600)
@given(arrivals)
def test_a_newcomer_that_nobody_names_moves_nobody(arrival: tuple[PlacementRequest, Candidate]) -> None:
    """Without an earlier plan; but for the three cases in which it has to, told apart one by one."""
    request, newcomer = arrival
    before = _place(request)
    after = _place(attrs.evolve(request, candidates=(*request.candidates, newcomer)))

    allowed = _may_move_others(newcomer, request, before)

    event(allowed or "nobody may move")
    moved = {move.plugin_id for move in plan_moves(before, after)} - {newcomer.plugin_id}
    assert not moved or allowed


@settings(max_examples=600)
@given(arrivals)
def test_a_newcomer_moves_nobody_in_a_continued_plan(arrival: tuple[PlacementRequest, Candidate]) -> None:
    """The same three cases hold with an earlier plan."""
    request, newcomer = arrival
    before = _place(request, ShardPlan.empty())
    after = _place(attrs.evolve(request, candidates=(*request.candidates, newcomer)), before)

    allowed = _may_move_others(newcomer, request, before)

    event(allowed or "nobody may move")
    moved = {move.plugin_id for move in plan_moves(before, after)} - {newcomer.plugin_id}
    assert not moved or allowed


@settings(max_examples=200)
@given(requests(), st.sampled_from(TRUSTS), EARLIER)
def test_a_newcomer_without_weight_and_wishes_moves_nobody(
    request: PlacementRequest, trust: str, earlier: ShardPlan | None
) -> None:
    """Not even where capacities count; of any trust level, before or after the others by name."""
    before = _place(request, earlier)
    newcomer = Candidate(NEWCOMERS[1], weight=0.0, trust=trust)
    larger = attrs.evolve(request, candidates=(*request.candidates, newcomer))

    after = _place(larger, before if earlier else None)

    assert {move.plugin_id for move in plan_moves(before, after)} == {newcomer.plugin_id}


@settings(max_examples=200)
@given(requests(), st.sampled_from([0.1, 1.0, 2.0]))
def test_a_heavy_newcomer_moves_nobody_in_a_continued_plan(request: PlacementRequest, weight: float) -> None:
    """Who sits stays: capacity is the newcomer's problem."""
    before = _place(request, ShardPlan.empty())
    newcomer = Candidate(NEWCOMERS[1], weight=weight)

    after = _place(attrs.evolve(request, candidates=(*request.candidates, newcomer)), before)

    assert {move.plugin_id for move in plan_moves(before, after)} == {newcomer.plugin_id}


@settings(max_examples=150)
@given(requests())
def test_continuing_a_plan_without_a_change_moves_nobody(request: PlacementRequest) -> None:
    """Whichever way the first one was made."""
    for earlier in (None, ShardPlan.empty()):
        first = _place(request, earlier)

        assert plan_moves(first, _place(request, first)) == ()


@settings(max_examples=150)
@given(requests(fewest=1), st.data())
def test_taking_a_plugin_away_undoes_what_adding_it_did(
    request: PlacementRequest, data: st.DataObject
) -> None:
    """Without an earlier plan there is no trace of what once was."""
    gone = data.draw(st.sampled_from([each.plugin_id for each in request.candidates]))
    smaller = without(request, gone)
    before = _place(smaller)
    _place(request)

    assert place(smaller) == before


@settings(max_examples=150)
@given(requests(fewest=1, capacities=False), st.data())
def test_taking_a_plugin_away_from_a_continued_plan_moves_nobody(
    request: PlacementRequest, data: st.DataObject
) -> None:
    """What may stay, stays; a group that falls apart stays where it was as well."""
    gone = data.draw(st.sampled_from(request.candidates))
    assume(request.policy in FREE_POLICIES and gone.shard is None)
    before = _place(request, ShardPlan.empty())

    after = _place(without(request, gone.plugin_id), before)

    assert {move.plugin_id for move in plan_moves(before, after)} == {gone.plugin_id}


# --- rebalance --------------------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(requests(), requests())
def test_the_moves_turn_one_plan_into_the_other(first: PlacementRequest, second: PlacementRequest) -> None:
    """No plugin twice, none that stays, and each batch of one source and target in one piece."""
    old, new = _place(first), _place(second)
    shard_of: dict[str, str | None] = dict.fromkeys([*old.placements, *new.placements])
    shard_of.update(shards_by_plugin(old))

    moves = plan_moves(old, new)

    for move in moves:
        assert shard_of[move.plugin_id] == move.source != move.target
        shard_of[move.plugin_id] = move.target
    assert {one: shard for one, shard in shard_of.items() if shard is not None} == shards_by_plugin(new)
    assert len({move.plugin_id for move in moves}) == len(moves)
    batches = [(move.source, move.target) for move in moves]
    assert len(set(batches)) == sum(
        here != there for here, there in zip(batches, [None, *batches], strict=False)
    )


@given(requests(policies=FREE_POLICIES, capacities=False, one_trust=True))
def test_a_new_shard_only_gains(request: PlacementRequest) -> None:
    """Rendezvous: whoever moves, moves to the shard that came."""
    plain = [attrs.evolve(each, shard=None, separate_from=()) for each in request.candidates]
    smaller = attrs.evolve(request, candidates=plain)
    larger = attrs.evolve(smaller, seats=(*request.seats, Seat("s9")))

    moves = plan_moves(_place(smaller), _place(larger))

    assert {move.target for move in moves} <= {"s9"}
    assert len(IDS) >= len(moves)
