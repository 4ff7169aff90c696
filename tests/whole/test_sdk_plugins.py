"""Do plugins that are written with the public SDK work as they are: real runners, the SDK itself, every kind of component?"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from rookery.supervisor import DispatchFailed, Supervisor
from rookery.supervisor.observers import RunnerDied
from tests.whole.host import Deployment, message
from tests.whole.sdk_plugins import MANIFEST

pytest.importorskip("maibot_sdk", reason="the SDK is not installed: pip install 'rookery[maibot]'")

pytestmark = pytest.mark.slow

CODE = """
import asyncio
from maibot_sdk import *

class Section(PluginConfigBase):
    enabled: bool = Field(default=True)
    config_version: str = Field(default="1.0.0")

class Limits(PluginConfigBase):
    most: int = Field(default=3, ge=1)

class Config(PluginConfigBase):
    plugin: Section = Field(default_factory=Section)
    limits: Limits = Field(default_factory=Limits)

class It(MaiBotPlugin):
    config_model = Config

    async def on_load(self):
        self.seen = []
        self.ticks = 0
        self.ticking = asyncio.create_task(self.tick())
        self.lock = asyncio.Lock()
        self.switched = await self.ctx.component.disable_component("off", "TOOL")

    async def on_unload(self):
        self.ticking.cancel()
        (self.ctx.paths.data_dir / "unloaded").write_text(str(self.ticks > 0))

    async def on_config_update(self, scope, config_data, version):
        self.seen.append([scope, self.config.limits.most])

    async def tick(self):
        while True:
            await asyncio.sleep(0.01)
            self.ticks += 1

    @Command("greet", pattern=r"^/greet (?P<name>\\w+)$")
    async def greet(self, text="", matched_groups=None, stream_id="", **kwargs):
        await self.ctx.send.text(f"hello {matched_groups['name']}", stream_id)
        return True, f"greeted {matched_groups['name']}", 1

    @Tool("add", description="adds", parameters={"a": {"type": "integer"}, "b": {"type": "integer"}})
    async def add(self, a, b, **kwargs):
        async with self.lock, asyncio.timeout(5):
            await asyncio.sleep(0)
            return a + b

    @Tool("plain", description="a plain function")
    def plain(self, **kwargs):
        return "from a thread"

    @Tool("most", description="what is configured")
    async def most(self, **kwargs):
        return [self.config.limits.most, self.seen]

    @Tool("fails", description="raises")
    async def fails(self, **kwargs):
        raise LookupError("where?")

    @Tool("keep", description="stores a row")
    async def keep(self, **kwargs):
        await self.ctx.db.save("notes", {"title": "one", "text": "kept"}, key_field="title", key_value="one")
        return await self.ctx.db.get("notes", {"title": "one"})

    @Tool("explode", description="ends the process later, in a task of its own")
    async def explode(self, **kwargs):
        async def later():
            await asyncio.sleep(0.05)
            import os
            os.abort()
        self.exploding = asyncio.create_task(later())
        return "soon"

    @Tool("off", description="is switched off while its plugin loads")
    async def off(self, **kwargs):
        return "on"

    @Tool("wait", description="never ends")
    async def wait(self, **kwargs):
        try:
            await asyncio.sleep(3600)
        finally:
            (self.ctx.paths.data_dir / "cancelled").touch()

    @HookHandler("chat.command.before_execute")
    async def hook(self, matched_groups=None, **kwargs):
        return {"action": "continue", "modified_kwargs": {"matched_groups": {**matched_groups, "sdk": "was here"}}}

    @EventHandler("ev", event_type="on_message", intercept_message=True)
    async def event(self, message=None, **kwargs):
        return {"blocked": message["processed_plain_text"] == "stop" if "processed_plain_text" in message else False}

    @Tool("leave", description="means to end the program")
    async def leave(self, **kwargs):
        import sys
        sys.exit(3)

    @API("around", public=True)
    async def around(self, **kwargs):
        return await self.ctx.api.call("test.sdk.around")

    @API("double", public=True)
    async def double(self, value, **kwargs):
        return value * 2

def create_plugin():
    return It()
"""


def write_sdk_plugin(deployment: Deployment, shard: str, name: str, code: str, **manifest: Any) -> Path:
    """A plugin ``test.NAME`` with an original manifest."""
    directory = deployment.directory / "plugins" / f"test.{name}"
    directory.mkdir(parents=True)
    (directory / "_manifest.json").write_text(json.dumps({**MANIFEST, "id": f"test.{name}", **manifest}))
    (directory / "plugin.py").write_text(code)
    deployment.place(shard, f"test.{name}")
    return directory


@pytest.fixture
async def deployment(tmp_path: Path, state_dir: Path) -> AsyncIterator[Deployment]:
    made = Deployment(tmp_path, state_dir)
    write_sdk_plugin(made, "sdk", "sdk", CODE)
    made.plugin("native", "native", '@tool("greet")\nasync def greet(self):\n    return "hello"')
    return made


async def call(supervisor: Supervisor, component: str, timeout: float = 10.0, **args: Any) -> Any:
    return await supervisor.invoke("test.sdk", component, args, timeout=timeout)


async def test_every_kind_of_component_is_called_as_its_author_expects(deployment: Deployment) -> None:
    """Tools (asyncio and plain), an API, a hook and an event; a failure is its text, and a loop runs all the time."""
    async with deployment.run() as supervisor:
        assert await call(supervisor, "add", a=2, b=3) == 5
        assert await call(supervisor, "plain") == "from a thread"
        assert await call(supervisor, "double", value=4) == 8
        with pytest.raises(DispatchFailed, match=r"where\?"):
            await call(supervisor, "fails")
        hook = await supervisor.invoke_hook(
            "chat.command.before_execute", message={}, command_name="x", plugin_id="y", matched_groups={}
        )
        event = await supervisor.dispatch_event("on_message", message("hi"))
        row = await call(supervisor, "keep")
        off = supervisor.parts.registry.component("test.sdk", "off")
        assert await supervisor.invoke("test.native", "greet") == "hello"

    assert hook.kwargs["matched_groups"] == {"sdk": "was here"}
    assert event.continues
    assert off is not None
    assert not off.enabled
    assert [each["text"] for each in row] == ["kept"]
    data = next(deployment.state.rglob("unloaded"))
    assert data.read_text() == "True"


async def test_the_file_is_made_and_a_new_configuration_is_told(deployment: Deployment) -> None:
    """As the SDK would have it: the defaults in the plugin's directory, and ``on_config_update`` with its scope."""
    path = deployment.directory / "plugins" / "test.sdk" / "config.toml"
    async with deployment.run() as supervisor:
        assert (await call(supervisor, "most"))[0] == 3
        assert 'config_version = "1.0.0"' in path.read_text()
        path.write_text(path.read_text().replace("most = 3", "most = 7"))
        await supervisor.notify_plugin_config_updated("test.sdk")

        assert await call(supervisor, "most") == [7, [["self", 7]]]


async def test_a_task_that_ends_its_runner_is_its_plugins(deployment: Deployment) -> None:
    """No call had begun and nothing was waited for: what had the CPU is known all the same."""
    async with deployment.run() as supervisor:
        assert await call(supervisor, "explode") == "soon"
        died = await deployment.wait_told(RunnerDied)
        assert await call(supervisor, "add", a=1, b=1) == 2

    assert (died.report.signal, died.report.crumb_plugin, died.culprit) == (6, "test.sdk", "test.sdk")


async def test_a_circle_of_calls_is_refused_and_an_exit_ends_its_call(deployment: Deployment) -> None:
    """What a call is made within is known in asyncio too; and the runner is not one plugin's to end."""
    async with deployment.run() as supervisor:
        assert "too deep" in str(await call(supervisor, "around"))  # the SDK gives failures back
        with pytest.raises(DispatchFailed, match="SystemExit: 3"):
            await call(supervisor, "leave")
        assert await call(supervisor, "add", a=1, b=1) == 2
        assert supervisor.shards["sdk"].incarnation == 1


async def test_a_deadline_is_a_cancellation_of_its_task(deployment: Deployment) -> None:
    """The caller is told in time, the handler sees asyncio's own cancellation, and the next call works."""
    async with deployment.run() as supervisor:
        with pytest.raises(DispatchFailed):
            await call(supervisor, "wait", timeout=0.3)
        assert await call(supervisor, "add", a=1, b=1) == 2
        assert next(deployment.state.rglob("cancelled"))
