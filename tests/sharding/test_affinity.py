"""Plugins that are tied to each other form one group, led by those that follow nobody."""

from __future__ import annotations

from fractions import Fraction

from rookery.sharding import Candidate
from rookery.sharding.affinity import (
    MAX_CHAIN_WORDS,
    Separation,
    Tie,
    describe_chain,
    find_separations,
    gather_groups,
)


def _needs(plugin_id: str, *others: str) -> Candidate:
    return Candidate(plugin_id, depends_on=others)


def _heads(*candidates: Candidate) -> list[tuple[str, tuple[str, ...]]]:
    return [(group.head, group.ids) for group in gather_groups(candidates)]


def test_a_plugin_without_ties_is_a_group_of_its_own() -> None:
    """Groups come by their heads."""
    assert _heads(Candidate("p.b"), Candidate("p.a")) == [("p.a", ("p.a",)), ("p.b", ("p.b",))]


def test_ties_reach_through_others() -> None:
    """Whoever follows a follower is in the same group; the head follows nobody."""
    assert _heads(_needs("p.a", "p.b"), _needs("p.b", "p.c"), Candidate("p.c")) == [
        ("p.c", ("p.a", "p.b", "p.c"))
    ]


def test_the_smallest_leader_is_the_head() -> None:
    """Of several that follow nobody."""
    assert _heads(_needs("p.a", "p.c", "p.b"), Candidate("p.b"), Candidate("p.c")) == [
        ("p.b", ("p.a", "p.b", "p.c"))
    ]


def test_a_circle_leads_itself() -> None:
    """Its smallest member, not a smaller one that follows the circle."""
    assert _heads(_needs("p.a", "p.c"), _needs("p.c", "p.d"), _needs("p.d", "p.c")) == [
        ("p.c", ("p.a", "p.c", "p.d"))
    ]


def test_an_absent_plugin_binds_nobody_but_is_waited_for() -> None:
    """The group draws its shard for it, so that it is there already when the plugin comes."""
    [first, second] = gather_groups([_needs("p.a", "p.z", "p.y"), _needs("p.b", "p.y")])

    assert (first.head, first.anchor) == ("p.a", "p.y")
    assert (second.head, second.anchor) == ("p.b", "p.y")


def test_dependencies_bind_only_when_they_are_to() -> None:
    """together_with always does."""
    candidates = [
        Candidate("p.a", depends_on=["p.b"]),
        Candidate("p.b"),
        Candidate("p.c", together_with=["p.b"]),
    ]

    groups = gather_groups(candidates, keep_dependencies_together=False)

    assert [group.ids for group in groups] == [("p.a",), ("p.b", "p.c")]


def test_a_tie_to_oneself_is_none() -> None:
    """Nor is one that is given twice two."""
    [group] = gather_groups([_needs("p.a", "p.a"), _needs("p.b", "p.a", "p.a")])

    assert group.ties == (Tie("p.b", "p.a", is_dependency=True),)


def test_a_group_sums_up_its_members() -> None:
    """Their weight and who of them is named."""
    [group] = gather_groups(
        [Candidate("p.a", weight=0.1, shard="s"), Candidate("p.b", weight=0.2, together_with=["p.a"])]
    )

    assert group.weight == Fraction(3, 10)
    assert [member.plugin_id for member in group.named] == ["p.a"]
    assert group.trust == "trusted"


def test_routes_lead_to_the_nearest_goal() -> None:
    """Along ties in either direction; of equally near goals to the first by id."""
    [group] = gather_groups(
        [
            _needs("p.a", "p.b"),
            _needs("p.b", "p.c"),
            _needs("p.c", "p.d"),
            _needs("p.d", "p.e"),
            Candidate("p.e"),
        ]
    )

    routes = group.routes_to(["p.e", "p.a"])

    assert dict(routes.goal_of) == {"p.a": "p.a", "p.b": "p.a", "p.c": "p.a", "p.d": "p.e", "p.e": "p.e"}
    assert describe_chain(routes.chain_from("p.c")) == "p.b depends on p.c and p.a depends on p.b"
    assert describe_chain(routes.chain_from("p.a")) == ""


def test_a_long_chain_is_cut_short() -> None:
    """Nobody reads thousands of ties."""
    ties = [Tie(f"p.n{number}", f"p.n{number + 1}", is_dependency=True) for number in range(100)]

    words = describe_chain(ties).split(" and ")

    assert words == [*map(str, ties[:MAX_CHAIN_WORDS]), "so on"]
    assert describe_chain(ties[:MAX_CHAIN_WORDS]).split(" and ") == words[:-1]


def test_separations_are_between_plugins_that_are_there() -> None:
    """Each once, by id."""
    separations = find_separations(
        [Candidate("p.b", separate_from=["p.a", "p.z", "p.a"]), Candidate("p.a", separate_from=["p.b"])]
    )

    assert separations == (Separation("p.a", "p.b"), Separation("p.b", "p.a"))
