"""A plugin that never gives the loop back."""

from __future__ import annotations

import time

from rookery.runner import Plugin, tool


class BlocksTheLoop(Plugin):
    @tool(description="Blocks.")
    async def block(self, seconds: float) -> str:
        time.sleep(seconds)
        return "done"
