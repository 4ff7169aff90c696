"""A plugin that makes the attack that it is told to make."""

from __future__ import annotations

from typing import Any

from rookery.runner import Plugin, tool

from .attacks import all_rows
from .attacks.life import survive
from .attacks.row import make


class Attacker(Plugin):
    async def on_load(self) -> None:
        all_rows()
        self.data = str(self.ctx.data_dir)

    @tool(description="Makes one attack.")
    def attack(self, name: str, stage: dict[str, Any]) -> list[str]:
        return list(make(name, {**stage, "data": self.data}))

    @tool(description="Starts what may outlive the host.")
    def survive(self, stage: dict[str, Any]) -> list[str]:
        return survive({**stage, "data": self.data})
