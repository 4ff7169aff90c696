"""The order of loading follows from the manifests alone, and whoever cannot be in it is told why."""

from __future__ import annotations

import random

from rookery.protocol import Manifest, PluginDependency
from rookery.runner.dependencies import dependents_of, plan_order, sort_by_needs


def _manifests(*lines: str, version: str = "1.0.0") -> dict[str, Manifest]:
    """Manifests of lines like ``a.x: b.x >=1, c.x``."""
    found = {}
    for line in lines:
        plugin_id, _, needs = line.partition(":")
        wanted = []
        for part in filter(None, (piece.strip() for piece in needs.split(","))):
            name, _, spec = part.partition(" ")
            wanted.append(PluginDependency(plugin_id=name, version_spec=spec))
        found[plugin_id] = Manifest(
            plugin_id=plugin_id, version=version, name=plugin_id, dependencies=tuple(wanted)
        )
    return found


def test_everything_comes_behind_what_it_needs() -> None:
    """Kahn's algorithm with a sorted queue: the order in which the manifests come does not count."""
    manifests = _manifests("d.x: b.x, c.x", "b.x: a.x", "c.x: a.x", "a.x", "z.x")
    shuffled = list(manifests.items())
    random.Random(1).shuffle(shuffled)

    order = plan_order(dict(shuffled), {})

    assert order == plan_order(manifests, {})
    assert order.sequence == ("a.x", "z.x", "b.x", "c.x", "d.x")
    assert order.failed == {}


def test_what_is_elsewhere_counts_with_its_version() -> None:
    """A plugin of another runner satisfies a need when its version does."""
    manifests = _manifests("a.x: far.x >=1", "b.x: far.x >=2")

    order = plan_order(manifests, {"far.x": "1.5.0"})

    assert order.sequence == ("a.x",)
    assert order.failed == {"b.x": "needs the plugin far.x >=2, its version is 1.5.0"}


def test_a_failure_spreads_to_whoever_needs_it() -> None:
    """Each is told about the neighbour it needs, not about the first cause."""
    manifests = _manifests("a.x: gone.x", "b.x: a.x", "c.x: b.x", "d.x", "e.x: blocked.x")

    order = plan_order(manifests, {}, unusable=["blocked.x"])

    assert order.sequence == ("d.x",)
    assert order.failed == {
        "a.x": "needs the plugin gone.x, which is not there",
        "b.x": "needs the plugin a.x, which cannot be loaded",
        "c.x": "needs the plugin b.x, which cannot be loaded",
        "e.x": "needs the plugin blocked.x, which cannot be loaded",
    }


def test_a_circle_is_named() -> None:
    """Its members all read the same circle; who only stands behind it reads that."""
    manifests = _manifests("a.x: b.x", "b.x: c.x", "c.x: a.x", "behind.x: c.x", "free.x")

    order = plan_order(manifests, {})

    assert order.sequence == ("free.x",)
    circle = "a.x → b.x → c.x → a.x"
    assert order.failed == {
        "a.x": f"depend on each other in a circle: {circle}",
        "b.x": f"depend on each other in a circle: {circle}",
        "c.x": f"depend on each other in a circle: {circle}",
        "behind.x": f"needs plugins in a circle: {circle}",
    }


def test_dependents_are_found_at_any_distance() -> None:
    """What a reload has to take along."""
    needs = {"a": [], "b": ["a"], "c": ["b"], "d": []}

    assert dependents_of(["a"], needs) == {"a", "b", "c"}
    assert dependents_of(["new"], needs) == {"new"}


def test_names_that_are_no_keys_do_not_count() -> None:
    """What is needed from elsewhere is there already."""
    assert sort_by_needs({"b": ["elsewhere"], "a": ["b"]}) == ["b", "a"]
