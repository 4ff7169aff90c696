"""A plugin whose handlers end when somebody opens their gate."""

from __future__ import annotations

from collections import defaultdict

import trio

from rookery.runner import Plugin, tool


class WaitsAtGates(Plugin):
    async def on_load(self) -> None:
        self._gates: defaultdict[str, trio.Event] = defaultdict(trio.Event)
        self._passed: list[str] = []

    @tool(description="Waits until its gate is open.")
    async def wait(self, gate: str) -> str:
        await self._gates[gate].wait()
        self._passed.append(gate)
        return gate

    @tool(description="Opens a gate.")
    async def open(self, gate: str) -> None:
        self._gates[gate].set()

    @tool(description="Says who has passed, in order.")
    async def passed(self) -> list[str]:
        return self._passed
