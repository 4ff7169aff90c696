"""Rewrites l33t words: every handler after this one reads the translation."""

from __future__ import annotations

import re

from rookery.runner import EventOutcome, Message, Plugin, event_handler

LETTERS = str.maketrans("013457@$", "oleastas")
# A leet word has letters and at least two of the digits that stand for letters; "mp3" and "2024" have not.
LEET = re.compile(
    r"(?<![\w@$/.:-])(?=[\w@$]*[A-Za-z])(?=(?:[A-Za-z]*[013457@$]){2})[A-Za-z013457@$]+(?![\w@$/.:])"
)


class TranslateLeet(Plugin):
    @event_handler("on_message", weight=100, intercept=True)
    async def translate(self, message: Message) -> EventOutcome | None:
        plain = LEET.sub(lambda word: word[0].translate(LETTERS), message.text)
        if plain == message.text:
            return None
        return EventOutcome.change(message.with_text(plain))
