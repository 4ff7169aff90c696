"""A plugin that keeps a secret, starts a program with a token where it may, and says that it lives."""

from __future__ import annotations

import os
import subprocess

from rookery.runner import Field, Plugin, PluginConfig, tool


class SiblingConfig(PluginConfig):
    password: str = Field("", "What the plugin logs in with.")
    keeps: str = Field("", "What it writes into its directory.")
    argument: str = Field("", "What its program is told; nothing starts without it.")


class Sibling(Plugin[SiblingConfig]):
    async def on_load(self) -> None:
        (self.ctx.data_dir / "kept.txt").write_text(self.config.keeps)
        if self.config.argument:
            self.program = subprocess.Popen([self.config.argument, "600"], executable="/bin/sleep")

    @tool(description="Says that it lives.")
    async def ping(self) -> int:
        return os.getpid()
