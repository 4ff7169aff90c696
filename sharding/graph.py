"""What does a graph of names hold: connected parts, and all that can be reached?"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def components(neighbours: Mapping[str, Iterable[str]]) -> list[frozenset[str]]:
    """The connected parts of an undirected graph, in the order of their first node."""
    seen: set[str] = set()
    found = []
    for start in neighbours:
        if start not in seen:
            part = reach(start, neighbours) | {start}
            seen |= part
            found.append(part)
    return found


def reach(start: str, edges: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """All nodes that a path of one edge or more leads to; the start itself only if it lies on a cycle."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = set(edges[waiting.pop()]) - found
        found |= new
        waiting.extend(new)
    return frozenset(found)
