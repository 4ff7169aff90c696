"""Every placement says why, in a sentence that an operator understands."""

from __future__ import annotations

from rookery.sharding import Candidate, Placement, PlacementRequest, Policy, Seat, ShardPlan, place


def _reasons(
    *candidates: Candidate,
    seats: tuple[Seat, ...] = (Seat("s1"), Seat("s2")),
    policy: Policy = Policy.SPREAD,
    previous: ShardPlan | None = None,
) -> dict[str, str]:
    plan = place(PlacementRequest(candidates=candidates, seats=seats, policy=policy), previous=previous)
    return {plugin_id: placement.reason for plugin_id, placement in plan.placements.items()}


def test_a_named_shard_and_those_that_follow() -> None:
    """A follower's sentence tells the whole way."""
    assert _reasons(
        Candidate("p.a", shard="s1"),
        Candidate("p.b", depends_on=["p.a"]),
        Candidate("p.c", together_with=["p.b"]),
    ) == {
        "p.a": "The configuration names this shard for it.",
        "p.b": "Shares the shard of p.a: p.b depends on p.a.",
        "p.c": "Shares the shard of p.a: p.c is to be together with p.b and p.b depends on p.a.",
    }


def test_a_shard_that_the_policy_chose() -> None:
    """By id, by the id of what is waited for, or for want of another."""
    assert _reasons(Candidate("p.a"), Candidate("p.b", depends_on=["p.z"])) == {
        "p.a": "Spread over 2 shards by its id.",
        "p.b": "Spread over 2 shards by the id of p.z, which it waits for.",
    }
    assert _reasons(Candidate("p.a"), seats=(Seat("s1"),), policy=Policy.PACK) == {
        "p.a": "Packed by weight: the only shard open to trusted plugins."
    }
    assert _reasons(Candidate("p.a"), policy=Policy.TRUST) == {
        "p.a": "Spread within its trust level over 2 shards by its id."
    }


def test_an_isolated_group() -> None:
    """Alone or with what is tied to it."""
    assert _reasons(
        Candidate("p.a"), Candidate("p.b"), Candidate("p.c", depends_on=["p.b"]), policy=Policy.ISOLATE
    ) == {
        "p.a": "Isolated in a shard of its own.",
        "p.b": "Isolated in a shard of its own with what is tied to it.",
        "p.c": "Shares the shard of p.b: p.c depends on p.b.",
    }


def test_an_obstacle_is_told() -> None:
    """Who was in the way, or that there was no room."""
    first = _reasons(
        Candidate("p.a"), Candidate("p.b", separate_from=["p.a"]), Candidate("p.c", separate_from=["p.a"])
    )
    told = {reason for reason in first.values() if "came first" in reason}
    assert told <= {
        f'Spread over 2 shards by its id; "{shard}" came first but holds p.a, from which it is separate.'
        for shard in ("s1", "s2")
    }
    assert told

    full = _reasons(
        *(Candidate(f"p.n{number}") for number in range(4)),
        seats=(Seat("s1", capacity=2.0), Seat("s2", capacity=2.0)),
    )
    assert all("came first but has no room for its weight of 1." in r for r in full.values() if "first" in r)


def test_what_a_continued_plan_did() -> None:
    """Stay, join, find the emptiest, or move."""
    previous = ShardPlan(3, {"p.a": Placement("p.a", "s1"), "p.m": Placement("p.m", "s9")}, ("s1", "s9"))

    assert _reasons(
        Candidate("p.a"),
        Candidate("p.b", depends_on=["p.a"]),
        Candidate("p.m"),
        Candidate("p.n"),
        previous=previous,
    ) == {
        "p.a": "Stays where plan 3 put it.",
        "p.b": "Shares the shard of p.a: p.b depends on p.a.",
        "p.m": 'Moved from "s9". Spread: the least loaded of 2 shards that were free for it.',
        "p.n": "Spread: the least loaded of 2 shards that were free for it.",
    }


def test_a_new_head_joins_those_that_were_there() -> None:
    """The group stays where most of it was."""
    previous = ShardPlan(3, {"p.b": Placement("p.b", "s2")}, ("s1", "s2"))

    assert _reasons(Candidate("p.a"), Candidate("p.b", depends_on=["p.a"]), previous=previous) == {
        "p.a": "Joins those that are tied to it where plan 3 put them.",
        "p.b": "Shares the shard of p.a: p.b depends on p.a.",
    }
