"""Parts, cycles and an order of a graph of names."""

from __future__ import annotations

import pytest

from rookery.sharding.graph import components, knots, reach, sort_after


def _graph(text: str) -> dict[str, list[str]]:
    """`"a>b b c>a,b"`: each node once, with what it leads to."""
    return {
        node: [there for there in targets.split(",") if there]
        for node, _, targets in (part.partition(">") for part in text.split())
    }


def test_components_come_in_the_order_of_their_first_node() -> None:
    """Each node is in one of them."""
    assert components(_graph("c>a a>c b d>e e>d")) == [{"a", "c"}, {"b"}, {"d", "e"}]


@pytest.mark.parametrize(
    ("graph", "reached"),
    [
        pytest.param("a>b b>c c", {"b", "c"}, id="a path without its start"),
        pytest.param("a>b b>a", {"a", "b"}, id="a start that lies on a cycle"),
        pytest.param("a b>a", set(), id="an end"),
    ],
)
def test_reach(graph: str, reached: set[str]) -> None:
    """All nodes that a path of one edge or more leads to."""
    assert reach("a", _graph(graph)) == reached


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        pytest.param("a>b b>c c", [{"a"}, {"b"}, {"c"}], id="a path has no cycle"),
        pytest.param("a>b b>a c>a", [{"a", "b"}, {"c"}], id="a cycle and what leads to it"),
        pytest.param("a>b,c b>d c>d d>a", [{"a", "b", "c", "d"}], id="two cycles that share a node"),
        pytest.param("a>b b>a,c c>d d>c", [{"a", "b"}, {"c", "d"}], id="a cycle that leads to another"),
    ],
)
def test_knots(graph: str, expected: list[set[str]]) -> None:
    """Nodes that lead to each other are one knot."""
    assert sorted(map(sorted, knots(_graph(graph)))) == [sorted(knot) for knot in expected]


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        pytest.param("a b c", "abc", id="by name where nothing else counts"),
        pytest.param("a>c b c", "bca", id="after what it leads to"),
        pytest.param("a>d b>a c d", "cdab", id="after what that leads to"),
        pytest.param("a>b b>a c>a", "abc", id="a cycle by name"),
        pytest.param("a>c b>c c>d d>c", "cdab", id="after a whole cycle"),
    ],
)
def test_sort_after(graph: str, expected: str) -> None:
    """The smallest node that is free to be next."""
    assert "".join(sort_after(_graph(graph))) == expected


def test_a_long_path_is_no_recursion() -> None:
    """Deeper than Python's own stack, and in linear time."""
    names = [f"{number:05}" for number in range(5_000)]
    edges = {here: [there] for here, there in zip(names, [*names[1:], names[-1]], strict=True)}

    assert list(sort_after(edges)) == names[::-1]
    assert len(knots(edges)) == len(names)
