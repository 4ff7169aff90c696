"""A plugin that needs another one."""

from __future__ import annotations

from rookery.runner import Plugin


class NeedsGood(Plugin):
    async def on_load(self) -> None:
        self.ctx.logger.info("loaded")

    async def on_unload(self) -> None:
        self.ctx.logger.info("unloaded")
