"""component.* and tool.get_definitions: what plugins know of plugins, and how far they may change them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from rookery.protocol import ErrorCode, Manifest
from rookery.supervisor import managing
from rookery.supervisor.api_table import ApiTable
from rookery.supervisor.capabilities import CapabilityTable, register_component
from rookery.supervisor.catalog import InstalledPlugin, Source
from rookery.supervisor.grants import Grants
from rookery.supervisor.managing import Managing
from rookery.supervisor.observers import CapabilityDenied, Observers, PluginManaged
from rookery.supervisor.reload_result import ReloadResult
from rookery.supervisor.settings import PluginSettings, Settings
from rookery.supervisor.store import open_store
from rookery.supervisor.switch_record import restore_switches
from rookery.supervisor.switches import Switches
from tests.doubles.capability_calls import Caller
from tests.doubles.stage import Stage, open_stage, said


@attrs.define
class Scene:
    """Three plugins: p.a may change nobody, p.admin may change p.a, p.root everybody."""

    stage: Stage
    managing: Managing
    caller: Caller
    records: list[object]
    reloaded: list[tuple[str, str]] = attrs.Factory(list)
    result: ReloadResult = attrs.Factory(lambda: ReloadResult(requested=()))

    async def reload(self, plugin_id: str, reason: str) -> ReloadResult:
        self.reloaded.append((plugin_id, reason))
        return self.result

    async def ask(self, name: str, args: Any = None, plugin_id: str = "p.a") -> Any:
        return await self.caller.ask(name, args, plugin_id=plugin_id)

    def changes(self) -> list[tuple[str, str, str]]:
        return [
            (each.plugin_id, each.target, each.change)
            for each in self.records
            if isinstance(each, PluginManaged)
        ]

    def is_enabled(self, plugin_id: str, name: str) -> bool:
        found = self.stage.registry.component(plugin_id, name)
        assert found is not None
        return found.enabled


@pytest.fixture
async def scene(nursery: trio.Nursery) -> AsyncIterator[Scene]:
    async with open_stage("one") as stage:
        settings = Settings(
            path=Path("/d/rookery.toml"),
            name="bot",
            state_dir=Path("/d/state"),
            plugins={
                "p.admin": PluginSettings(manages=("p.a",)),
                "p.root": PluginSettings(manages=("*",)),
            },
        )
        installed = {
            name: InstalledPlugin(
                manifest=Manifest(
                    plugin_id=name, version="1.0.0", name=name.upper(), description="does", author="me"
                ),
                path=Path("/d"),
                source=Source.DIRECTORY,
            )
            for name in ("p.a", "p.b", "p.admin", "p.root")
        }
        records: list[object] = []
        observers = Observers()
        observers.add(records.append)
        made = Managing(
            settings, stage.registry, ApiTable(stage.registry), observers, installed, nursery.start_soon
        )
        grants = Grants()
        for name in installed:
            grants.grant(name, ["component.*", "tool.*"], None)
        table = CapabilityTable(grants)
        table.on_denied = records.append
        register_component(table, made)
        await nursery.start(table.run)
        found = Scene(stage, made, Caller(table), records)
        made.reload = found.reload
        stage.offer(
            "tool", "p.a", "add", said(), description="adds", parameters_raw={"x": {"type": "integer"}}
        )
        stage.offer("command", "p.a", "roll", said())
        stage.offer("api", "p.a", "sum", said(), version="1", public=True)
        stage.offer("tool", "p.b", "look", said())
        yield found
        nursery.cancel_scope.cancel()


# --- reading -----------------------------------------------------------------------------------------------------------


async def test_plugins_are_shown_with_their_components(scene: Scene) -> None:
    """In the form of protocol 1.0.0: all, one, and their ids."""
    everybody = (await scene.ask("component.get_all_plugins"))["plugins"]
    own = (await scene.ask("component.get_plugin_info", {"plugin_name": None}))["plugin"]

    assert sorted(everybody) == ["p.a", "p.b"]
    assert {
        key: everybody["p.a"][key] for key in ("name", "version", "description", "author", "enabled")
    } == {
        "name": "P.A",
        "version": "1.0.0",
        "description": "does",
        "author": "me",
        "enabled": True,
    }
    assert [(each["full_name"], each["type"], each["enabled"]) for each in own["components"]] == [
        ("p.a.add", "TOOL", True),
        ("p.a.roll", "COMMAND", True),
        ("p.a.sum", "API", True),
    ]
    assert (own["default_config"], own["config_schema"]) == ({}, {})
    for name in ("component.list_loaded_plugins", "component.list_registered_plugins"):
        assert (await scene.ask(name))["plugins"] == ["p.a", "p.b"]


async def test_the_schema_of_a_configuration_is_shown(scene: Scene) -> None:
    """With its defaults; a plugin that is not there has none."""
    schema = await scene.ask("component.get_plugin_config_schema", {"plugin_name": "p.b"})
    unknown = await scene.ask("component.get_plugin_config_schema", {"plugin_name": "p.z"})

    assert schema == {"success": True, "plugin_id": "p.b", "schema": {}, "default_config": {}}
    assert unknown["success"] is False
    assert "p.z" in unknown["error"]


async def test_tools_are_defined_for_a_language_model(scene: Scene) -> None:
    """By their full names, with a schema; what is switched off or hidden is not among them."""
    scene.stage.offer("tool", "p.b", "secret", said(), visibility="hidden")
    scene.stage.registry.set_enabled("p.b.look", False)

    [tool] = (await scene.ask("tool.get_definitions"))["tools"]

    assert tool["name"] == "p.a.add"
    assert tool["definition"]["description"] == "adds"
    assert tool["definition"]["parameters"]["properties"] == {"x": {"type": "integer"}}


# --- switching ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "component"),
    [
        ("p.a.add", "TOOL", "add"),
        ("add", "tool", "add"),
        ("add", " Action ", "add"),
        ("roll", "COMMAND", "roll"),
        ("p.a.sum", "API", "sum"),
    ],
)
async def test_a_plugin_switches_its_own_components(
    scene: Scene, name: str, kind: str, component: str
) -> None:
    """By full name or its own, of a type in any case; it is written down once for each change."""
    args = {"name": name, "component_type": kind, "scope": "global", "stream_id": "", "version": ""}

    off = [await scene.ask("component.disable", args) for _ in range(2)]
    was_off = not scene.is_enabled("p.a", component)
    on = await scene.ask("component.enable", args)

    assert [*off, on] == [{"success": True}] * 3
    assert was_off
    assert scene.is_enabled("p.a", component)
    assert [change for *_, change in scene.changes()] == [
        f"disabled p.a.{component}",
        f"enabled p.a.{component}",
    ]


@pytest.mark.parametrize("capability", ["component.disable", "component.enable"])
async def test_no_plugin_switches_anothers_component(scene: Scene, capability: str) -> None:
    """W33: a capability by itself makes nobody the master of the others. It is denied, told, and nothing changes."""
    scene.stage.registry.set_enabled("p.b.look", capability == "component.disable")
    before = scene.is_enabled("p.b", "look")

    error = await scene.caller.refusal(
        capability, {"name": "p.b.look", "component_type": "TOOL"}, plugin_id="p.admin"
    )

    assert error.code is ErrorCode.E_CAPABILITY_DENIED
    assert 'manages = ["p.b"]' in error.message
    assert scene.is_enabled("p.b", "look") is before
    [denied] = [each for each in scene.records if isinstance(each, CapabilityDenied)]
    assert (denied.shard, denied.plugin_id, denied.capability) == ("shard", "p.admin", capability)


@pytest.mark.parametrize(("plugin_id", "target"), [("p.admin", "p.a.add"), ("p.root", "p.b.look")])
async def test_the_operator_lets_one_plugin_switch_another(scene: Scene, plugin_id: str, target: str) -> None:
    """One by name, or every one."""
    args = {"name": target, "component_type": "TOOL"}

    answer = await scene.ask("component.disable", args, plugin_id)

    assert answer == {"success": True}
    assert not scene.is_enabled(*target.rsplit(".", 1))
    assert scene.changes() == [(plugin_id, target.rpartition(".")[0], f"disabled {target}")]


async def test_what_a_plugin_switched_stays_so_when_the_host_ends(scene: Scene, tmp_path: Path) -> None:
    """W33: the original forgets it."""
    async with open_store(tmp_path / "s.db") as store:
        await restore_switches(store, scene.stage.registry.switches)
        await scene.ask("component.disable", {"name": "add", "component_type": "TOOL"})
        await scene.ask("component.disable", {"name": "roll", "component_type": "COMMAND"})
        await scene.ask("component.enable", {"name": "roll", "component_type": "COMMAND"})
        scene.stage.registry.set_enabled("p.b.look", False, "irc:group:#g")

    switches = Switches()
    async with open_store(tmp_path / "s.db") as store:
        await restore_switches(store, switches)

    found = {each.full_name: (each.enabled, set(each.disabled_sessions)) for each in switches.all}
    assert found == {
        "p.a.add": (False, set()),
        "p.a.roll": (True, set()),
        "p.b.look": (None, {"irc:group:#g"}),
    }


@pytest.mark.parametrize(
    ("args", "word"),
    [
        pytest.param({"component_type": "TOOL"}, "name", id="no name"),
        pytest.param({"name": "add"}, "component_type", id="no type"),
        pytest.param(
            {"name": "add", "component_type": "COMMAND"}, "there is no COMMAND 'add'", id="other type"
        ),
        pytest.param({"name": "zip", "component_type": "TOOL"}, "there is no TOOL 'zip'", id="no such name"),
        pytest.param(
            {"name": "add", "component_type": "TOOL", "scope": "stream"}, "scope", id="in one chat only"
        ),
        pytest.param({"name": "add", "component_type": "TOOL", "stream_id": "x"}, "scope", id="a chat"),
        pytest.param(
            {"name": "sum", "component_type": "API", "version": "9"}, "there is no API", id="a version"
        ),
        pytest.param({"name": "same", "component_type": "TOOL"}, "p.a.same, p.b.same", id="two of them"),
    ],
)
async def test_what_cannot_be_switched_is_said_in_the_result(scene: Scene, args: Any, word: str) -> None:
    """As plugins of protocol 1.0.0 expect it."""
    for plugin_id in ("p.a", "p.b"):
        scene.stage.offer("tool", plugin_id, "same", said())

    answer = await scene.ask("component.disable", args)

    assert answer["success"] is False
    assert word in answer["error"]
    assert scene.changes() == []


# --- loading -----------------------------------------------------------------------------------------------------------


async def test_the_operator_lets_a_plugin_reload_another(scene: Scene) -> None:
    """And is told who did it."""
    loaded = await scene.ask("component.load_plugin", {"plugin_name": "p.a"}, "p.admin")
    reloaded = await scene.ask("component.reload_plugin", {"plugin_name": "p.a"}, "p.admin")

    assert (loaded, reloaded) == ({"success": True, "count": 1}, {"success": True})
    assert [plugin_id for plugin_id, _ in scene.reloaded] == ["p.a", "p.a"]
    assert "p.admin" in scene.reloaded[0][1]
    assert [change for *_, change in scene.changes()] == ["loads p.a", "reloads p.a"]


async def test_a_reload_that_failed_is_said_with_its_reason(scene: Scene) -> None:
    """Also when it has to wait."""
    scene.result.failed["p.a"] = "line 3: no"
    failed = await scene.ask("component.reload_plugin", {"plugin_name": "p.a"}, "p.root")
    scene.result = ReloadResult(requested=(), pending={"p.a": "its shard is stopped"})
    pending = await scene.ask("component.reload_plugin", {"plugin_name": "p.a"}, "p.root")

    assert failed == {"success": False, "error": "line 3: no"}
    assert pending == {"success": False, "error": "its shard is stopped"}


async def test_a_plugin_that_reloads_itself_is_not_waited_for_by_its_own_call(scene: Scene) -> None:
    """The reload waits for the plugin's calls to end."""
    release = trio.Event()
    begun = trio.Event()

    async def reload(plugin_id: str, reason: str) -> ReloadResult:
        begun.set()
        await release.wait()
        return scene.result

    scene.managing.reload = reload

    answer = await scene.ask("component.reload_plugin", {"plugin_name": "p.a"})

    assert answer == {"success": True}
    await begun.wait()
    release.set()


async def test_a_plugin_that_reloads_itself_again_and_again_fills_no_queue(scene: Scene) -> None:
    """One order is carried out and one waits, which takes everything that was saved meanwhile."""
    may_end, begun = trio.Event(), []

    async def reload(plugin_id: str, reason: str) -> ReloadResult:
        begun.append(plugin_id)
        await may_end.wait()
        return ReloadResult(requested=(plugin_id,))

    scene.managing.reload = reload
    for _ in range(50):
        assert await scene.ask("component.reload_plugin", {"plugin_name": "p.a"}) == {"success": True}
    await wait_all_tasks_blocked()
    assert len(begun) == 2
    may_end.set()
    await wait_all_tasks_blocked()
    await scene.ask("component.reload_plugin", {"plugin_name": "p.a"})
    await wait_all_tasks_blocked()
    assert len(begun) == 3


async def test_a_plugin_fills_no_record_by_switching_ever_new_names(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is switched is remembered for good, also of components that are gone."""
    monkeypatch.setattr(managing, "MAX_SWITCHES", 3)
    for name, may in (("t0", True), ("t1", True), ("t2", True), ("t3", False)):
        scene.stage.offer("tool", "p.a", name, said())
        args = {"name": name, "component_type": "tool"}
        assert (await scene.ask("component.disable", args))["success"] is may
    again = await scene.ask("component.enable", {"name": "t0", "component_type": "tool"})
    assert again["success"]


@pytest.mark.parametrize("capability", ["component.load_plugin", "component.reload_plugin"])
async def test_no_plugin_reloads_another_without_leave(scene: Scene, capability: str) -> None:
    """Nor one that is nowhere."""
    error = await scene.caller.refusal(capability, {"plugin_name": "p.b"}, plugin_id="p.a")
    unknown = await scene.ask(capability, {"plugin_name": "p.z"})

    assert error.code is ErrorCode.E_CAPABILITY_DENIED
    assert unknown["success"] is False
    assert scene.reloaded == []


async def test_nothing_is_unloaded(scene: Scene) -> None:
    """The answer says what to do instead, as the original's does."""
    answer = await scene.ask("component.unload_plugin", {"plugin_name": "p.a"})

    assert answer["success"] is False
    assert "reload" in answer["error"]


# --- configuration -----------------------------------------------------------------------------------------------------


async def test_a_plugin_changes_its_own_configuration(scene: Scene) -> None:
    """What is written, and whether the running plugin has taken it."""
    written: list[Any] = []

    async def write(plugin_id: str, key: str, value: Any) -> bool:
        written.append((plugin_id, key, value))
        return True

    scene.managing.write_config = write

    answer = await scene.ask("component.update_plugin_config", {"key": "limits.dice", "value": None})

    assert answer == {"success": True, "hot_updated": True}
    assert written == [("p.a", "limits.dice", None)]
    assert scene.changes() == [("p.a", "p.a", "set limits.dice of its configuration")]


async def test_no_plugin_changes_anothers_configuration(scene: Scene) -> None:
    """Without leave; and without a writer nobody does."""
    args = {"plugin_name": "p.b", "key": "k", "value": 1}
    error = await scene.caller.refusal("component.update_plugin_config", args, plugin_id="p.admin")
    nobody = await scene.ask("component.update_plugin_config", {"key": "k", "value": 1})
    missing = await scene.ask("component.update_plugin_config", {"key": "k"})

    assert error.code is ErrorCode.E_CAPABILITY_DENIED
    assert nobody["success"] is False
    assert missing["error"].startswith("value:")
