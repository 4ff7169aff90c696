"""What lives where changes as a whole: staged while a runner loads, live when it is ready."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.protocol import BadPayload, ComponentDeclaration, RegisterComponents
from rookery.supervisor.declaration import MAX_PATTERNS
from rookery.supervisor.hook_catalogue import CHAT_BEFORE_PROCESS, SEND_AFTER
from rookery.supervisor.hook_specs import HookSpecs
from rookery.supervisor.registry import MAX_COMPONENTS, Registry


def _declare(kind: str, name: str, **metadata: Any) -> ComponentDeclaration:
    return ComponentDeclaration(name=name, component_type=kind, metadata=metadata)


def _event(name: str, **metadata: Any) -> ComponentDeclaration:
    return _declare("EVENT_HANDLER", name, **{"event_type": "e", **metadata})


def _offer(
    registry: Registry, plugin_id: str, *components: ComponentDeclaration, live: bool = True, **more: Any
) -> None:
    registry.register(
        RegisterComponents(plugin_id=plugin_id, components=list(components), **more),
        shard="one",
        is_trusted=True,
        live=live,
    )


def _handlers(registry: Registry, event_type: str = "e") -> list[str]:
    return [each.full_name for each in registry.event_handlers(event_type)]


def test_live_components_are_found() -> None:
    """By event, hook, command, API, and by plugin and name."""
    registry = Registry()
    _offer(
        registry,
        "p.a",
        _event("sees"),
        _declare("HOOK_HANDLER", "asks", hook=CHAT_BEFORE_PROCESS),
        _declare("COMMAND", "roll", command_name="roll"),
        _declare("API", "numbers", version="2"),
        _declare("TOOL", "tool"),
        plugin_version="3.1.4",
        default_config={"a": 1},
    )

    assert _handlers(registry) == ["p.a.sees"]
    assert [each.name for each in registry.hook_handlers(CHAT_BEFORE_PROCESS)] == ["asks"]
    assert [each.name for each in registry.commands.commands] == ["roll"]
    assert [(each.name, each.version) for each in registry.apis()] == [("numbers", "2")]
    assert registry.component("p.a", "tool") is not None
    registration = registry.registration("p.a")
    assert registration is not None
    assert (registration.version, registration.shard, registration.default_config) == (
        "3.1.4",
        "one",
        {"a": 1},
    )


def test_what_is_not_there_is_empty() -> None:
    """And no error."""
    registry = Registry()

    assert registry.event_handlers("e") == registry.hook_handlers("h") == registry.apis() == ()
    assert (
        registry.component("p.a", "x") is registry.registration("p.a") is registry.gateway("p.a", "") is None
    )
    assert registry.unregister("p.a") == 0


def test_staged_components_are_not_dispatched_to() -> None:
    """Until the runner is ready: their on_load still runs."""
    registry = Registry()
    _offer(registry, "p.a", _event("x"), live=False)

    assert _handlers(registry) == []
    assert registry.generation == 0
    registry.publish(["p.a"], ["p.a"])
    assert _handlers(registry) == ["p.a.x"]
    assert registry.generation == 1


def test_the_old_components_serve_until_the_new_runner_is_ready() -> None:
    """A shard that is away is expected back; then all changes at once."""
    registry = Registry()
    _offer(registry, "p.a", _event("old"))
    _offer(registry, "p.b", _event("gone"))
    _offer(registry, "p.a", _event("new"), live=False)

    assert _handlers(registry) == ["p.a.old", "p.b.gone"]
    registry.publish(["p.a", "p.b"], ["p.a"])
    assert _handlers(registry) == ["p.a.new"]


def test_a_plugin_that_registered_and_then_failed_is_gone() -> None:
    """What it staged, and what it had before."""
    registry = Registry()
    _offer(registry, "p.a", _event("old"))
    _offer(registry, "p.a", _event("new"), live=False)

    registry.publish(["p.a"], [])

    assert _handlers(registry) == []


def test_a_runner_that_dies_while_it_loads_changes_nothing() -> None:
    """Neither does the next one publish what it had staged."""
    registry = Registry()
    _offer(registry, "p.a", _event("old"))
    _offer(registry, "p.a", _event("half"), live=False)

    registry.forget_staged(["p.a", "p.b"])
    registry.publish(["p.a"], ["p.a"])

    assert _handlers(registry) == ["p.a.old"]


def test_other_shards_are_not_touched_by_a_publication() -> None:
    """Their plugins are not named."""
    registry = Registry()
    _offer(registry, "p.other", _event("x"))

    registry.publish(["p.a"], [])

    assert _handlers(registry) == ["p.other.x"]


def test_a_registration_replaces_the_one_before() -> None:
    """All of it: what is not named again is gone."""
    registry = Registry()
    _offer(registry, "p.a", _event("x"), _declare("COMMAND", "c", command_name="c"))
    _offer(registry, "p.a", _event("y"))

    assert _handlers(registry) == ["p.a.y"]
    assert registry.commands.commands == ()
    assert registry.component("p.a", "x") is None


def test_a_wrong_registration_leaves_the_old_one() -> None:
    """Nothing of it is taken."""
    registry = Registry()
    _offer(registry, "p.a", _event("old"))

    with pytest.raises(BadPayload, match=r"components\[1\].metadata.event_type"):
        _offer(registry, "p.a", _event("new"), _event("bad", event_type=""))

    assert _handlers(registry) == ["p.a.old"]
    assert registry.generation == 1


def test_unregistering_takes_everything_away() -> None:
    """And says how many components it had, live or staged."""
    registry = Registry()
    _offer(registry, "p.a", _event("x"), _event("y"))
    _offer(registry, "p.b", _event("z"), live=False)

    assert registry.unregister("p.a") == 2
    assert registry.unregister("p.b") == 1
    assert registry.unregister("p.b") == 0
    assert _handlers(registry) == []
    assert registry.registrations == ()


def test_a_dispatch_keeps_the_handlers_it_took() -> None:
    """A change makes new tuples and leaves the old ones alone."""
    registry = Registry()
    _offer(registry, "p.a", _event("x"))
    taken = registry.event_handlers("e")

    registry.unregister("p.a")

    assert [each.full_name for each in taken] == ["p.a.x"]


def test_one_name_stands_for_one_component() -> None:
    """But an API may have several versions."""
    registry = Registry()
    _offer(registry, "p.a", _declare("API", "n", version="1"), _declare("API", "n", version="2"))

    assert [each.version for each in registry.apis()] == ["1", "2"]
    with pytest.raises(BadPayload, match=r"components\[1\].name: 'x' is registered twice"):
        _offer(registry, "p.a", _event("x"), _declare("TOOL", "x"))


@pytest.mark.parametrize(
    "pair",
    [
        pytest.param((_declare("TOOL", "x"), _declare("API", "x")), id="a tool and an API"),
        pytest.param((_declare("API", "x"), _declare("TOOL", "x")), id="an API and a tool"),
        pytest.param((_declare("API", "x"), _declare("API", "x")), id="one version of an API twice"),
    ],
)
def test_a_name_is_not_shared(pair: tuple[ComponentDeclaration, ComponentDeclaration]) -> None:
    """Calls go by plugin and name: whoever came second could never be called."""
    with pytest.raises(BadPayload, match="registered twice"):
        _offer(Registry(), "p.a", *pair)


def test_too_many_components_are_refused() -> None:
    """Before any of them is looked at."""
    with pytest.raises(BadPayload, match=r"components: has 2001, at most 2000 are allowed"):
        _offer(Registry(), "p.a", *[_declare("GADGET", "") for _ in range(MAX_COMPONENTS + 1)])


@pytest.mark.parametrize(
    ("hook", "metadata", "words"),
    [
        pytest.param("no.hook", {}, "there is no hook 'no.hook'", id="an unknown hook"),
        pytest.param(
            SEND_AFTER, {"error_policy": "abort"}, "cannot be aborted", id="a policy that it has not"
        ),
    ],
)
def test_a_hook_handler_that_does_not_fit_its_hook_is_refused(
    hook: str, metadata: dict[str, Any], words: str
) -> None:
    """As the catalogue of hooks says."""
    registry = Registry(check_hook=HookSpecs().complaint_about)

    with pytest.raises(BadPayload, match=words) as caught:
        _offer(registry, "p.a", _declare("HOOK_HANDLER", "x", hook=hook, **metadata))

    assert caught.value.path == "components[0].metadata.hook"


def test_patterns_of_strangers_are_bounded() -> None:
    """In number and in size: they take the host's time with every event. A pattern that several handlers have is one."""
    patterns = [{"pattern": f"word{number}"} for number in range(MAX_PATTERNS + 1)]
    large = [{"pattern": f"{letter}{{350}}"} for letter in "abc"]

    def offer(filters: list[dict[str, str]], *, is_trusted: bool = False) -> None:
        events = [_event(f"h{place}", event_filter=each) for place, each in enumerate(filters)]
        registered = RegisterComponents(plugin_id="p.a", components=events)
        Registry().register(registered, shard="one", is_trusted=is_trusted, live=True)

    offer(patterns[1:] * 2)
    offer(patterns, is_trusted=True)
    with pytest.raises(BadPayload, match=r"components\[20\].*has at most 20 patterns"):
        offer(patterns)
    with pytest.raises(BadPayload, match=r"components\[2\].*together of size 1000"):
        offer(large)


def test_a_gateway_is_found_while_its_plugin_loads() -> None:
    """It says that it is ready from its on_load."""
    registry = Registry()
    _offer(registry, "p.a", _declare("MESSAGE_GATEWAY", "gw", route_type="duplex"), live=False)

    assert registry.gateway("p.a", "gw") is registry.gateway("p.a", "")
    assert registry.gateway("p.a", "gw") is not None
    assert registry.gateway("p.a", "other") is None


def test_an_empty_name_means_the_only_gateway() -> None:
    """Of two, neither."""
    registry = Registry()
    _offer(
        registry,
        "p.a",
        _declare("MESSAGE_GATEWAY", "one", route_type="send"),
        _declare("MESSAGE_GATEWAY", "two", route_type="send"),
        _declare("TOOL", "tool"),
    )

    assert registry.gateway("p.a", "") is None
    assert registry.gateway("p.a", "tool") is None
    assert registry.gateway("p.a", "two") is not None


def test_the_prefix_is_the_deployments() -> None:
    """Also after a change."""
    registry = Registry(prefix="#")
    _offer(registry, "p.a", _declare("COMMAND", "c", command_name="c"))

    assert registry.commands.match("#c", lambda command: True) is not None


def test_nothing_is_kept_of_names_that_nobody_handles_any_more() -> None:
    """A plugin may register for ever new events and stages; and an event for which nobody is left costs nothing."""
    registry = Registry()

    for number in range(3):
        name = f"name{number}"
        _offer(
            registry,
            "p.a",
            _declare("EVENT_HANDLER", "sees", event_type=name),
            _declare("HOOK_HANDLER", "steps", stage=name),
            _declare("HOOK_HANDLER", "hooks", hook=name),
        )
    registry.unregister("p.a")

    assert not registry.has_audience("name2")
    assert (registry._events, registry._stages, registry._hooks) == ({}, {}, {})
