"""Weights add up as the decimals that people wrote."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

from rookery.sharding import Candidate, Seat
from rookery.sharding.weights import Loads, exact, shares_of, weigh


def test_three_tenths_are_three_tenths() -> None:
    """With floats they would be a little more."""
    tenths = [Candidate(f"p.n{number}", weight=0.1) for number in range(3)]

    assert weigh(tenths) == Fraction(3, 10)
    assert weigh([]) == 0


def test_a_seat_is_full_at_its_capacity_in_any_order() -> None:
    """What fits does not depend on what came first."""
    for weights in permutations([0.1, 0.2, 0.7]):
        loads = Loads({"s": Seat("s", capacity=1.0)})
        for weight in weights:
            assert loads.has_room("s", exact(weight))
            loads.add("s", exact(weight), 1)
        assert not loads.has_room("s", exact(0.001))
        assert loads.has_room("s", Fraction(0))


def test_what_is_taken_off_leaves_nothing() -> None:
    """Exactly nothing."""
    loads = Loads({"s": Seat("s")})
    loads.add("s", exact(0.1), 2)
    loads.add("s", exact(0.2), 1)
    loads.add("s", -exact(0.1), -2)
    loads.add("s", -exact(0.2), -1)

    assert (loads.weight_on("s"), loads.count_on("s")) == (0, 0)


def test_a_seat_without_a_limit_counts_like_the_largest() -> None:
    """And like one where none has a limit."""
    assert shares_of([Seat("a", capacity=2.0), Seat("b", capacity=5.0), Seat("c")]) == {
        "a": 2.0,
        "b": 5.0,
        "c": 5.0,
    }
    assert shares_of([Seat("a"), Seat("b")]) == {"a": 1.0, "b": 1.0}
