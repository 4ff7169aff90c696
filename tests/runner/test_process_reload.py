"""A runner replaces plugins by what is on the disk, and a broken file never costs the running one."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest
import trio

from rookery.protocol import AssignedPlugin, ErrorCode, RemoteError
from tests.doubles.scripted_host import PLUGINS, assigned, assignment, open_runner, refused

pytestmark = pytest.mark.slow


@pytest.fixture
def good(tmp_path: Path) -> AssignedPlugin:
    """A copy of the good plugin that a test may change."""
    shutil.copytree(PLUGINS / "good", tmp_path / "good", ignore=shutil.ignore_patterns("__pycache__"))
    return AssignedPlugin(plugin_id="test.good", path=str(tmp_path / "good"))


def _change(plugin: AssignedPlugin, before: str, after: str, file: str = "plugin.py") -> None:
    path = Path(plugin.path, file)
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


async def test_new_code_is_used_after_a_reload(good: AssignedPlugin) -> None:
    """A neighbouring module too, though it was changed within the same second to a text of the same length."""
    with_cache = {"PYTHONDONTWRITEBYTECODE": ""}
    async with open_runner(assignment(good, "needs_good"), environment=with_cache) as host:
        await host.wait_ready()
        _change(good, '"hello"', '"howdy"', "words.py")

        answer = await host.ask("plugin.reload", "test.good", plugin_id="test.good")

        result = await host.run("test.good", "greet")
    assert answer["success"]
    assert answer["reloaded_plugins"] == ["test.good", "test.needs_good"]
    assert answer["unloaded_plugins"] == ["test.needs_good", "test.good"]
    assert result == "howdy nobody"
    texts = [entry for entry in host.logs if entry[1] in ("loaded", "unloaded")]
    assert texts == [
        ("plugin.test.good", "loaded"),
        ("plugin.test.needs_good", "loaded"),
        ("plugin.test.needs_good", "unloaded"),
        ("plugin.test.good", "unloaded"),
        ("plugin.test.good", "loaded"),
        ("plugin.test.needs_good", "loaded"),
    ]


async def test_code_that_cannot_be_imported_leaves_the_old_one_untouched(good: AssignedPlugin) -> None:
    """Not even on_unload has run."""
    async with open_runner(assignment(good)) as host:
        await host.wait_ready()
        _change(good, "class Good(", "class Good(((")

        answer = await host.ask("plugin.reload", "test.good", plugin_id="test.good")

        result = await host.run("test.good", "greet")
    assert not answer["success"]
    assert answer["failed_plugins"]["test.good"].endswith("(the running version goes on)")
    assert "SyntaxError" in answer["failed_plugins"]["test.good"]
    assert result == "hello nobody"
    assert ("plugin.test.good", "unloaded") not in host.logs


async def test_code_that_does_not_start_is_rolled_back(good: AssignedPlugin) -> None:
    """The old instances come back, dependents too."""
    async with open_runner(assignment(good, "needs_good")) as host:
        await host.wait_ready()
        _change(good, 'self.ctx.logger.info("loaded")', 'raise ValueError("new trouble")')

        answer = await host.ask("plugin.reload", "test.good", plugin_id="test.good")

        result = await host.run("test.good", "greet")
        health = await host.ask("plugin.health")
    assert not answer["success"]
    reason = answer["failed_plugins"]["test.good"]
    assert "ValueError: new trouble" in reason
    assert reason.endswith("(the previous version was restored)")
    assert result == "hello nobody"
    assert health["loaded_plugins"] == ["test.good", "test.needs_good"]


async def test_a_batch_loads_what_failed_before(good: AssignedPlugin) -> None:
    """A plugin that was broken at the start comes in once its file is mended."""
    _change(good, "class Good(", "class Good(((")
    async with open_runner(assignment(good)) as host:
        ready = await host.wait_ready()
        _change(good, "class Good(((", "class Good(")

        answer = await host.ask("plugin.reload_batch", plugin_ids=["test.good", " test.good "])

        result = await host.run("test.good", "greet")
    assert ready.failed_plugins == ["test.good"]
    assert answer["reloaded_plugins"] == ["test.good"]
    assert answer["requested_plugin_ids"] == ["test.good"]
    assert result == "hello nobody"


async def test_a_stranger_cannot_be_reloaded() -> None:
    """Neither loaded nor on the disk."""
    async with open_runner(assignment("good")) as host:
        await host.wait_ready()

        answer = await host.ask("plugin.reload", "test.stranger", plugin_id="test.stranger")

    assert answer["failed_plugins"] == {"test.stranger": "it is neither loaded nor to be found"}


async def test_only_one_reload_at_a_time() -> None:
    """The second asker is told to come again."""
    async with open_runner(assignment(assigned("slow", load=0.3), "good")) as host:
        await host.wait_ready()
        before = len(host.loading)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(host.ask, "plugin.reload", "test.slow", plugin_id="test.slow"))
            await host.wait_until(lambda: ("test.slow", "on_load") in host.loading[before:])

            error = await refused(host.ask("plugin.reload", "test.good", plugin_id="test.good"))

    assert isinstance(error, RemoteError)
    assert error.code is ErrorCode.E_RELOAD_IN_PROGRESS


async def test_no_reload_during_the_first_loading() -> None:
    """What is coming in cannot be exchanged yet."""
    async with open_runner(assignment("hangs_on_load")) as host:
        await host.wait_until(lambda: ("test.hangs_on_load", "on_load") in host.loading)

        error = await refused(host.ask("plugin.reload", "test.good", plugin_id="test.good"))

    assert isinstance(error, RemoteError)
    assert error.code is ErrorCode.E_RELOAD_IN_PROGRESS


async def test_unloading_a_batch() -> None:
    """Dependents first; the host is told to forget them; a stranger fails."""
    async with open_runner(assignment("good", "needs_good")) as host:
        await host.wait_ready()
        before = len(host.requests)

        answer = await host.ask("plugin.unload_batch", plugin_ids=["test.good", "test.needs_good", "x.y"])

        health = await host.ask("plugin.health")
    assert not answer["success"]
    assert answer["unloaded_plugins"] == ["test.needs_good", "test.good"]
    assert answer["failed_plugins"] == {"x.y": "it is not loaded"}
    assert health["loaded_plugins"] == []
    assert [(method, plugin_id) for method, plugin_id, _ in host.requests[before:]][::2] == [
        ("plugin.unregister", "test.needs_good"),
        ("plugin.unregister", "test.good"),
    ]


async def test_a_new_configuration_reaches_the_plugin(good: AssignedPlugin) -> None:
    """Right values replace the old ones and the plugin is told; wrong ones change nothing."""
    async with open_runner(assignment(good)) as host:
        await host.wait_ready()

        right = {"plugin_id": "test.good", "config_version": "2", "config_data": {"name": "world"}}
        answer = await host.link.call("plugin.config_updated", right, plugin_id="test.good")
        wrong = {**right, "config_data": {"name": 5}}
        error = await refused(host.link.call("plugin.config_updated", wrong, plugin_id="test.good"))

        result = await host.run("test.good", "greet")
    assert answer == {"acknowledged": True}
    assert isinstance(error, RemoteError)
    assert error.code is ErrorCode.E_BAD_PAYLOAD
    assert "name" in error.message
    assert result == "hello world"
    assert ("plugin.test.good", "now for world") in host.logs


async def test_looking_at_a_configuration_changes_nothing(good: AssignedPlugin) -> None:
    """Defaults, schema, what holds; values on trial."""
    async with open_runner(assignment(good)) as host:
        await host.wait_ready()

        inspected = await host.ask("plugin.inspect_config", "test.good")
        provided = await host.ask(
            "plugin.inspect_config", "test.good", use_provided_config=True, config_data={"nonsense": 1}
        )
        validated = await host.ask("plugin.validate_config", "test.good", config_data={"name": "you"})
        error = await refused(host.ask("plugin.validate_config", "test.good", config_data={"nam": "you"}))
        stranger = await refused(host.ask("plugin.inspect_config", "test.stranger"))

    assert inspected["default_config"] == {"name": "nobody"}
    assert inspected["normalized_config"] == {"name": "nobody"}
    assert inspected["changed"]
    assert inspected["config_schema"]["sections"]
    assert provided["normalized_config"] == {"nonsense": 1}
    assert validated == {"success": True, "normalized_config": {"name": "you"}, "changed": False}
    assert isinstance(error, RemoteError)
    assert "did you mean 'name'?" in error.message
    assert isinstance(stranger, RemoteError)
    assert stranger.code is ErrorCode.E_PLUGIN_NOT_FOUND
