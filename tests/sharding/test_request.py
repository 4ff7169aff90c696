"""Mistakes in a request are refused where they are made, with what was given and what was expected."""

from __future__ import annotations

import pytest

from rookery.sharding import Candidate, PlacementRequest, Policy, Seat


@pytest.mark.parametrize("weight", [-0.1, float("inf"), float("nan")])
def test_a_weight_is_a_number_from_nothing_up(weight: float) -> None:
    """Zero is fine."""
    assert Candidate("p.a", weight=0.0).weight == 0.0
    with pytest.raises(ValueError, match=rf"weight is {weight!r}, expected a number from 0 up"):
        Candidate("p.a", weight=weight)


@pytest.mark.parametrize("capacity", [0.0, -1.0, float("inf"), float("nan")])
def test_a_capacity_is_above_nothing(capacity: float) -> None:
    """No limit is None, not infinity."""
    with pytest.raises(ValueError, match=rf"capacity is {capacity!r}, expected a number above 0, or None"):
        Seat("s", capacity=capacity)


@pytest.mark.parametrize("plugin_id", ["", "word", "a..b", "a.b ", "a b.c"])
def test_a_plugin_id_is_words_that_are_joined(plugin_id: str) -> None:
    """The protocol's grammar."""
    with pytest.raises(ValueError, match=r"plugin_id is .*, expected two or more words"):
        Candidate(plugin_id)


@pytest.mark.parametrize("name", ["", "-a", "A", "a.b", "a" * 33])
def test_a_shard_name_is_short_and_plain(name: str) -> None:
    """The protocol's grammar."""
    with pytest.raises(ValueError, match=r"name is .*, expected at most 32"):
        Seat(name)


def test_two_seats_of_one_name_are_refused() -> None:
    """The first of such names is told."""
    with pytest.raises(ValueError, match="two seats are called 'a', expected a name of its own for each"):
        PlacementRequest(candidates=[], seats=[Seat("b"), Seat("b"), Seat("a"), Seat("a")])


def test_a_policy_can_be_given_by_its_name() -> None:
    """As a configuration file has it."""
    assert PlacementRequest(candidates=(), policy="pack").policy is Policy.PACK
    with pytest.raises(ValueError, match="'fill' is not a valid Policy"):
        PlacementRequest(candidates=(), policy="fill")
