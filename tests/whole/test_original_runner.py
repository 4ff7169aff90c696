"""Is a runner of the original kind (protocol 1.0.0) a shard like any other: real processes that speak as recorded ones do?"""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import sys
from pathlib import Path

import pytest
import trio

from rookery.supervisor import DispatchFailed
from rookery.supervisor.load_status import load_statuses
from rookery.supervisor.observers import PluginNotLoaded, RunnerDied
from rookery.supervisor.shard_state import ShardState
from tests.whole.original_stage import OriginalStage, call, works

pytestmark = pytest.mark.slow


@pytest.fixture
def stage(tmp_path: Path, state_dir: Path) -> OriginalStage:
    return OriginalStage(tmp_path, state_dir)


async def test_it_serves_calls_like_any_shard(stage: OriginalStage) -> None:
    """Hello, bootstrap, registration, ready, a capability call and tools, by a peer that agrees on no feature."""
    async with stage.run() as supervisor:
        shard = supervisor.shards["old"]
        found = await call(supervisor, "echo", "test.two", words=["a"])
        assert shard.features == frozenset()
        assert shard.loaded == ("test.one", "test.two")
        assert await works(supervisor)

    host = supervisor.settings.sdk_host_version
    assert found["args"]["words"] == ["a"]
    assert f"token 64 host {host} group old" in stage.journal
    assert any(line.startswith("hello ['accepted'") and f"True {host}" in line for line in stage.journal)
    assert "config {'success': True, 'value': 'Mai'}" in stage.journal


async def test_it_finds_exactly_the_plugins_of_its_shard(stage: OriginalStage) -> None:
    """It loads whatever lies below its root: there lie links to its own plugins, and go with the incarnation."""
    async with stage.run() as supervisor:
        (place,) = (stage.state / "originals").iterdir()
        links = {link.name: link.resolve() for link in (place / "plugins").iterdir()}
        mode = stat.S_IMODE(place.stat().st_mode)
        assert await works(supervisor)

    assert links == {name: stage.directory / "plugins" / name for name in ("test.one", "test.two")}
    assert (mode, (place / "s").exists()) == (0o700, False)
    assert list((stage.state / "originals").iterdir()) == []


async def test_it_is_asked_to_leave_before_any_signal(stage: OriginalStage) -> None:
    """SIGTERM would skip ``on_unload``: the shutdown request comes first, and the runner ends by itself."""
    async with stage.run():
        pass

    unloads = [line for line in stage.journal if line.startswith("on_unload")]
    ends = {each.report.shard: each.report for each in stage.told(RunnerDied)}
    assert unloads == ["on_unload test.one runner_shutdown", "on_unload test.two runner_shutdown"]
    assert (ends["old"].planned, ends["old"].code) == (True, 0)


async def test_a_handler_that_never_answers_ends_at_its_deadline(stage: OriginalStage) -> None:
    """One that raised CancelledError is never answered; an answer that comes too late disturbs nobody."""
    async with stage.run() as supervisor:
        for name in ("never", "late"):
            with pytest.raises(DispatchFailed):
                await call(supervisor, name, timeout=0.3)
        await trio.sleep(0.6)  # the late answer arrives
        assert (await call(supervisor, "echo"))["version"] == "# v1"
        assert supervisor.shards["old"].incarnation == 1


async def test_a_second_ready_is_tolerated(stage: OriginalStage) -> None:
    """Of a runner of rookery it would be a broken rule; an original one is answered as before."""
    stage.behave("ready twice")
    async with stage.run() as supervisor:
        assert (await call(supervisor, "echo"))["version"] == "# v1"
        assert supervisor.shards["old"].incarnation == 1

    assert stage.journal.count("ready {'accepted': True}") == 2


async def test_it_comes_back_after_its_death_with_another_token(stage: OriginalStage) -> None:
    """What waits goes to its successor; each incarnation has a socket and a token of its own."""
    async with stage.run() as supervisor:
        pid = supervisor.shards["old"].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await stage.wait_told(RunnerDied)
        assert (await call(supervisor, "echo", timeout=20.0))["version"] == "# v1"
        assert supervisor.shards["old"].incarnation == 2
        assert await works(supervisor)
        (place,) = (stage.state / "originals").iterdir()
        assert place.name == "old.2"

    tokens = [line for line in stage.journal if line.startswith("token hash ")]
    assert len(tokens) == len(set(tokens)) == 2


async def test_a_reload_takes_the_new_code(stage: OriginalStage) -> None:
    """By ``plugin.reload_batch``, as of any shard."""
    async with stage.run() as supervisor:
        stage.write_plugin("test.one", "# v2\n")
        result = await supervisor.reload_plugin("test.one")
        found = await call(supervisor, "echo")

    assert (result.reloaded, result.failed) == (["test.one"], {})
    assert found["version"] == "# v2"


async def test_a_plugin_that_a_reload_has_lost_is_told(stage: OriginalStage) -> None:
    """A reload onto a syntax error loses the plugin: its health says so, and so does the status, until it is there again."""
    async with stage.run() as supervisor:
        shard = supervisor.shards["old"]
        stage.write_plugin("test.one", "def\n")
        result = await supervisor.reload_plugin("test.one")
        with trio.fail_after(5):
            while "test.one" in shard.loaded:
                await trio.sleep(0.01)
        status = load_statuses(supervisor)["test.one"]
        stage.write_plugin("test.one", "# v3\n")
        again = await supervisor.reload_plugin("test.one")

        assert (await call(supervisor, "echo"))["version"] == "# v3"
        assert (await call(supervisor, "echo", "test.two"))["version"] == "# v1"

    assert "invalid syntax" in result.failed["test.one"]
    assert status.state.value == "failed"
    assert "an original runner" in status.reason
    assert again.reloaded == ["test.one"]


async def test_a_configuration_is_pushed(stage: OriginalStage) -> None:
    """``plugin.config_updated`` with the scope that the contract has."""
    async with stage.run() as supervisor:
        taken = await supervisor.notify_plugin_config_updated("test.one", {"greeting": "yo"})

    assert taken
    assert "plugin.config_updated {'greeting': 'yo'}" in stage.journal


async def test_our_own_runner_serves_as_an_original_one(tmp_path: Path, state_dir: Path) -> None:
    """Started by the environment alone, as any bot of protocol 1.0.0 would, and held by such a shard."""
    pytest.importorskip("maibot_sdk", reason="the SDK is not installed")
    stage = OriginalStage(tmp_path, state_dir, runner=[sys.executable, "-m", "rookery.runner"])
    code = (
        "from maibot_sdk import *\nclass It(MaiBotPlugin):\n    @Tool('echo', description='e')\n"
        "    async def echo(self, n, **kwargs):\n        return n + 1\n"
        "    async def on_load(self):\n        pass\n    async def on_unload(self):\n        pass\n"
        "    async def on_config_update(self, *a):\n        pass\ndef create_plugin():\n    return It()\n"
    )
    for plugin_id in ("test.one", "test.two"):
        (stage.directory / "plugins" / plugin_id / "plugin.py").write_text(code)

    async with stage.run() as supervisor:
        assert await call(supervisor, "echo", n=1) == 2
        assert await works(supervisor)


async def test_a_blocked_plugin_is_named_in_its_environment(stage: OriginalStage) -> None:
    """A plugin that ended its runner too often is not loaded again, by an original one neither."""
    async with stage.run() as supervisor:
        shard = supervisor.shards["old"]
        shard._blocked = {"test.two": "it ends its runner"}
        shard.history = shard.history.__class__(load_failures={"test.two": 99})
        shard.restart("for the test")
        with trio.fail_after(20):
            while not (shard.state.value is ShardState.READY and shard.incarnation == 2):
                await shard.state.wait_transition()
        assert shard.loaded == ("test.one",)

    assert stage.told(PluginNotLoaded) == []


TRANSCRIPT = os.environ.get("ROOKERY_WIRE_TRANSCRIPT", "")


@pytest.mark.skipif(not TRANSCRIPT, reason="no recording: ROOKERY_WIRE_TRANSCRIPT names none")
async def test_a_recorded_runner_is_understood(tmp_path: Path, state_dir: Path) -> None:
    """What a real one has said, up to its ready and to its health, said again to this host by a program that plays it."""
    rows = [json.loads(line) for line in Path(TRANSCRIPT).read_text("utf-8").splitlines()]
    said = [row["env"] for row in rows if row.get("dir") == "runner->host" and "env" in row]
    ready = next(each["payload"] for each in said if each["method"] == "runner.ready")
    plugins = [*ready["loaded_plugins"], *ready["failed_plugins"], *ready["inactive_plugins"]]
    player = Path(__file__).parents[1] / "doubles" / "recorded_runner.py"
    stage = OriginalStage(tmp_path, state_dir, runner=[sys.executable, str(player), TRANSCRIPT])
    stage.more += "".join(
        f'[plugins."{plugin_id}"]\nenabled = false\n' for plugin_id in stage.held.pop("old")
    )
    for plugin_id in filter(re.compile(r"\w+([.-]\w+)+").fullmatch, plugins):
        mine = [
            each["payload"]
            for each in said
            if each["plugin_id"] == plugin_id and each["message_type"] == "request"
        ]
        providers = {each["client_type"] for payload in mine for each in payload.get("llm_providers", ())}
        wanted = {name for payload in mine for name in payload.get("capabilities_required", ())}
        stage.write_plugin(
            plugin_id,
            llm_providers=[{"client_type": name} for name in sorted(providers)],
            capabilities=sorted(wanted),
        )

    async with stage.run() as supervisor:
        shard = supervisor.shards["old"]
        assert shard.loaded == tuple(ready["loaded_plugins"])
        assert set(shard.failed) == set(ready["failed_plugins"]) & set(shard.plugins)
        registered = supervisor.parts.registry.registration("probe.demo-all")
        assert registered is not None
        assert len(registered.components) >= 15
        found = await call(supervisor, "add", "probe.demo-all", a=1, b=2)

    assert found is not None
