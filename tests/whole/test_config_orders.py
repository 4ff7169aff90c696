"""A configuration is pushed, looked at, tried and set while a bot runs, by its host application and by an operator."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rookery.protocol import RookeryError
from rookery.supervisor.config_push import ConfigRejected
from rookery.supervisor.errors import UsageError
from rookery.supervisor.observers import LogWritten
from rookery.supervisor.shard_state import ShardState
from tests.whole.deployment import rookery
from tests.whole.host import Deployment

pytestmark = pytest.mark.slow

MODULE = """
from rookery.runner import *


class ItConfig(PluginConfig):
    name: str = Field("nobody", "Who is greeted.")
    most: int = Field(3, "How many.", ge=1)


class It(Plugin[ItConfig]):
    config_subscriptions = ("bot", "model")

    async def on_config_update(self):
        self.ctx.logger.info("update: %s", self.config.name)

    async def on_host_config(self, scope, values, version):
        self.ctx.logger.info("%s: %s", scope, values)

    @tool("name")
    async def name(self):
        return self.config.name
"""

IT = "test.it"


@pytest.fixture
def deployment(tmp_path: Path, state_dir: Path) -> Deployment:
    deployment = Deployment(tmp_path, state_dir)
    deployment.module("one", "it", MODULE)
    deployment.plugin("two", "other", "pass")
    return deployment


def file_of(deployment: Deployment) -> Path:
    return deployment.directory / "plugins" / IT / "config.toml"


def told(deployment: Deployment) -> list[str]:
    return [each.text for each in deployment.told(LogWritten) if each.plugin_id == IT]


async def test_what_is_pushed_is_taken_and_outlives_the_runner(deployment: Deployment) -> None:
    """What the plugin refuses is forgotten, and the runner that comes next is told what was taken."""
    async with deployment.run() as supervisor:
        taken = await supervisor.notify_plugin_config_updated(IT, {"name": "you"}, config_version="2")
        refused = await supervisor.notify_plugin_config_updated(IT, {"name": 5})
        unknown = await supervisor.notify_plugin_config_updated(IT, {}, config_scope="world")
        shard = supervisor.restart_shard("one")
        await shard.state.wait_value(lambda state: state is ShardState.READY and shard.incarnation == 2)

        name = await supervisor.invoke(IT, "name")
    assert (taken, refused, unknown) == (True, False, False)
    assert name == "you"


async def test_the_bots_configuration_reaches_those_who_want_it(deployment: Deployment) -> None:
    """A scope of its own each; who has not subscribed hears nothing."""
    async with deployment.run() as supervisor:
        answers = [
            await supervisor.broadcast_config(scope, {"nick": scope}) for scope in ("bot", "model", "self")
        ]
        await deployment.wait_told(LogWritten, lambda line: line.text.startswith("model:"))
    assert answers == [{IT: True}, {IT: True}, {}]
    assert told(deployment) == ["bot: {'nick': 'bot'}", "model: {'nick': 'model'}"]


async def test_a_configuration_is_looked_at_and_tried(deployment: Deployment) -> None:
    """Nothing changes by it; a plugin that is not there, or whose shard is not, is told apart from wrong values."""
    async with deployment.run() as supervisor:
        holds = await supervisor.inspect_plugin_config(IT)
        would = await supervisor.validate_plugin_config(IT, {"most": 5})
        with pytest.raises(ConfigRejected, match="did you mean 'most'"):
            await supervisor.validate_plugin_config(IT, {"mos": 5})
        with pytest.raises(UsageError, match=r"did you mean 'test\.it'"):
            await supervisor.inspect_plugin_config("test.its")
        await supervisor.stop_shard("two").state.wait_value(ShardState.STOPPED)
        with pytest.raises(RookeryError, match="'two' is stopped"):
            await supervisor.inspect_plugin_config("test.other")

    assert holds.normalized_config == {"name": "nobody", "most": 3}
    assert holds.config_schema["plugin_id"] == IT
    assert would == {"name": "nobody", "most": 5}
    assert told(deployment) == []


async def test_a_plugin_without_a_mistake_is_switched_off_and_on_by_its_own_file(
    deployment: Deployment,
) -> None:
    """It is unloaded and can still be looked at, then loaded again."""
    async with deployment.run() as supervisor:
        off = await supervisor.config_push.set_value(IT, "plugin.enabled", False)
        without = supervisor.parts.registry.registration(IT)
        inspected = await supervisor.inspect_plugin_config(IT)
        statuses = supervisor.plugin_load_statuses()
        on = await supervisor.config_push.set_value(IT, "plugin.enabled", True)

        name = await supervisor.invoke(IT, "name")
    assert (off, without, inspected.enabled, statuses[IT].state) == (True, None, False, "inactive")
    assert (on, name) == (True, "nobody")


async def test_the_command_line_shows_and_sets(deployment: Deployment) -> None:
    """The file keeps its comments, the plugin is told, and what it refuses leaves the file as it is."""
    file_of(deployment).write_text('# mine\nname = "x"  # who\n')
    deployment.more = f'[plugins."{IT}".config]\nmost = 4\n'
    async with deployment.run() as supervisor:

        async def order(*arguments: str) -> tuple[int, str]:
            where = ("--state", deployment.state)
            done = await rookery("config", *arguments, *where, state=deployment.directory)
            return done.code, done.out or done.err

        schema = await order("schema", IT)
        schema_json = await order("schema", IT, "--json")
        show = await order("show", IT)
        done = await order("set", IT, "name", "someone else")
        wrong = await order("set", IT, "name", "5")
        above = await order("set", IT, "most", "5")
        name = await supervisor.invoke(IT, "name")
    assert schema[0] == 0
    assert "  most: integer, default 3  at least 1  How many." in schema[1]
    assert json.loads(schema_json[1])["sections"]["general"]["fields"]["most"]["min"] == 1
    assert show[1].splitlines()[1:] == ['name = "x"', "most = 4"]
    assert done == (0, f"{file_of(deployment)}: name is set, {IT} has it\n")
    assert (wrong[0], "name: must be a text, got int 5" in wrong[1]) == (1, True), wrong
    assert (above[0], "which goes first" in above[1]) == (1, True), above
    assert name == "someone else"
    assert file_of(deployment).read_text() == '# mine\nname = "someone else"  # who\n'
    assert told(deployment) == ["update: someone else"]
