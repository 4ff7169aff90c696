"""A plugin whose tool takes the time that its caller says, and tells who was inside at the same time."""

from __future__ import annotations

import trio

from rookery.runner import Plugin, tool


class TakesTurns(Plugin):
    async def on_load(self) -> None:
        self._inside = 0
        self._most = 0
        self._began: list[str] = []

    @tool(description="Sleeps; returns what it was given.")
    async def turn(self, name: str, seconds: float) -> str:
        self._began.append(name)
        self._inside += 1
        self._most = max(self._most, self._inside)
        try:
            await trio.sleep(seconds)
        finally:
            self._inside -= 1
        return name

    @tool(description="Says who began, in order.")
    async def began(self) -> list[str]:
        return self._began

    @tool(description="Says how many turns were taken at the same time at most.")
    async def most(self) -> int:
        return self._most
