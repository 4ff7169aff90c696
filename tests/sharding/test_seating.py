"""Groups that avoid each other take turns, and revise earlier choices only when the last finds no seat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from rookery.sharding import Candidate, Seat
from rookery.sharding import seating as module
from rookery.sharding.affinity import Group, find_separations, gather_groups
from rookery.sharding.seating import Avoidance, Seating
from rookery.sharding.weights import Loads


def _seating(*candidates: Candidate, seats: Sequence[Seat]) -> tuple[Seating, list[list[Group]]]:
    groups = gather_groups(candidates)
    avoidance = Avoidance.between(groups, find_separations(candidates))
    return Seating(Loads({seat.name: seat for seat in seats}), avoidance), avoidance.circles_of(groups)


def _arrange(seating: Seating, circle: Sequence[Group], likings: Mapping[str, str]) -> Group | None:
    """Seat a circle whose members like shards of one letter, in the order of the text."""
    return seating.arrange(circle, lambda group: likings[group.head])


def test_a_circle_is_what_avoids_each_other_and_who_wished_chooses_later() -> None:
    """Whoever avoids nobody is a circle alone."""
    _, circles = _seating(
        Candidate("p.a", separate_from=["p.c"]), Candidate("p.b"), Candidate("p.c"), seats=[Seat("x")]
    )

    assert [[group.head for group in circle] for circle in circles] == [["p.c", "p.a"], ["p.b"]]


def test_the_one_that_wished_to_be_separate_gives_way() -> None:
    """The other sits where it would sit alone."""
    seating, [circle] = _seating(
        Candidate("p.a", separate_from=["p.b"]), Candidate("p.b"), seats=[Seat("x"), Seat("y")]
    )

    assert _arrange(seating, circle, {"p.a": "xy", "p.b": "xy"}) is None
    assert seating.shard_of == {"p.b": "x", "p.a": "y"}


def test_an_earlier_choice_is_revised_when_the_last_finds_no_seat() -> None:
    """The latest first."""
    seating, [circle] = _seating(
        Candidate("p.a"), Candidate("p.b", separate_from=["p.a"]), seats=[Seat("x"), Seat("y")]
    )

    assert _arrange(seating, circle, {"p.a": "xy", "p.b": "x"}) is None
    assert seating.shard_of == {"p.a": "y", "p.b": "x"}


def test_without_a_way_nobody_is_seated() -> None:
    """And the hardest to seat is told."""
    seating, [circle] = _seating(
        Candidate("p.a"),
        Candidate("p.b", separate_from=["p.a"]),
        Candidate("p.c", separate_from=["p.a", "p.b"]),
        seats=[Seat("x"), Seat("y")],
    )

    stuck = _arrange(seating, circle, {"p.a": "xy", "p.b": "xy", "p.c": "xy"})

    assert stuck is not None
    assert stuck.head == "p.c"
    assert seating.shard_of == {}
    assert seating.loads.count_on("x") == seating.loads.weight_on("x") == 0


def test_the_search_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colouring a graph can take for ever; then nobody is seated either."""
    monkeypatch.setattr(module, "MAX_REVISIONS", 10)
    ids = [f"p.{letter}" for letter in "abcdefg"]
    seating, [circle] = _seating(
        *(Candidate(one, separate_from=[other for other in ids if other != one]) for one in ids),
        seats=[Seat(name) for name in "uvwxyz"],
    )

    assert _arrange(seating, circle, dict.fromkeys(ids, "uvwxyz")) is not None
    assert seating.shard_of == {}


def test_a_full_seat_admits_nobody() -> None:
    """Until somebody is taken back."""
    seating, [[first], [second]] = _seating(
        Candidate("p.a"), Candidate("p.b"), seats=[Seat("x", capacity=1.0)]
    )
    seating.put(first, "x")

    assert list(seating.admitted(second, "x")) == []
    seating.take_back(first)
    seating.take_back(first)  # it has been done
    assert list(seating.admitted(second, "x")) == ["x"]


def test_an_empty_circle_is_seated() -> None:
    """There is nothing to do."""
    seating, _ = _seating(seats=[Seat("x")])

    assert _arrange(seating, [], {}) is None
