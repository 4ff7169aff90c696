"""A plugin whose event handlers do what the event tells each of them, and note when they begin and end."""

from __future__ import annotations

import time

import trio

from rookery.runner import EventOutcome, Plugin, event_handler, tool


class InSegments(Plugin):
    async def on_load(self) -> None:
        self._log: list[str] = []

    @tool(description="Says what has begun and ended.")
    async def log(self) -> list[str]:
        return self._log

    @tool(description="Notes that it was called.")
    async def mark(self, name: str) -> None:
        self._log.append(name)

    @event_handler("on_test")
    async def a(self, conducts: dict[str, str]) -> EventOutcome | None:
        return await self._act("a", conducts)

    @event_handler("on_test")
    async def b(self, conducts: dict[str, str]) -> EventOutcome | None:
        return await self._act("b", conducts)

    @event_handler("on_test")
    async def c(self, conducts: dict[str, str]) -> EventOutcome | None:
        return await self._act("c", conducts)

    @event_handler("on_test")
    def in_a_thread(self, conducts: dict[str, str]) -> None:
        self._log.append("in_a_thread")

    async def _act(self, name: str, conducts: dict[str, str]) -> EventOutcome | None:
        conduct, _, seconds = conducts.get(name, "pass").partition(" ")
        self._log.append(name)
        try:
            if conduct == "sleep":
                await trio.sleep(float(seconds))
            elif conduct == "block":
                time.sleep(float(seconds))
            elif conduct == "resist":
                with trio.CancelScope(shield=True):
                    await trio.sleep(float(seconds))
        except trio.Cancelled:
            self._log.append(f"{name} cancelled")
            raise
        return EventOutcome(result=name) if conduct == "speak" else None
