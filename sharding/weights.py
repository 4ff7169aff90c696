"""What does a plugin cost, and what does a shard carry?

Weights add up as the decimals that people wrote: three plugins of 0.1 fit a capacity of 0.3, in any order. With floats
they would not.
"""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING

import attrs

from .request import Candidate, Seat

if TYPE_CHECKING:
    from collections.abc import Iterable


def exact(amount: float) -> Fraction:
    """The decimal that a float prints as."""
    return Fraction(str(amount))


def weigh(candidates: Iterable[Candidate]) -> Fraction:
    """What the plugins cost together."""
    return sum((exact(candidate.weight) for candidate in candidates), Fraction(0))


def shares_of(seats: Iterable[Seat]) -> dict[str, float]:
    """What part of the weight each seat should get: as its capacity; one without a limit counts like the largest."""
    capacities = {seat.name: seat.capacity for seat in seats}
    largest = max((capacity for capacity in capacities.values() if capacity is not None), default=1.0)
    return {name: largest if capacity is None else capacity for name, capacity in capacities.items()}


@attrs.define
class Loads:
    """What each seat carries while a plan is made. Whatever is put on a seat is within its capacity, or was named."""

    seats: dict[str, Seat]
    _weights: dict[str, Fraction] = attrs.field(factory=lambda: defaultdict(Fraction), init=False)
    _counts: dict[str, int] = attrs.field(factory=lambda: defaultdict(int), init=False)

    def weight_on(self, shard: str) -> Fraction:
        return self._weights[shard]

    def count_on(self, shard: str) -> int:
        return self._counts[shard]

    def has_room(self, shard: str, weight: Fraction) -> bool:
        capacity = self.seats[shard].capacity
        return capacity is None or self._weights[shard] + weight <= exact(capacity)

    def add(self, shard: str, weight: Fraction, count: int) -> None:
        """Put plugins on a seat; negative numbers take them off again."""
        self._weights[shard] += weight
        self._counts[shard] += count
