"""A plugin's configuration as a host reaches it: pushed, looked at, tried; from a file that is never silently replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rookery.protocol import AssignedPlugin, ErrorCode, RemoteError
from tests.doubles.scripted_host import ScriptedHost, assignment, open_runner, refused

pytestmark = pytest.mark.slow

CODE = """
from rookery.runner import *


class ItConfig(PluginConfig):
    config_version = 2
    name: str = Field("nobody", "Who.")

    @classmethod
    def upgrade(cls, values, version):
        values["name"] = values.pop("who", "nobody")
        return values


class It(Plugin[ItConfig]):
    config_subscriptions = ("bot",)

    async def on_load(self):
        self.ctx.logger.info("loaded")

    async def on_config_update(self):
        self.ctx.logger.info("update for %s", self.config.name)

    async def on_host_config(self, scope, values, version):
        self.ctx.logger.info("%s says %s in %s", scope, values, version)

    @tool("name")
    async def name(self):
        return self.config.name
"""

OLDER = CODE.replace("config_version = 2", "config_version = 1").replace(
    "    name: str", '    who: str = ""\n    name: str'
)
FAILING = CODE.replace('self.ctx.logger.info("loaded")', "raise ValueError()")

FEATURES = ("assignment", "loading", "logs", "ordered", "extend")

IT = "test.it"


@pytest.fixture
def it(tmp_path: Path) -> AssignedPlugin:
    directory = tmp_path / "it"
    directory.mkdir()
    (directory / "plugin.toml").write_text(f'[plugin]\nid = "{IT}"\nversion = "1.0.0"\n')
    (directory / "plugin.py").write_text(CODE)
    return AssignedPlugin(plugin_id=IT, path=str(directory))


def file_of(it: AssignedPlugin) -> Path:
    return Path(it.path, "config.toml")


async def push(host: ScriptedHost, data: dict[str, Any], scope: str = "self", **more: Any) -> dict[str, Any]:
    told = {"plugin_id": IT, "config_version": "7", "config_scope": scope, "config_data": data, **more}
    return await host.link.call("plugin.config_updated", told, plugin_id=IT)


async def reload(host: ScriptedHost) -> dict[str, Any]:
    return await host.ask("plugin.reload", IT, plugin_id=IT)


async def test_other_scopes_reach_who_has_subscribed(it: AssignedPlugin) -> None:
    """The bot's configuration is told to this one, that of the models is not; its own stays what it is."""
    async with open_runner(assignment(it)) as host:
        await host.wait_ready()

        answers = [await push(host, {"nick": "x"}, scope) for scope in ("bot", "model")]

        await push(host, {"name": "you"})
        await host.wait_log("update for you")
    registered = next(
        payload for method, _, payload in host.requests if method == "plugin.register_components"
    )
    assert answers == [{"acknowledged": True}] * 2
    assert registered["config_reload_subscriptions"] == ["bot"]
    texts = [text for _, text in host.logs if text.startswith(("bot", "model", "update"))]
    assert texts == ["bot says {'nick': 'x'} in 7", "update for you"]


async def test_a_push_that_changes_nothing_is_told_only_when_that_is_wanted(it: AssignedPlugin) -> None:
    """A file that is saved as it was, or written by this runner, is no news."""
    async with open_runner(assignment(it)) as host:
        await host.wait_ready()

        await push(host, {}, if_changed=True)
        await push(host, {"name": "you"}, if_changed=True)
        await push(host, {"name": "you"}, if_changed=True)
        await push(host, {"name": "you"})

        def updates() -> list[str]:
            return [text for _, text in host.logs if text.startswith("update")]

        await host.wait_until(lambda: len(updates()) >= 2)
        await host.run(IT, "name")
    assert updates() == ["update for you"] * 2


async def test_what_was_pushed_outlives_a_reload(it: AssignedPlugin) -> None:
    """Newer code is made with what the host said last, not with what it said at the start."""
    async with open_runner(assignment(it)) as host:
        await host.wait_ready()
        await push(host, {"name": "you"})

        await reload(host)

        assert await host.run(IT, "name") == "you"


async def test_an_older_file_is_written_anew_when_the_plugin_is_loaded(it: AssignedPlugin) -> None:
    """With its comments; and the plugin reads it as it was meant."""
    file_of(it).write_text('config_version = 1\nwho = "world"  # all of it\n')
    async with open_runner(assignment(it)) as host:
        await host.wait_ready()

        assert await host.run(IT, "name") == "world"
    text = file_of(it).read_text()
    assert 'name = "world"' in text
    assert '# who = "world"  # all of it' in text
    assert "config_version = 2" in text


async def test_an_older_file_stays_when_newer_code_fails(it: AssignedPlugin) -> None:
    """The version that goes on can still read it."""
    code = Path(it.path, "plugin.py")
    code.write_text(OLDER)
    file_of(it).write_text('config_version = 1\nwho = "world"\n')
    before = file_of(it).read_text()
    async with open_runner(assignment(it)) as host:
        await host.wait_ready()
        code.write_text(FAILING)

        answer = await reload(host)

    assert not answer["success"]
    assert file_of(it).read_text() == before


@pytest.mark.parametrize("features", [FEATURES, (*FEATURES, "exchange")], ids=["in turn", "beside"])
@pytest.mark.parametrize("was_loaded", [True, False], ids=["loaded", "not loaded"])
async def test_an_older_file_stays_when_a_neighbour_of_the_group_fails(
    it: AssignedPlugin, tmp_path: Path, features: tuple[str, ...], was_loaded: bool
) -> None:
    """It had come up itself, and goes again with the one that needs it; once all of them are there it is written anew."""
    (tmp_path / "needs").mkdir()
    needs = AssignedPlugin(plugin_id="test.needs", path=str(tmp_path / "needs"))
    manifest = f'[plugin]\nid = "{needs.plugin_id}"\nversion = "1.0.0"\ndependencies = ["{IT}"]\n'
    Path(needs.path, "plugin.toml").write_text(manifest)
    Path(needs.path, "plugin.py").write_text(CODE)
    Path(it.path, "plugin.py").write_text(OLDER if was_loaded else "broken = = 1\n")
    before = 'config_version = 1\nwho = "world"\n'
    file_of(it).write_text(before)
    both = [IT, needs.plugin_id]
    async with open_runner(assignment(it, needs), features=features) as host:
        ready = await host.wait_ready()
        Path(it.path, "plugin.py").write_text(CODE)
        Path(needs.path, "plugin.py").write_text(FAILING)

        answer = await host.ask("plugin.reload_batch", plugin_ids=both, timeout=20.0)

        after = file_of(it).read_text()
        Path(needs.path, "plugin.py").write_text(CODE)
        again = await host.ask("plugin.reload_batch", plugin_ids=both, timeout=20.0)

    assert ready.loaded_plugins == (both if was_loaded else [])
    assert sorted(answer["failed_plugins"]) == both
    assert after == before
    assert again["success"]
    assert 'name = "world"' in file_of(it).read_text()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param('name = "wor', "line 1, column", id="cut off"),
        pytest.param("name = 5\n", "config.toml: name: must be a text, got int 5", id="of another kind"),
        pytest.param(
            "[plugin]\nenable = false\n", "plugin.enable: is not known", id="a switch with a typing error"
        ),
    ],
)
async def test_a_file_with_a_mistake_keeps_the_plugin_out_and_stays(
    it: AssignedPlugin, text: str, told: str
) -> None:
    """W21: the reason names the file and the line; defaults are never put in its place."""
    file_of(it).write_text(text)
    async with open_runner(assignment(it)) as host:
        ready = await host.wait_ready()

    assert ready.failed_plugins == [IT]
    assert told in ready.failed_plugin_reasons[IT]
    assert file_of(it).read_text() == text


async def test_a_plugins_own_file_switches_it_off_and_on(it: AssignedPlugin) -> None:
    """It is inactive and not failed, and a reload looks again."""
    file_of(it).write_text("[plugin]\nenabled = false\n")
    async with open_runner(assignment(it)) as host:
        ready = await host.wait_ready()
        file_of(it).write_text("")
        on = await reload(host)
        file_of(it).write_text("[plugin]\nenabled = false\n")
        off = await reload(host)
        health = await host.ask("plugin.health")

    assert (ready.inactive_plugins, ready.failed_plugins) == ([IT], [])
    assert on["reloaded_plugins"] == [IT]
    assert (off["success"], off["inactive_plugins"], off["unloaded_plugins"]) == (True, [IT], [IT])
    assert health["loaded_plugins"] == []


async def test_a_plugin_that_is_switched_off_can_be_looked_at(it: AssignedPlugin) -> None:
    """It is made for that and goes away again; neither its on_load nor the host hears of it."""
    file_of(it).write_text("[plugin]\nenabled = false\n")
    async with open_runner(assignment(it)) as host:
        await host.wait_ready()

        inspected = await host.ask("plugin.inspect_config", IT)
        validated = await host.ask("plugin.validate_config", IT, config_data={"name": "you"})
        error = await refused(host.ask("plugin.validate_config", IT, config_data={"name": 5}))
        health = await host.ask("plugin.health")

    assert inspected["enabled"] is False
    assert inspected["default_config"] == {"name": "nobody"}
    assert inspected["config_schema"]["plugin_id"] == IT
    assert validated["normalized_config"] == {"name": "you"}
    assert isinstance(error, RemoteError)
    assert error.code is ErrorCode.E_BAD_PAYLOAD
    assert health["loaded_plugins"] == []
    assert ("plugin.test.it", "loaded") not in host.logs
    assert not any(method == "plugin.bootstrap" for method, _, _ in host.requests)
