"""What an operator switches off stays off, everywhere or in one session, whatever its plugin registers again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rookery.protocol import ComponentDeclaration, RegisterComponents
from rookery.supervisor.api_table import ApiTable
from rookery.supervisor.conversation import conversation_of_session
from rookery.supervisor.managing import Managing
from rookery.supervisor.observers import Observers
from rookery.supervisor.registry import Registry
from rookery.supervisor.settings import Settings
from rookery.supervisor.switches import Switch, Switches
from tests.doubles.stage import chat

DECLARED = [
    ComponentDeclaration(name="sees", component_type="EVENT_HANDLER", metadata={"event_type": "on_message"}),
    ComponentDeclaration(name="asks", component_type="HOOK_HANDLER", metadata={"hook": "h"}),
    ComponentDeclaration(name="roll", component_type="COMMAND", metadata={"command_name": "roll"}),
    ComponentDeclaration(name="v", component_type="API", metadata={"version": "1"}),
    ComponentDeclaration(name="v", component_type="API", metadata={"version": "2"}),
]


def _register(registry: Registry, *, live: bool = True, plugin_id: str = "p.a", **more: Any) -> None:
    registered = RegisterComponents(plugin_id=plugin_id, components=DECLARED, **more)
    registry.register(registered, shard="one", is_trusted=True, live=live)


def _seen(registry: Registry, group: str | None = None) -> list[str]:
    message = {**chat(group=group), "session_id": f"test:group:{group}" if group else "test:private:u1"}
    return [each.full_name for each in registry.audience("on_message", message).observers]


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    _register(registry)
    return registry


def test_a_component_is_switched_off_and_on(registry: Registry) -> None:
    """An event handler is asked no more, and again."""
    assert registry.set_enabled("p.a.sees", False)
    off = _seen(registry)
    assert registry.set_enabled("p.a.sees", True)

    assert (off, _seen(registry)) == ([], ["p.a.sees"])


def test_an_unknown_component_is_not_switched(registry: Registry) -> None:
    """It says so, and remembers nothing."""
    assert not registry.set_enabled("p.a.nothing", False)
    assert not registry.set_enabled("p", False)
    assert registry.switches.all == ()


def test_all_versions_of_an_api_are_switched(registry: Registry) -> None:
    """They have one name."""
    registry.set_enabled("p.a.v", False)

    assert [api.enabled for api in registry.apis()] == [False, False]


def test_a_session_may_have_it_off(registry: Registry) -> None:
    """There only; events, and everything that is judged by its conversation."""
    registry.set_enabled("p.a.sees", False, "test:group:g")
    registry.set_enabled("p.a.roll", False, "test:group:g")

    (command,) = registry.commands.commands
    served = {
        name: command.serves_in(conversation_of_session(name)) for name in ("test:group:g", "test:group:h")
    }
    assert (_seen(registry, "g"), _seen(registry, "h"), _seen(registry)) == ([], ["p.a.sees"], ["p.a.sees"])
    assert served == {"test:group:g": False, "test:group:h": True}


def test_what_is_off_in_a_session_stays_off_when_it_is_on_everywhere(registry: Registry) -> None:
    """The two say different things."""
    registry.set_enabled("p.a.sees", False, "test:group:g")
    registry.set_enabled("p.a.sees", True)

    assert _seen(registry, "g") == []

    registry.set_enabled("p.a.sees", True, "test:group:g")
    assert _seen(registry, "g") == ["p.a.sees"]


def test_a_plugin_that_registers_again_finds_it_as_it_was(registry: Registry) -> None:
    """Reloaded in place, and staged by a new runner."""
    registry.set_enabled("p.a.sees", False)

    _register(registry)
    reloaded = _seen(registry)
    _register(registry, live=False)
    registry.publish(["p.a"], ["p.a"])

    assert (reloaded, _seen(registry)) == ([], [])


def test_a_staged_plugin_is_switched_before_it_is_live() -> None:
    """It is never seen as it was declared."""
    registry = Registry()
    _register(registry, live=False)

    assert registry.set_enabled("p.a.sees", False)
    registry.publish(["p.a"], ["p.a"])

    assert _seen(registry) == []


def test_a_whole_plugin_is_switched(registry: Registry) -> None:
    """Each of its names once; another plugin's stay."""
    _register(registry, plugin_id="p.b")

    count = registry.set_plugin_enabled("p.a", False)

    assert count == 4
    assert _seen(registry) == ["p.b.sees"]
    assert registry.set_plugin_enabled("p.none", False) == 0


def test_names_with_dots_are_found() -> None:
    """Of the plugin and of the component: both may have some."""
    registry = Registry()
    declared = ComponentDeclaration(name="x.y", component_type="TOOL")
    registry.register(
        RegisterComponents(plugin_id="p.q.r", components=[declared]), shard="one", is_trusted=True, live=True
    )

    assert registry.set_enabled("p.q.r.x.y", False)
    assert [tool.enabled for tool in registry.tools()] == [False]


def test_switches_are_kept_and_restored() -> None:
    """Whoever listens is told each; what was kept holds before the plugin registers at all."""
    kept: dict[str, Switch] = {}
    first = Registry()
    first.switches.on_turned = lambda switch: kept.update({switch.full_name: switch})
    _register(first)
    first.set_enabled("p.a.sees", False, "test:group:g")
    first.set_enabled("p.a.roll", False)
    first.set_enabled("p.a.asks", False, "s")
    first.set_enabled("p.a.asks", True, "s")

    second = Registry()
    second.switches.restore(kept.values())
    _register(second)

    assert [each.full_name for each in second.switches.all] == ["p.a.roll", "p.a.sees"]
    assert _seen(second, "g") == []
    assert [command.enabled for command in second.commands.commands] == [False]


def test_a_switch_that_says_nothing_is_forgotten() -> None:
    """It does not slow anything down."""
    switches = Switches()
    switches.turn("p.a", "sees", False, "s")
    switches.turn("p.a", "sees", True, "s")

    assert (switches.all, switches.sessions) == ((), frozenset())


def test_another_plugins_component_of_the_same_full_name_stays() -> None:
    """Both may have dots: what one plugin has said of its own component says nothing of the other's, also later."""
    registry = Registry()
    for plugin_id, name in (("p.a", "b.c"), ("p.a.b", "c")):
        declared = ComponentDeclaration(name=name, component_type="TOOL", metadata={"description": "d"})
        registry.register(
            RegisterComponents(plugin_id=plugin_id, components=[declared]),
            shard="one",
            is_trusted=True,
            live=True,
        )

    settings = Settings(path=Path("rookery.toml"), name="bot", state_dir=Path("state"))
    managing = Managing(settings, registry, ApiTable(registry), Observers(), {}, lambda *_: None)

    [switchable] = [each for each in managing.find("p.a.b.c", "TOOL") if each.plugin_id == "p.a.b"]
    switchable.turn(False)

    assert {each.plugin_id: each.enabled for each in registry.tools()} == {"p.a": True, "p.a.b": False}
    assert (registry.switches.count_of("p.a"), registry.switches.count_of("p.a.b")) == (0, 1)


def test_the_generation_counts_switching(registry: Registry) -> None:
    """What is remembered of the registry is found again."""
    before = registry.generation
    registry.set_enabled("p.a.roll", False)

    assert registry.generation == before + 1
