"""Stops messages with configured words before anything else sees them."""

from __future__ import annotations

from rookery.runner import Field, HookOutcome, Message, Plugin, PluginConfig, hook


class FilterConfig(PluginConfig):
    words: list[str] = Field((), "A message with one of these words goes no further.")


class WordFilter(Plugin[FilterConfig]):
    @hook("chat.receive.before_process", order="early")
    async def check(self, message: Message) -> HookOutcome | None:
        text = message.text.casefold()
        for word in self.config.words:
            if word.casefold() in text:
                self.ctx.logger.info("stopped a message of %s: it has the word %r", message.user_name, word)
                return HookOutcome.abort(f"unwanted word {word!r}")
        return None
