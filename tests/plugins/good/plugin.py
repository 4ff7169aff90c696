"""A plugin that does what it is told."""

from __future__ import annotations

import os
import sys

import trio

from rookery.runner import Field, Plugin, PluginConfig, tool

from .words import GREETING


class GoodConfig(PluginConfig):
    name: str = Field("nobody", "Who is greeted.")


class Good(Plugin[GoodConfig]):
    async def on_load(self) -> None:
        self.ctx.logger.info("loaded")
        self.events: list[str] = []

    async def on_unload(self) -> None:
        self.ctx.logger.info("unloaded")

    async def on_config_update(self) -> None:
        self.ctx.logger.info("now for %s", self.config.name)

    @tool(description="Greets.")
    async def greet(self) -> str:
        return f"{GREETING} {self.config.name}"

    @tool(description="Takes a while.")
    async def wait(self, seconds: float) -> str:
        self.ctx.logger.info("waiting")
        await trio.sleep(seconds)
        return "done"

    @tool(description="Says where it runs.")
    async def where(self) -> dict[str, object]:
        return {
            "pid": os.getpid(),
            "module": type(self).__module__,
            "environment": sorted(name for name in os.environ if name.startswith("MAIBOT_")),
            "path": list(sys.path),
        }

    @tool(description="Fails in the background.")
    async def fail_in_background(self) -> None:
        async def work() -> None:
            raise ValueError("background trouble")

        self.ctx.start_task(work, name="work")

    @tool(description="Lists inheritable descriptors above the standard three.")
    async def inheritable(self) -> list[int]:
        found = []
        for name in os.listdir("/proc/self/fd"):
            try:
                if int(name) > 2 and os.get_inheritable(int(name)):
                    found.append(int(name))
            except OSError:
                pass
        return found
