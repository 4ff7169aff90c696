"""One total order of handlers, wherever they live and however they registered."""

from __future__ import annotations

from itertools import permutations
from typing import Any

from rookery.protocol import ComponentDeclaration
from rookery.supervisor.component import Component
from rookery.supervisor.declaration import make_component
from rookery.supervisor.ordering import event_order, hook_order, name_order


def _make(kind: str, place: str, *, is_trusted: bool = True, shard: str = "one", **metadata: Any) -> Any:
    plugin_id, _, name = place.rpartition(".")
    declared = ComponentDeclaration(name=name, component_type=kind, metadata=metadata)
    return make_component(declared, plugin_id=plugin_id, shard=shard, is_trusted=is_trusted, path="")


def _names(components: list[Component]) -> list[str]:
    return [each.full_name for each in components]


def test_events_go_by_weight_then_plugin_then_name() -> None:
    """The heaviest first; the shard says nothing."""
    handlers = [
        _make("EVENT_HANDLER", "p.b.x", event_type="e", weight=5, shard="zz"),
        _make("EVENT_HANDLER", "p.a.y", event_type="e", shard="two"),
        _make("EVENT_HANDLER", "p.b.w", event_type="e", shard="aa"),
        _make("EVENT_HANDLER", "p.a.z", event_type="e", weight=-1),
    ]

    for mixed in permutations(handlers):
        assert _names(sorted(mixed, key=event_order)) == ["p.b.x", "p.a.y", "p.b.w", "p.a.z"]


def test_hooks_go_by_mode_order_trust_plugin_and_name() -> None:
    """In this order of importance."""
    handlers = [
        _make("HOOK_HANDLER", "p.a.a", hook="h", mode="observe", order="early"),
        _make("HOOK_HANDLER", "p.a.b", hook="h", order="late"),
        _make("HOOK_HANDLER", "p.a.c", hook="h", is_trusted=False),
        _make("HOOK_HANDLER", "p.z.d", hook="h", shard="zz"),
        _make("HOOK_HANDLER", "p.b.e", hook="h"),
        _make("HOOK_HANDLER", "p.z.f", hook="h", order="early", is_trusted=False),
    ]

    for mixed in permutations(handlers):
        assert _names(sorted(mixed, key=hook_order)) == [
            "p.z.f",
            "p.b.e",
            "p.z.d",
            "p.a.c",
            "p.a.b",
            "p.a.a",
        ]


def test_the_rest_goes_by_plugin_and_name() -> None:
    """Commands and APIs."""
    apis = [_make("API", "p.b.a"), _make("API", "p.a.c"), _make("API", "p.a.b")]

    assert _names(sorted(apis, key=name_order)) == [
        "p.a.b",
        "p.a.c",
        "p.b.a",
    ]


def test_a_strangers_name_comes_after_trusted_ones() -> None:
    """Its plugin's id may begin with any letter: no command of a trusted plugin is taken over by it."""
    ours = _make("COMMAND", "z.ours.help", command_name="help")
    strangers = _make("COMMAND", "a.stranger.help", is_trusted=False, command_name="help")

    assert _names(sorted([strangers, ours], key=name_order)) == ["z.ours.help", "a.stranger.help"]
