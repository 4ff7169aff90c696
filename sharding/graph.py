"""What does a graph of names hold: connected parts, cycles, an order?"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


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


def knots(edges: Mapping[str, Iterable[str]]) -> list[frozenset[str]]:
    """The nodes in sets of which each leads to every other: what lies on cycles together, else a node alone.

    In linear time (Tarjan's algorithm, without its recursion).
    """
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_nodes: list[str] = []
    closed: set[str] = set()
    found: list[frozenset[str]] = []

    def enter(node: str) -> tuple[str, Iterator[str]]:
        number[node] = lowest[node] = len(number)
        open_nodes.append(node)
        return node, iter(edges[node])

    def close(first: str) -> None:
        start = len(open_nodes) - 1
        while open_nodes[start] != first:
            start -= 1
        found.append(frozenset(open_nodes[start:]))
        closed.update(open_nodes[start:])
        del open_nodes[start:]

    for root in edges:
        path = [enter(root)] if root not in number else []
        while path:
            node, untried = path[-1]
            there = next(untried, None)
            if there is None:
                path.pop()
                if path:
                    above = path[-1][0]
                    lowest[above] = min(lowest[above], lowest[node])
                if lowest[node] == number[node]:
                    close(node)
            elif there not in number:
                path.append(enter(there))
            elif there not in closed:
                lowest[node] = min(lowest[node], number[there])
    return found


def sort_after(edges: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """The nodes in an order in which each comes after all it leads to, but for those that lead back to it.

    Whenever several could be next, the smallest is. A node that nothing leads to changes nothing for the others.
    """
    knot_of = {node: knot for knot in knots(edges) for node in knot}
    waits_for = {
        knot: {knot_of[there] for node in knot for there in edges[node]} - {knot}
        for knot in dict.fromkeys(knot_of.values())
    }
    held_up: dict[frozenset[str], list[frozenset[str]]] = {knot: [] for knot in waits_for}
    for knot, others in waits_for.items():
        for other in others:
            held_up[other].append(knot)
    missing = {knot: len(others) for knot, others in waits_for.items()}
    left = {knot: len(knot) for knot in waits_for}
    ready = [node for node in edges if not missing[knot_of[node]]]
    heapify(ready)
    while ready:
        node = heappop(ready)
        yield node
        knot = knot_of[node]
        left[knot] -= 1
        for other in held_up[knot] if not left[knot] else ():
            missing[other] -= 1
            for freed in other if not missing[other] else ():
                heappush(ready, freed)
