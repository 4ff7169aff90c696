"""Each policy places plugins as it says, the same in every process, and 10,000 of them in seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable

import pytest

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

FREE = [Policy.PACK, Policy.SPREAD, Policy.TRUST]


def _seats(count: int, capacity: float | None = None) -> list[Seat]:
    return [Seat(f"s{number}", capacity=capacity) for number in range(count)]


def _plugins(count: int) -> list[Candidate]:
    return [Candidate(f"p.n{number:05}") for number in range(count)]


def _request(
    candidates: Iterable[Candidate], policy: Policy = Policy.SPREAD, seats: Iterable[Seat] | None = None
) -> PlacementRequest:
    return PlacementRequest(candidates=candidates, seats=_seats(2) if seats is None else seats, policy=policy)


def _shards(plan: ShardPlan) -> dict[str, str]:
    return {plugin_id: placement.shard for plugin_id, placement in plan.placements.items()}


# --- policies ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", list(Policy))
def test_nothing_to_place_is_a_plan(policy: Policy) -> None:
    """All shards are there and empty."""
    plan = place(_request([], policy))

    assert (plan.generation, plan.placements, plan.shards, plan.made) == (1, {}, ("s0", "s1"), ())


@pytest.mark.parametrize("policy", list(Policy))
def test_a_named_shard_is_kept_under_every_policy(policy: Policy) -> None:
    """With whatever is tied to the plugin."""
    plan = place(_request([Candidate("p.a", shard="s1"), Candidate("p.b", together_with=["p.a"])], policy))

    assert _shards(plan) == {"p.a": "s1", "p.b": "s1"}
    assert plan.made == ()


def test_a_closed_shard_takes_only_what_names_it() -> None:
    """Such as that of a gateway."""
    seats = [Seat("gate", explicit_only=True), Seat("open")]
    plan = place(_request([Candidate("p.gate", shard="gate"), *_plugins(20)], seats=seats))

    assert plan.plugins_of("gate") == ("p.gate",)


def test_isolate_makes_a_shard_for_each_group() -> None:
    """Named for its head, of its trust; seats of the configuration are for what names them."""
    plan = place(
        _request(
            [
                Candidate("example.dice", depends_on=["example.core"]),
                Candidate("example.core"),
                Candidate("strange.one", trust="untrusted"),
            ],
            Policy.ISOLATE,
        )
    )

    assert _shards(plan) == {
        "example.core": "example-core",
        "example.dice": "example-core",
        "strange.one": "strange-one",
    }
    assert plan.made == (Seat("example-core"), Seat("strange-one", "untrusted"))
    assert plan.shards == ("example-core", "s0", "s1", "strange-one")


def test_an_isolated_plugin_does_not_take_the_name_of_a_configured_shard() -> None:
    """It gets one with a fingerprint."""
    plan = place(_request([Candidate("example.dice")], Policy.ISOLATE, [Seat("example-dice")]))

    assert plan.shard_of("example.dice").startswith("example-dice-")


def test_trust_makes_a_shard_for_a_level_that_has_none() -> None:
    """And spreads within the level where it has several."""
    plan = place(
        _request(
            [*_plugins(40), *(Candidate(f"x.n{number}", trust="untrusted") for number in range(5))],
            Policy.TRUST,
        )
    )

    assert plan.made == (Seat("untrusted", "untrusted"),)
    assert plan.plugins_of("untrusted") == tuple(f"x.n{number}" for number in range(5))
    assert len(plan.plugins_of("s0")) + len(plan.plugins_of("s1")) == 40


def test_pack_gives_shards_their_part_of_the_weight() -> None:
    """In proportion to their capacities."""
    seats = [Seat("small", capacity=1000.0), Seat("large", capacity=3000.0)]
    plan = place(_request(_plugins(2000), Policy.PACK, seats))

    assert 1350 < len(plan.plugins_of("large")) < 1650


def test_spread_goes_by_number_and_not_by_weight() -> None:
    """Two thousand plugins on four shards, whatever their capacities."""
    seats = [Seat(f"s{number}", capacity=10_000.0 * (number + 1)) for number in range(4)]
    plan = place(_request(_plugins(2000), Policy.SPREAD, seats))

    assert all(400 < len(plan.plugins_of(seat.name)) < 600 for seat in seats)


def test_what_is_hard_to_fit_goes_first() -> None:
    """A heavy plugin finds its room although light ones come before it by name."""
    candidates = [
        *(Candidate(f"a.n{number}", weight=0.5) for number in range(4)),
        Candidate("z.big", weight=2.0),
    ]
    plan = place(_request(candidates, Policy.PACK, _seats(2, capacity=2.0)))

    assert plan.plugins_of(plan.shard_of("z.big")) == ("z.big",)


@pytest.mark.parametrize("policy", FREE)
def test_a_continued_plan_is_even(policy: Policy) -> None:
    """As even as whole plugins can be, which a plan without history only is by chance."""
    plan = place(_request(_plugins(18), policy, _seats(4)), previous=ShardPlan.empty())

    assert sorted(Counter(_shards(plan).values()).values()) == [4, 4, 5, 5]


@pytest.mark.parametrize("policy", FREE)
def test_a_shard_that_goes_frees_only_its_own(policy: Policy) -> None:
    """The rest stay, in a continued plan as well."""
    before = place(_request(_plugins(20), policy, _seats(4)), previous=ShardPlan.empty())
    after = place(_request(_plugins(20), policy, _seats(3)), previous=before)

    assert {move.source for move in plan_moves(before, after)} == {"s3"}


# --- generations ------------------------------------------------------------------------------------------------


def test_generations_count_up() -> None:
    """From 1, or from the plan that is continued, or as told."""
    first = place(_request([]))

    assert first.generation == 1
    assert place(_request([]), previous=first).generation == 2
    assert place(_request([]), 7, previous=first).generation == 7
    with pytest.raises(ValueError, match="generation 1 does not follow that of the previous plan, 1"):
        place(_request([]), 1, previous=first)


# --- what a newcomer may do -------------------------------------------------------------------------------------


def test_a_newcomer_that_ties_two_groups_brings_them_together() -> None:
    """Case 1 of the promise: one of the two has to move."""
    apart = [one for one in _plugins(20) if place(_request([one])).shard_of(one.plugin_id) == "s0"][:1]
    apart += [one for one in _plugins(20) if place(_request([one])).shard_of(one.plugin_id) == "s1"][:1]
    newcomer = Candidate("p.new", depends_on=[one.plugin_id for one in apart])

    plan = place(_request([*apart, newcomer]))

    assert len({*_shards(plan).values()}) == 1


@pytest.mark.parametrize("head", ["p.g", "p.h", "p.i", "p.j"])
def test_two_groups_on_equal_terms_choose_by_name(head: str) -> None:
    """Case 2: a newcomer that makes its group avoid what gave way to it ends that it comes first."""
    others = [Candidate("p.a", separate_from=[head]), Candidate(head)]
    newcomer = Candidate("p.new", depends_on=[head], separate_from=["p.a"])
    alone = place(_request([Candidate("p.a")])).shard_of("p.a")

    before, after = place(_request(others)), place(_request([*others, newcomer]))

    assert before.shard_of(head) == place(_request([Candidate(head)])).shard_of(head)
    assert after.shard_of("p.a") == alone


def test_a_plugin_that_is_waited_for_finds_its_friends() -> None:
    """They are where it goes: its coming moves nobody."""
    friends = [Candidate(f"p.n{number}", depends_on=["p.core"]) for number in range(5)]

    before, after = place(_request(friends)), place(_request([*friends, Candidate("p.core")]))

    assert {move.plugin_id for move in plan_moves(before, after)} == {"p.core"}
    assert len({*_shards(after).values()}) == 1


def test_a_plan_is_never_half() -> None:
    """A contradiction of one plugin leaves no plan for the others."""
    with pytest.raises(PlacementError):
        place(_request([*_plugins(3), Candidate("p.bad", shard="nowhere")]))


# --- the same everywhere ----------------------------------------------------------------------------------------

PLAN_AND_PRINT = """
import json, random, sys
from rookery.sharding import Candidate, PlacementRequest, Seat, place
ids = [f"p.n{number}" for number in range(60)]
pick = random.Random(5)
candidates = [
    Candidate(
        one,
        weight=pick.choice([0.1, 1.0, 3.0]),
        trust=pick.choice(["trusted", "trusted", "untrusted"]),
        separate_from={pick.choice(ids[:10])} - {one} if number > 9 and pick.random() < 0.4 else (),
    )
    for number, one in enumerate(ids)
]
candidates += [Candidate(f"q.n{number}", depends_on={"q.core", "q.lib"}) for number in range(9)]
seats = [Seat(f"s{number}", "untrusted" if number > 4 else "trusted", capacity=60.0) for number in range(8)]
random.shuffle(candidates)
random.shuffle(seats)
plans = {}
for policy in ("pack", "spread", "isolate", "trust"):
    request = PlacementRequest(candidates=candidates, seats=seats, policy=policy)
    plan = place(request)
    plans[policy] = [[one.plugin_id, one.shard, one.reason] for one in plan.placements.values()]
json.dump(plans, sys.stdout)
"""


@pytest.mark.slow
def test_another_hash_seed_and_another_order_make_the_same_plan() -> None:
    """In processes that share nothing: sets iterate differently there, and the lists are shuffled."""
    plans = []
    for seed in ("0", "1", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", PLAN_AND_PRINT],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        plans.append(json.loads(done.stdout))

    assert plans[0] == plans[1] == plans[2]
    assert {len(placements) for placements in plans[0].values()} == {69}


def test_a_place_never_changes_between_versions() -> None:
    """A new version of rookery that drew differently would move every plugin of every deployment."""
    plan = place(_request(_plugins(8), Policy.SPREAD, _seats(4)))

    assert "".join(_shards(plan).values()) == "s1s3s1s1s3s1s2s2"


# --- large deployments ------------------------------------------------------------------------------------------

MANY = 10_000


def _chain(count: int) -> list[Candidate]:
    return [
        Candidate(f"p.n{number:05}", depends_on=[f"p.n{number - 1:05}"] if number else [])
        for number in range(count)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "candidates",
    [
        pytest.param(_plugins(MANY), id="no wishes"),
        pytest.param(
            [Candidate("p.core"), *(Candidate(f"p.n{n}", depends_on=["p.core"]) for n in range(MANY))],
            id="all depend on one",
        ),
        pytest.param(
            [
                Candidate("p.core"),
                Candidate("q.one", shard="s7", depends_on=["p.core"]),
                *(Candidate(f"p.n{n}", depends_on=["p.core"]) for n in range(MANY)),
            ],
            id="all depend on one and another is named",
        ),
        pytest.param(_chain(MANY), id="each depends on the one before"),
        pytest.param(
            [Candidate("z.gate"), *(Candidate(f"p.n{n}", separate_from=["z.gate"]) for n in range(MANY))],
            id="all avoid one",
        ),
        pytest.param(
            [Candidate(f"p.n{n:05}", separate_from=[f"p.n{n + 1:05}"]) for n in range(MANY)],
            id="each avoids the next",
        ),
    ],
)
def test_ten_thousand_plugins_are_placed_in_seconds(candidates: list[Candidate]) -> None:
    """On 64 shards; the limit is generous, for what is quadratic takes minutes."""
    begun = time.perf_counter()
    place(_request(candidates, Policy.SPREAD, _seats(64)))
    place(_request(candidates, Policy.ISOLATE, _seats(64)))

    assert time.perf_counter() - begun < 30


@pytest.mark.slow
def test_a_search_without_a_way_ends_in_seconds() -> None:
    """65 plugins that all avoid each other do not fit on 64 shards, and no search will tell before the sun goes out."""
    ids = [one.plugin_id for one in _plugins(65)]
    crowd = [Candidate(one, separate_from=[other for other in ids if other != one]) for one in ids]

    begun = time.perf_counter()
    with pytest.raises(PlacementError, match="no shard was found for"):
        place(_request(crowd, Policy.SPREAD, _seats(64)))

    assert time.perf_counter() - begun < 10
