"""Answers !help with every command of the bot."""

from __future__ import annotations

from rookery.runner import Plugin, command


class Help(Plugin):
    @command("help", description="!help: lists the commands")
    async def help(self) -> str:
        answer = await self.ctx.call_capability("component.get_all_plugins")
        lines = [
            component["metadata"].get("description") or component["name"]
            for plugin in answer["plugins"].values()
            for component in plugin["components"]
            if component["type"] == "COMMAND" and component["enabled"]
        ]
        return "\n".join(sorted(lines))
