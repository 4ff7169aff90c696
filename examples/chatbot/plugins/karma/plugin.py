"""Keeps score: name++, name--, !karma name."""

from __future__ import annotations

import re

from rookery.runner import Message, Plugin, command, event_handler

# Two characters at least, so that C++ stays a language.
VOTE = re.compile(r"(?<!\S)@?([\w.-]{1,31}\w)(\+\+|--)(?!\S)")


class Karma(Plugin):
    @event_handler("on_message")
    async def count_votes(self, message: Message) -> None:
        for name, vote in VOTE.findall(message.text):
            await self.ctx.db.increment("karma", _key(message, name), points=1 if vote == "++" else -1)

    @command("karma", description="!karma NAME: shows the karma of a name; NAME++ and NAME-- change it")
    async def karma(self, message: Message, args: str) -> str:
        name = args.strip() or message.user_name
        row = await self.ctx.db.get("karma", _key(message, name))
        return f"{name} has {row['points'] if row else 0} karma."


def _key(message: Message, name: str) -> str:
    """Every chat keeps its own score."""
    return f"{message.session_id} {name.casefold()}"
