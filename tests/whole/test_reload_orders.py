"""An operator, or the host application, has plugins reloaded: over all shards, in order, and with an account of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from rookery.supervisor import Supervisor
from rookery.supervisor.observers import (
    LogWritten,
    PluginQuarantined,
    PluginReloaded,
    PluginReloadFailed,
    RunnerDied,
)
from rookery.supervisor.shard_state import ShardState
from tests.whole.deployment import rookery
from tests.whole.host import Deployment

pytestmark = pytest.mark.slow

CODE = """
number = 0

@tool("which")
async def which(self):
    self.number += 1
    return ["old", self.number]

async def on_load(self):
    self.ctx.logger.info("old loaded")
"""

APART = "[placement]\nkeep_dependencies_together = false\n"


@pytest.fixture
def deployment(tmp_path: Path, state_dir: Path) -> Deployment:
    return Deployment(tmp_path, state_dir)


def change(deployment: Deployment, name: str, *changes: tuple[str, str], file: str = "plugin.py") -> None:
    path = deployment.directory / "plugins" / f"test.{name}" / file
    text = path.read_text()
    for before, after in changes or (("old", "new"),):
        assert before in text
        text = text.replace(before, after)
    path.write_text(text)


async def which(supervisor: Supervisor, name: str) -> Any:
    return await supervisor.invoke(f"test.{name}", "which")


async def test_a_plugin_runs_its_newer_code_in_the_same_runner(deployment: Deployment) -> None:
    """The result is true and names it, observers are told, and its neighbour has noticed nothing."""
    deployment.plugin("one", "it", CODE)
    deployment.plugin("one", "neighbour", CODE)
    async with deployment.run() as supervisor:
        await which(supervisor, "neighbour")
        pid = supervisor.shards["one"].pid
        change(deployment, "it")
        change(deployment, "it", ('version = "1.0.0"', 'version = "1.1.0"'), file="plugin.toml")

        result = await supervisor.reload_plugin("test.it")

        answers = [await which(supervisor, "it"), await which(supervisor, "neighbour")]
        version = supervisor.parts.registry.registration("test.it")
        assert supervisor.shards["one"].pid == pid
        assert sorted(supervisor.shards["one"].loaded) == ["test.it", "test.neighbour"]
    assert result
    assert result.reloaded == ["test.it"]
    assert answers == [["new", 1], ["old", 2]]
    assert version is not None
    assert version.version == "1.1.0"
    assert deployment.told(PluginReloaded) == [
        PluginReloaded(shard="one", plugin_id="test.it", version="1.1.0", reason="manual")
    ]


async def test_a_failure_is_told_with_its_line_and_the_instance_goes_on(deployment: Deployment) -> None:
    """A syntax error of one plugin keeps the others of the order from nothing."""
    deployment.plugin("one", "it", CODE)
    deployment.plugin("one", "other", CODE)
    async with deployment.run() as supervisor:
        await which(supervisor, "it")
        change(deployment, "it", ("async def which(self):", "async def which(self:"))
        change(deployment, "other")

        result = await supervisor.reload_plugins(["test.it", "test.other", "test.it"])

        answers = [await which(supervisor, "it"), await which(supervisor, "other")]
        reasons = dict(supervisor.reloading.failures)
    assert not result
    assert result.requested == ("test.it", "test.other")
    assert result.reloaded == ["test.other"]
    assert "SyntaxError" in result.failed["test.it"]
    assert "plugin.py line 9" in result.failed["test.it"]
    assert result.failed["test.it"].endswith("(the running version goes on)")
    assert answers == [["old", 2], ["new", 1]]
    assert reasons == result.failed
    [told] = deployment.told(PluginReloadFailed)
    assert told.plugin_id == "test.it"


async def test_what_needs_a_plugin_is_reloaded_after_it_in_another_shard_too(deployment: Deployment) -> None:
    """W34: dependents of other runners are not forgotten, and see the version that runs now."""
    deployment.more = APART
    deployment.plugin("one", "base", CODE)
    deployment.plugin("two", "user", CODE, dependencies=["test.base >=1"])
    deployment.plugin("three", "last", CODE, dependencies=["test.user"])
    deployment.plugin("three", "alone", CODE)
    async with deployment.run() as supervisor:
        for name in ("base", "user", "last", "alone"):
            change(deployment, name)
        change(deployment, "base", ('version = "1.0.0"', 'version = "2.0.0"'), file="plugin.toml")
        change(deployment, "user", (">=1", ">=2"), file="plugin.toml")

        result = await supervisor.reload_plugin("test.base")

        answers = [(await which(supervisor, name))[0] for name in ("base", "user", "last", "alone")]
        loaded = [each.plugin_id for each in deployment.told(LogWritten) if each.text == "new loaded"]
    assert result.reloaded == ["test.base", "test.user", "test.last"]
    assert answers == ["new", "new", "new", "old"]
    assert sorted(loaded) == ["test.base", "test.last", "test.user"]


async def test_a_version_that_others_could_not_use_is_not_taken(deployment: Deployment) -> None:
    """The dependent lives in another shard: its runner would only find out when it starts the next time."""
    deployment.more = APART
    deployment.plugin("one", "base", CODE)
    deployment.plugin("two", "user", CODE, dependencies=["test.base <2"])
    async with deployment.run() as supervisor:
        change(deployment, "base")
        change(deployment, "base", ('version = "1.0.0"', 'version = "2.0.0"'), file="plugin.toml")

        result = await supervisor.reload_plugin("test.base")

        answers = [(await which(supervisor, name))[0] for name in ("base", "user")]
    assert answers == ["old", "old"]
    assert "test.user in shard 'two' needs test.base <2" in result.failed["test.base"]


async def test_a_runner_that_starts_later_is_told_the_versions_of_now(deployment: Deployment) -> None:
    """W34: not those that there were when the host started."""
    deployment.more = APART
    deployment.plugin("one", "base", CODE)
    deployment.plugin("two", "user", CODE, dependencies=["test.base"])
    async with deployment.run() as supervisor:
        change(deployment, "base", ('version = "1.0.0"', 'version = "2.0.0"'), file="plugin.toml")
        await supervisor.reload_plugin("test.base")
        change(deployment, "user", ('"test.base"', '"test.base >=2"'), file="plugin.toml")

        shard = supervisor.restart_shard("two")
        await shard.state.wait_value(lambda state: state is ShardState.READY and shard.incarnation == 2)

        assert shard.loaded == ("test.user",)


async def test_a_shard_without_a_runner_takes_the_newer_code_when_it_starts(deployment: Deployment) -> None:
    """The result is true, and says why nothing has been loaded."""
    deployment.plugin("one", "it", CODE)
    deployment.plugin("two", "other", CODE)
    async with deployment.run() as supervisor:
        shard = supervisor.stop_shard("one")
        await shard.state.wait_value(ShardState.STOPPED)
        change(deployment, "it")

        result = await supervisor.reload_plugins(["test.it", "test.other"])

        supervisor.start_shard("one")
        await shard.state.wait_value(ShardState.READY)
        answer = await which(supervisor, "it")
    assert result
    assert result.pending == {"test.it": "shard 'one' is stopped: its next start takes the new code"}
    assert result.reloaded == ["test.other"]
    assert answer == ["new", 1]


async def test_code_that_ends_its_runner_is_told_and_its_neighbours_come_back(
    deployment: Deployment,
) -> None:
    """Whoever gave the order hears of it; nobody waits for the answer of a dead runner."""
    deployment.shard_more = "[shard.restart]\nbackoff_base = 0.05\nbackoff_max = 0.1\n"
    deployment.plugin("one", "it", CODE)
    deployment.plugin("one", "neighbour", CODE)
    async with deployment.run() as supervisor:
        shard = supervisor.shards["one"]
        change(deployment, "it", ("number = 0", "import os; os.abort()"))

        result = await supervisor.reload_plugin("test.it")

        died = await deployment.wait_told(RunnerDied)
        await shard.state.wait_value(
            lambda state: state is ShardState.READY and "test.neighbour" in shard.loaded
        )
        answer = await which(supervisor, "neighbour")
    assert "the runner did not do it" in result.failed["test.it"]
    assert died.report.loading == "test.it"
    assert answer == ["old", 1]


async def test_a_plugin_in_quarantine_gets_another_chance(deployment: Deployment) -> None:
    """It ended its runner at each import and is kept out; newer code is tried at once."""
    deployment.shard_more = (
        "[shard.restart]\nbackoff_base = 0.05\nbackoff_max = 0.1\nburst_limit = 100\n"
        "[shard.quarantine]\nquarantine_base = 500.0\nquarantine_max = 500.0\n"
    )
    deployment.plugin("one", "it", CODE.replace("number = 0", "import os; os.abort()"))
    deployment.plugin("one", "neighbour", CODE)
    async with deployment.run() as supervisor:
        await deployment.wait_told(PluginQuarantined)
        change(deployment, "it", ("import os; os.abort()", "number = 0"), ("old", "new"))

        result = await supervisor.reload_plugin("test.it")

        answer = await which(supervisor, "it")
    assert result.reloaded == ["test.it"]
    assert answer == ["new", 1]


async def test_calls_of_a_plugin_that_is_exchanged_take_nobodys_place(deployment: Deployment) -> None:
    """More than its runner takes at once wait for a plugin whose versions do not overlap; its neighbour answers meanwhile."""
    deployment.tables["one"] = "max_inflight = 8\n"
    deployment.plugin("one", "it", "overlaps = False\n" + CODE)
    deployment.plugin("one", "neighbour", CODE)
    answers: list[Any] = []
    async with deployment.run() as supervisor:
        change(
            deployment, "it", ('self.ctx.logger.info("old loaded")', "await trio.sleep(0.7)"), ("old", "new")
        )

        async def call() -> None:
            answers.append((await which(supervisor, "it"))[0])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervisor.reload_plugin, "test.it")
            while not supervisor.parts.dispatcher.holding.any:
                await trio.sleep(0.005)
            for _ in range(30):
                nursery.start_soon(call)
            for _ in range(5):
                assert (await which(supervisor, "neighbour"))[0] == "old"
            assert answers == []
            assert supervisor.parts.dispatcher.holding.any

        assert not supervisor.parts.dispatcher.holding.any
    assert answers == ["new"] * 30


async def test_a_client_that_hangs_up_does_not_stop_a_reload(deployment: Deployment) -> None:
    """W9: an exchange that takes long is never left half-way, whoever waits for it."""
    deployment.plugin("one", "it", CODE)
    async with deployment.run() as supervisor:
        change(
            deployment, "it", ('self.ctx.logger.info("old loaded")', "await trio.sleep(0.5)"), ("old", "new")
        )

        with trio.move_on_after(0.1) as patience:
            await supervisor.reload_plugin("test.it")
        await deployment.wait_told(PluginReloaded)

        answer = await which(supervisor, "it")
    assert patience.cancelled_caught
    assert answer == ["new", 1]


async def test_the_command_line_reloads(deployment: Deployment) -> None:
    """A line for each plugin; 0 when all are in, 1 when one is not, or none is named."""
    deployment.plugin("one", "it", CODE)
    deployment.plugin("two", "other", CODE)
    async with deployment.run():
        where = ("--state", deployment.state)
        change(deployment, "it")
        done = await rookery("reload", "test.it", *where, state=deployment.directory)
        change(deployment, "other", ("async def which", "async deff which"))
        failed = await rookery("reload", "--all", *where, state=deployment.directory)
        wrong = await rookery("reload", "test.i", *where, state=deployment.directory)
        nothing = await rookery("reload", *where, state=deployment.directory)

    assert (done.code, done.lines) == (0, ["test.it reloaded"]), done
    assert (failed.code, failed.lines[0]) == (1, "test.it reloaded"), failed
    assert failed.lines[1].startswith(
        "test.other not reloaded: SyntaxError: invalid syntax (plugin.py line 9)"
    )
    assert wrong.code == 1
    assert "did you mean 'test.it'?" in wrong.out
    assert nothing.code == 1


async def test_what_is_loaded_and_why_not_can_be_asked(deployment: Deployment) -> None:
    """Over all shards: what works, what failed, what was switched off, and whose newer code was not taken."""
    deployment.more = '[plugins."test.off"]\nenabled = false\n'
    deployment.plugin("one", "it", CODE)
    deployment.plugin("one", "bad", "def x(:")
    deployment.plugin("two", "stopped", CODE)
    deployment.plugin("two", "off", CODE)
    deployment._shards["two"].remove("test.off")
    async with deployment.run() as supervisor:
        await supervisor.stop_shard("two").state.wait_value(ShardState.STOPPED)
        change(deployment, "it", ("async def which", "async deff which"))
        await supervisor.reload_plugin("test.it")

        statuses = supervisor.plugin_load_statuses()
        reasons = supervisor.plugin_load_failure_reasons()

    assert {each: status.state.value for each, status in statuses.items()} == {
        "test.bad": "failed",
        "test.it": "success",
        "test.off": "inactive",
        "test.stopped": "failed",
    }
    assert "SyntaxError" in reasons["test.bad"]
    assert "(the running version goes on)" in reasons["test.it"]
    assert "shard 'two' is stopped" in reasons["test.stopped"]


async def test_who_waits_for_a_reload_when_the_host_stops_is_told(deployment: Deployment) -> None:
    """An application's own task may outlive the block; it does not wait for ever."""
    deployment.plugin("one", "it", CODE)
    results: list[Any] = []
    async with trio.open_nursery() as nursery:
        async with deployment.run() as supervisor:
            change(deployment, "it", ('self.ctx.logger.info("old loaded")', "await trio.sleep(1.5)"))

            async def reload() -> None:
                results.append(await supervisor.reload_plugin("test.it"))

            nursery.start_soon(reload)
            while not supervisor.reloading._open:
                await trio.sleep(0.01)
        with trio.fail_after(5):
            while not results:
                await trio.sleep(0.01)
        results.append(await supervisor.reload_plugin("test.it"))
    assert results[1].failed == {"test.it": "the host is stopping"}
    assert not results[0] or results[0].reloaded == ["test.it"]
