"""A deployment whose shard ``old`` is held by a runner of the original kind, beside a shard of rookery's own."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from rookery.supervisor import Supervisor, load_settings, open_supervisor
from tests.whole.host import Deployment
from tests.whole.sdk_plugins import MANIFEST

STANDIN = Path(__file__).parents[1] / "doubles" / "original_runner.py"

PLUGINS = ("test.one", "test.two")


class OriginalStage(Deployment):
    """Two plugins of the SDK in ``old``, a native one in ``new``.

    Args:
        runner: The command of the original runner; the stand-in, if nothing is said.
    """

    def __init__(self, directory: Path, state: Path, *, runner: list[str] | None = None) -> None:
        super().__init__(directory, state)
        self.held = self._shards
        self.home = directory / "bot"
        self.home.mkdir()
        self.more = '[bot]\nnickname = "Mai"\n'
        command = [sys.executable, str(STANDIN)] if runner is None else runner
        self.tables["old"] = f'runner = {json.dumps(command)}\nrunner_directory = "bot"'
        for plugin_id in PLUGINS:
            self.write_plugin(plugin_id)
        self.plugin("new", "native", '@tool("greet")\nasync def greet(self):\n    return "hello"')

    def write_plugin(self, plugin_id: str, code: str = "# v1\n", **more: Any) -> None:
        directory = self.directory / "plugins" / plugin_id
        directory.mkdir(parents=True, exist_ok=True)
        manifest = {**MANIFEST, "id": plugin_id, "capabilities": ["config.get"], **more}
        (directory / "_manifest.json").write_text(json.dumps(manifest))
        (directory / "plugin.py").write_text(code)
        self.place("old", plugin_id)

    def behave(self, behaviour: str) -> None:
        """What the stand-ins that are started from now on do wrong."""
        (self.home / "behave").write_text(behaviour)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Supervisor]:
        """Run it, and do not wait until it is up."""
        settings = load_settings(self.write())
        async with open_supervisor(settings, observers=[self.records.append]) as supervisor:
            yield supervisor

    async def wait_line(self, start: str) -> None:
        """Until a stand-in has written such a line."""
        while not any(line.startswith(start) for line in self.journal):
            await trio.sleep(0.01)  # a real process on the real clock

    @property
    def journal(self) -> list[str]:
        """What the stand-ins have done so far, in order."""
        path = self.home / "journal"
        return path.read_text("utf-8").splitlines() if path.exists() else []


async def call(
    supervisor: Supervisor, component: str, plugin_id: str = "test.one", timeout: float = 10.0, **args: Any
) -> Any:
    return await supervisor.invoke(plugin_id, component, args, timeout=timeout)


async def works(supervisor: Supervisor) -> bool:
    """Whether the neighbour is unharmed."""
    return bool(await supervisor.invoke("test.native", "greet", {}, timeout=10.0) == "hello")
