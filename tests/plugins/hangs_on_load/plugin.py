"""A plugin whose on_load never ends."""

from __future__ import annotations

import trio

from rookery.runner import Plugin, tool


class HangsOnLoad(Plugin):
    async def on_load(self) -> None:
        await trio.sleep_forever()

    @tool(description="Never runs.")
    async def never(self) -> str:
        return "it did"
