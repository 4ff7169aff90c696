"""Which groups of handlers have two ends agreed to call by a number?

A list of handlers that is asked again and again crosses the wire once, with a number, and from then on the number stands for it.
Both ends keep the same groups, because both let go of the oldest by the same rule, in the order in which groups were sent.
"""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")

MAX_GROUPS = 64
MAX_MEMBERS = 65_536
"""Of all groups together; the latest is kept however large it is."""


class Groups(Generic[T]):
    """What one end knows of the groups of one connection."""

    def __init__(self) -> None:
        self._groups: dict[int, tuple[int, T]] = {}
        self._members = 0

    def __contains__(self, number: int) -> bool:
        return number in self._groups

    def get(self, number: int) -> T | None:
        found = self._groups.get(number)
        return None if found is None else found[1]

    def add(self, number: int, members: int, value: T) -> None:
        """A group has been sent for the first time, or again after it was let go."""
        self._members += members - self._groups.pop(number, (0, None))[0]
        self._groups[number] = (members, value)
        while len(self._groups) > 1 and (len(self._groups) > MAX_GROUPS or self._members > MAX_MEMBERS):
            oldest = next(iter(self._groups))
            self._members -= self._groups.pop(oldest)[0]
