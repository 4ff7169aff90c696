"""Answers !seen with the last words of somebody."""

from __future__ import annotations

from datetime import UTC, datetime

from rookery.runner import Message, Plugin, command, event_handler


class Seen(Plugin):
    @event_handler("on_message", idempotent=True)
    async def remember(self, message: Message) -> None:
        row = {"name": message.user_name, "time": message.timestamp, "text": message.text[:200]}
        await self.ctx.db.put("seen", _key(message, message.user_name), row)

    @command("seen", description="!seen NAME: says when somebody last spoke here")
    async def seen(self, message: Message, args: str) -> str:
        name = args.strip()
        if not name:
            return "Whom? Try !seen NAME."
        row = await self.ctx.db.get("seen", _key(message, name))
        if row is None:
            return f"I have not seen {name} here."
        when = datetime.fromtimestamp(row["time"], UTC)
        return f"{row['name']} was here on {when:%Y-%m-%d at %H:%M} UTC and said: {row['text']}"


def _key(message: Message, name: str) -> str:
    return f"{message.session_id} {name.casefold()}"
