"""A plugin that never gives the loop back."""

from __future__ import annotations

import os
import time

from rookery.runner import Plugin, tool


class BlocksTheLoop(Plugin):
    @tool(description="Blocks.")
    async def block(self, seconds: float) -> str:
        time.sleep(seconds)
        return "done"

    @tool(description="Writes to descriptor 1 and blocks for good.")
    async def write_and_block(self) -> None:
        os.write(1, b"about to hang\n")
        time.sleep(3600)
