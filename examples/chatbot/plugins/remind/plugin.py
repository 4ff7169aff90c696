"""Says something later, even when its runner dies in between."""

from __future__ import annotations

import re
import time

import trio

from rookery.runner import CapabilityFailed, Message, Plugin, command

WISH = re.compile(r"(\d{1,6})([smh])\s+(.+)", re.DOTALL)
SECONDS = {"s": 1, "m": 60, "h": 3600}
RETRY_SECONDS = 2.0


class Remind(Plugin):
    async def on_load(self) -> None:
        for row in await self.ctx.db.find("reminders"):
            self.ctx.start_task(self._wait, row["key"], row)

    @command("remind", description="!remind 5s TEXT: says TEXT in five seconds (s, m or h)")
    async def remind(self, message: Message, args: str) -> str:
        wish = WISH.fullmatch(args.strip())
        if wish is None:
            return "When, and of what? Try !remind 5s tea."
        delay = int(wish[1]) * SECONDS[wish[2]]
        row = {
            "at": time.time() + delay,
            "session": message.session_id,
            "name": message.user_name,
            "text": wish[3],
        }
        await self.ctx.db.put("reminders", message.id, row)
        self.ctx.start_task(self._wait, message.id, row)
        return f"I will remind you in {wish[1]} {wish[2]}."

    async def _wait(self, key: str, row: dict[str, str | float]) -> None:
        await trio.sleep(max(0.0, float(row["at"]) - time.time()))
        while True:
            try:
                await self.ctx.send.text(f"{row['name']}: {row['text']}", str(row["session"]))
                break
            except CapabilityFailed:  # after a restart the chat may be back later than we are
                await trio.sleep(RETRY_SECONDS)
        await self.ctx.db.delete("reminders", key)
