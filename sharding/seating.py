"""On which seats do groups end up that avoid each other, when seats can be full?

Each group takes the first seat of its own liking that is free for it. Of two groups that avoid each other the one that
wished to be separate chooses later, so it gives way and the other is undisturbed. Where the last of them finds no
seat, the earlier choices among the groups that avoid each other are revised, the latest first, until all sit or every
way is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from .graph import components, sort_after
from .weights import Loads

if TYPE_CHECKING:
    from .affinity import Group, Separation

MAX_REVISIONS = 20_000
"""Ways tried for one set of groups that avoid each other, some tenths of a second. Colouring a graph is as hard as it
looks; a deployment that needs more is better told to name a shard."""


@attrs.frozen
class Avoidance:
    """Which groups avoid which; groups are called by their heads."""

    gives_way_to: Mapping[str, frozenset[str]]
    """The groups that a group wished to be separate from."""
    avoids: Mapping[str, frozenset[str]]
    """The same and the reverse: the groups that it shares no shard with."""

    @classmethod
    def between(cls, groups: Iterable[Group], separations: Iterable[Separation]) -> Avoidance:
        heads = {plugin_id: group.head for group in groups for plugin_id in group.ids}
        gives_way: dict[str, set[str]] = {head: set() for head in heads.values()}
        avoids: dict[str, set[str]] = {head: set() for head in heads.values()}
        for wish in separations:
            here, there = heads.get(wish.plugin_id), heads.get(wish.avoided)
            if here is not None and there is not None and here != there:
                gives_way[here].add(there)
                avoids[here].add(there)
                avoids[there].add(here)
        return cls(_frozen(gives_way), _frozen(avoids))

    def circles_of(self, groups: Iterable[Group]) -> list[list[Group]]:
        """The groups in sets that have nothing to do with each other, each in the order in which they choose."""
        by_head = {group.head: group for group in groups}
        avoids = {head: self.avoids[head] & by_head.keys() for head in by_head}
        gives_way = {head: self.gives_way_to[head] & by_head.keys() for head in by_head}
        return [
            [by_head[head] for head in sort_after({head: gives_way[head] for head in circle})]
            for circle in components(avoids)
        ]


def _frozen(edges: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    return {head: frozenset(others) for head, others in edges.items()}


@attrs.define
class Seating:
    """Who sits where so far. Two groups that avoid each other never share a seat."""

    loads: Loads
    avoidance: Avoidance
    shard_of: dict[str, str] = attrs.field(factory=dict, init=False)
    """By the group's head."""

    def admitted(self, group: Group, shards: Iterable[str]) -> Iterator[str]:
        """Those of the seats that a group which is not seated may take. Its trust is the caller's concern."""
        avoided = {self.shard_of.get(other) for other in self.avoidance.avoids[group.head]}
        return (
            shard for shard in shards if shard not in avoided and self.loads.has_room(shard, group.weight)
        )

    def put(self, group: Group, shard: str) -> None:
        self.shard_of[group.head] = shard
        self.loads.add(shard, group.weight, len(group.members))

    def take_back(self, group: Group) -> None:
        """Undo `put`, if it was done."""
        shard = self.shard_of.pop(group.head, None)
        if shard is not None:
            self.loads.add(shard, -group.weight, -len(group.members))

    def arrange(self, circle: Sequence[Group], liking: Callable[[Group], Iterable[str]]) -> Group | None:
        """Seat all groups of a circle, or none of them.

        Args:
            circle: Groups without a seat, in the order in which they choose.
            liking: The seats a group may take, the best first; asked when its turn comes.

        Returns:
            None when all sit, else the group that was hardest to seat.
        """
        choices = [iter(liking(circle[0]))] if circle else []
        furthest = revisions = 0
        while choices:
            group = circle[len(choices) - 1]
            self.take_back(group)
            shard = next(self.admitted(group, choices[-1]), None)
            if shard is not None:
                self.put(group, shard)
                if len(choices) == len(circle):
                    return None
                choices.append(iter(liking(circle[len(choices)])))
                continue
            furthest = max(furthest, len(choices) - 1)
            revisions += 1
            choices.pop()
            if revisions == MAX_REVISIONS:
                break
        for group in circle:
            self.take_back(group)
        return circle[furthest] if circle else None
