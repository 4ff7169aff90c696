"""A plugin whose on_load raises."""

from __future__ import annotations

from rookery.runner import Plugin


class RaisesOnLoad(Plugin):
    async def on_load(self) -> None:
        raise ValueError("not today")

    async def on_unload(self) -> None:
        self.ctx.logger.info("unloaded though it was never loaded")
