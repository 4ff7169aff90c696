"""A plugin whose tool ends as its caller says, with and without waiting for something before."""

from __future__ import annotations

import functools
from typing import Any

import trio

from rookery.runner import Plugin, tool
from rookery.runner.desk import Desk

TOO_DEEP: list[Any] = []
for _ in range(200):
    TOO_DEEP = [TOO_DEEP]

RETURNED: dict[str, Any] = {
    "nothing": None,
    "a map": {"a": [1, "two", None]},
    "a set": {1},
    "a key that is no text": {1: 2},
    "what cannot be packed": object(),
    "half a character": "\ud800",
    "too deep": TOO_DEEP,
}


class EndsInEveryWay(Plugin):
    @tool(description="Whether calls may be run where they were read.")
    async def switch(self, on: bool) -> None:
        Desk.is_at_once = on

    @tool(description="Ends in a way.", timeout=5.0)
    async def end(self, how: str, waits: bool) -> Any:
        return await self._end(how, waits)

    @tool(description="The same by a partial.", timeout=5.0, quick=True)
    def hand_out(self, how: str, waits: bool) -> Any:
        return functools.partial(self._end, how, waits)()

    @tool(description="The same without waiting.", timeout=5.0, quick=True)
    def end_quickly(self, how: str, waits: bool) -> Any:
        return self._ended(how)

    async def _end(self, how: str, waits: bool) -> Any:
        if waits:
            await trio.sleep(0.001)
        if how == "never":
            await trio.sleep_forever()
        if how == "in a scope":
            with trio.move_on_after(0.001) as scope:
                await trio.sleep_forever()
            return scope.cancelled_caught
        if how == "in a nursery":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep, 0.001)
            return "all have ended"
        return self._ended(how)

    def _ended(self, how: str) -> Any:
        if how == "fails":
            raise ValueError("as it was told")
        if how == "leaves":
            raise SystemExit(3)
        if how == "prints":
            print("said on the way")
            return "printed"
        return RETURNED[how]
