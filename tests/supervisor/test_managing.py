"""Is what plugins are told of plugins what is there now, and is it put together once for all who ask?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rookery.protocol import ComponentDeclaration, Manifest, RegisterComponents
from rookery.supervisor.api_table import ApiTable
from rookery.supervisor.catalog import InstalledPlugin, Source
from rookery.supervisor.component import Api
from rookery.supervisor.declaration import make_component
from rookery.supervisor.managing import Managing
from rookery.supervisor.observers import Observers
from rookery.supervisor.registry import Registry
from rookery.supervisor.settings import Settings


def _installed(name: str, version: str = "1.0.0") -> InstalledPlugin:
    manifest = Manifest(plugin_id="p.a", version=version, name=name)
    return InstalledPlugin(manifest=manifest, path=Path("/d"), source=Source.DIRECTORY)


class Tree:
    """One plugin with a tool, and who answers for it."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.apis = ApiTable(self.registry)
        self.installed = {"p.a": _installed("first")}
        settings = Settings(path=Path("/d/rookery.toml"), name="bot", state_dir=Path("/d/state"))
        self.managing = Managing(
            settings, self.registry, self.apis, Observers(), self.installed, lambda *_: None
        )
        self.register("add")

    def register(self, *names: str, plugin_id: str = "p.a", live: bool = True) -> None:
        components = [ComponentDeclaration(name=name, component_type="TOOL") for name in names]
        registered = RegisterComponents(plugin_id=plugin_id, components=components)
        self.registry.register(registered, shard="one", is_trusted=True, live=live)

    def offer_api(self, name: str) -> None:
        registration = self.registry.registration("p.a")
        assert registration is not None
        declared = ComponentDeclaration(name=name, component_type="API", metadata={"dynamic": True})
        api = make_component(declared, plugin_id="p.a", shard="one", is_trusted=True, path="apis[0]")
        assert isinstance(api, Api)
        self.apis.replace_dynamic("p.a", [api], "", registration)

    def told(self) -> dict[str, tuple[str, list[tuple[str, bool]]]]:
        """By plugin its name, and its components with whether they are on."""
        return {
            plugin_id: (told["name"], [(each["name"], each["enabled"]) for each in told["components"]])
            for plugin_id, told in self.managing.all_plugins().items()
        }


@pytest.fixture
def tree() -> Tree:
    return Tree()


def test_what_nobody_has_changed_is_not_put_together_again(tree: Tree) -> None:
    """Whoever asks all the time costs the host no more than the answer."""
    assert tree.managing.all_plugins() is tree.managing.all_plugins()


CHANGES: list[tuple[str, Callable[[Tree], Any], dict[str, Any]]] = [
    (
        "another registration",
        lambda tree: tree.register("sub", "mul"),
        {"p.a": ("first", [("sub", True), ("mul", True)])},
    ),
    (
        "another plugin",
        lambda tree: tree.register("look", plugin_id="p.b"),
        {"p.a": ("first", [("add", True)]), "p.b": ("p.b", [("look", True)])},
    ),
    ("its end", lambda tree: tree.registry.unregister("p.a"), {}),
    (
        "a switch",
        lambda tree: tree.registry.set_enabled("p.a.add", False),
        {"p.a": ("first", [("add", False)])},
    ),
    (
        "a dynamic API",
        lambda tree: tree.offer_api("sum"),
        {"p.a": ("first", [("add", True), ("sum", True)])},
    ),
    (
        "another manifest",
        lambda tree: tree.installed.update({"p.a": _installed("second")}),
        {"p.a": ("second", [("add", True)])},
    ),
]


@pytest.mark.parametrize(
    ("change", "told"), [pytest.param(change, told, id=name) for name, change, told in CHANGES]
)
def test_every_change_is_told_at_once(
    tree: Tree, change: Callable[[Tree], Any], told: dict[str, Any]
) -> None:
    """Whatever the answer is made of."""
    before = tree.told()

    change(tree)

    assert before == {"p.a": ("first", [("add", True)])}
    assert tree.told() == told


def test_what_still_loads_is_not_told(tree: Tree) -> None:
    """Until it is published."""
    tree.register("sub", live=False)
    staged = tree.told()

    tree.registry.publish(["p.a"], ["p.a"])

    assert staged == {"p.a": ("first", [("add", True)])}
    assert tree.told() == {"p.a": ("first", [("sub", True)])}
