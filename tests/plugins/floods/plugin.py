"""A plugin that says far too much within one step."""

from __future__ import annotations

import os

from rookery.runner import Plugin, tool


class Floods(Plugin):
    @tool(description="Writes to descriptor 1 without ever yielding.")
    async def flood_raw(self, megabytes: int) -> int:
        line = b"x" * 1023 + b"\n"
        for _ in range(megabytes * 1024):
            os.write(1, line)
        return megabytes

    @tool(description="Logs without ever yielding.")
    async def flood_log(self, count: int) -> int:
        for number in range(count):
            self.ctx.logger.info("line %d", number)
        return count
