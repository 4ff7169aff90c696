"""Wishes that exclude each other are named with both plugins and a way out, all at once."""

from __future__ import annotations

import pytest

from rookery.sharding import Candidate, Contradiction, PlacementError, PlacementRequest, Policy, Seat, place

SEATS = (Seat("s1"), Seat("s2"), Seat("open", trust="untrusted"), Seat("gate", explicit_only=True))


def _complaints(
    *candidates: Candidate, policy: Policy = Policy.SPREAD, seats: tuple[Seat, ...] = SEATS
) -> list[Contradiction]:
    with pytest.raises(PlacementError) as caught:
        place(PlacementRequest(candidates=candidates, seats=seats, policy=policy))
    return list(caught.value.contradictions)


@pytest.mark.parametrize(
    ("candidates", "first", "second", "why"),
    [
        pytest.param(
            [Candidate("p.a"), Candidate("p.a")],
            "p.a",
            "p.a",
            "p.a is given twice: install one copy, or give the other an id of its own",
            id="two of one id",
        ),
        pytest.param(
            [Candidate("p.a", shard="s1"), Candidate("p.b", shard="s2", depends_on=["p.a"])],
            "p.a",
            "p.b",
            'p.a is named for shard "s1" and p.b for shard "s2", but p.b depends on p.a: name one shard for both, '
            "or set keep_dependencies_together = false to let them part",
            id="tied and named for two shards",
        ),
        pytest.param(
            [
                Candidate("p.a", shard="s1", together_with=["p.m"]),
                Candidate("p.b", shard="s2", depends_on=["p.m"]),
                Candidate("p.m"),
            ],
            "p.a",
            "p.b",
            'p.a is named for shard "s1" and p.b for shard "s2", but p.a is to be together with p.m and '
            "p.b depends on p.m: name one shard for both, or take together_with back to let them part",
            id="tied through a third",
        ),
        pytest.param(
            [Candidate("p.a", trust="untrusted"), Candidate("p.b", depends_on=["p.a"])],
            "p.b",
            "p.a",
            "p.b is trusted and p.a is untrusted, which never share a shard, but p.b depends on p.a: "
            "give both the same trust, or set keep_dependencies_together = false to let them part",
            id="tied across trust levels",
        ),
        pytest.param(
            [Candidate("p.a"), Candidate("p.b", depends_on=["p.a"], separate_from=["p.a"])],
            "p.b",
            "p.a",
            "p.b is to be separate from p.a, but p.b depends on p.a: take separate_from back, "
            "or set keep_dependencies_together = false to let them part",
            id="tied and separate",
        ),
        pytest.param(
            [Candidate("p.a", separate_from=["p.a"])],
            "p.a",
            "p.a",
            "p.a is to be separate from itself: take it out of its separate_from",
            id="separate from itself",
        ),
        pytest.param(
            [Candidate("p.a", shard="s9")],
            "p.a",
            "s9",
            'p.a is named for shard "s9", which does not exist; there are: gate, open, s1, s2',
            id="a shard that does not exist",
        ),
        pytest.param(
            [Candidate("p.a", shard="open")],
            "p.a",
            "open",
            'p.a is trusted, but shard "open", which is named for it, is for untrusted plugins only: '
            "name a shard of its own trust level",
            id="a shard of another trust level",
        ),
        pytest.param(
            [Candidate("p.a", shard="gate"), Candidate("p.b", depends_on=["p.a"])],
            "p.b",
            "p.a",
            'p.b depends on p.a, but shard "gate" of p.a takes only plugins that name it: name it for p.b too, '
            "or set keep_dependencies_together = false to let them part",
            id="dragged along into a closed shard",
        ),
        pytest.param(
            [Candidate("p.a", shard="s1"), Candidate("p.b", shard="s1", separate_from=["p.a"])],
            "p.b",
            "p.a",
            'p.b is to be separate from p.a, but both are named for shard "s1", or tied to plugins that are: '
            "name another shard",
            id="separate and named for one shard",
        ),
        pytest.param(
            [Candidate("p.a", trust="strange")],
            "p.a",
            "",
            "no shard is open to strange plugins, so policy spread finds none for p.a: "
            "add a shard of that trust level, or name one for it",
            id="no shard of its trust level",
        ),
    ],
)
def test_a_contradiction_says_who_why_and_what_to_change(
    candidates: list[Candidate], first: str, second: str, why: str
) -> None:
    """In one sentence that makes sense alone."""
    assert _complaints(*candidates) == [Contradiction(first, second, why)]


def test_plugins_that_outweigh_their_shard_are_listed() -> None:
    """The heaviest first, with what is tied to them."""
    [found] = _complaints(
        Candidate("p.a", weight=0.5, shard="s1"),
        Candidate("p.b", weight=2.0, depends_on=["p.a"]),
        seats=(Seat("s1", capacity=2.0),),
    )

    assert (found.first, found.second) == ("p.b", "p.a")
    assert found.why == (
        'shard "s1" has a capacity of 2, but what is named for it weighs 2.5: p.b (2), p.a (0.5); '
        "raise the capacity or name another shard for one of them"
    )


def test_explicit_needs_a_name_for_every_group() -> None:
    """A tie to a named plugin is enough."""
    [found] = _complaints(
        Candidate("p.a", shard="s1"),
        Candidate("p.b", depends_on=["p.a"]),
        Candidate("p.c"),
        policy=Policy.EXPLICIT,
    )

    assert found.why == "policy explicit needs a named shard for p.c: name one, or choose another policy"


def test_a_group_that_fits_nowhere_is_told_the_shards() -> None:
    """With their capacities."""
    [found] = _complaints(
        Candidate("p.a", weight=3.0), seats=(Seat("s1", capacity=2.0), Seat("s2", capacity=1.0))
    )

    assert found.why == (
        "no shard has room for p.a, which weighs 3 with what is tied to it; there are: "
        '"s1" (up to 2), "s2" (up to 1). Raise a capacity or add a shard'
    )


def test_more_that_must_be_apart_than_shards_are_named_in_pairs() -> None:
    """Each pair that the group without a shard is part of."""
    found = _complaints(
        Candidate("p.a"),
        Candidate("p.b", separate_from=["p.a"]),
        Candidate("p.c", separate_from=["p.a", "p.b"]),
        seats=(Seat("s1"), Seat("s2")),
    )

    assert {(each.first, each.second) for each in found} == {("p.c", "p.a"), ("p.c", "p.b")}
    assert found[0].why == (
        "p.c is to be separate from p.a, but with all that must be apart no shard was found for p.c; "
        'there are: "s1", "s2". Add a shard, or take a separate_from back'
    )


def test_everything_that_is_wrong_comes_out_at_once() -> None:
    """One by id after the other, under one headline."""
    with pytest.raises(PlacementError) as caught:
        place(
            PlacementRequest(
                candidates=[
                    Candidate("p.c", shard="s9"),
                    Candidate("p.a", separate_from=["p.a"]),
                    Candidate("p.b", weight=3.0),
                ],
                seats=[Seat("s1", capacity=2.0)],
                policy=Policy.PACK,
            )
        )

    assert [found.first for found in caught.value.contradictions] == ["p.a", "p.b", "p.c"]
    assert str(caught.value).startswith("no plan meets these wishes:\n  - p.a is to be separate from itself")


def test_many_names_in_one_group_make_few_complaints() -> None:
    """At most one a tie: all pairs of a thousand plugins around one would be half a million."""
    found = _complaints(
        Candidate("p.core"),
        *(
            Candidate(f"p.n{number:03}", depends_on=["p.core"], shard=f"s{number % 2 + 1}")
            for number in range(1000)
        ),
    )

    assert len(found) == 500
    assert all(each.first == "p.n000" for each in found)
