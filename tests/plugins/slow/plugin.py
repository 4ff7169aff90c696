"""A plugin whose on_load and on_unload take the time that its configuration says."""

from __future__ import annotations

import trio

from rookery.runner import Field, Plugin, PluginConfig, tool


class SlowConfig(PluginConfig):
    load: float = Field(0.0, "Seconds.", ge=0)
    unload: float = Field(0.0, "Seconds.", ge=0)


class Slow(Plugin[SlowConfig]):
    _is_loaded = False

    async def on_load(self) -> None:
        await trio.sleep(self.config.load)
        self._is_loaded = True

    async def on_unload(self) -> None:
        self.ctx.logger.info("unloading")
        await trio.sleep(self.config.unload)
        self.ctx.logger.info("unloaded")

    @tool(description="Says whether on_load is over.")
    async def is_loaded(self) -> bool:
        return self._is_loaded
