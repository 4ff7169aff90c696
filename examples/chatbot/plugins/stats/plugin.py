"""Counts the messages of every chat and answers !stats."""

from __future__ import annotations

from rookery.runner import Message, Plugin, command, event_handler


class Stats(Plugin):
    @event_handler("on_message")
    async def count(self, message: Message) -> None:
        await self.ctx.db.increment(_people(message), message.user_id, messages=1)

    @command("stats", description="!stats: counts the messages of this chat so far")
    async def stats(self, message: Message) -> str:
        people = await self.ctx.db.count(_people(message))
        messages = await self.ctx.db.sum(_people(message), "messages")
        return f"{messages:.0f} messages from {people} people"


def _people(message: Message) -> str:
    """The table of a chat: one row a person."""
    return f"people of {message.session_id}"
