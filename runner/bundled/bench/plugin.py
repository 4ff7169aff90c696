"""What does a plugin look like whose handlers do nothing? For `rookery bench`, and for nothing else.

There is no manifest beside this file, on purpose: it is copied with one for each plugin of a benchmark, together with
`handlers.json`, which says what the copy offers beside its tools.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rookery.runner import Message, Plugin, event_handler, hook, tool

TIMEOUT = 60.0
"""Seconds; a benchmark measures long waits and does not end them."""


class Bench(Plugin):
    @tool("plain", timeout=TIMEOUT)
    def plain(self, payload: dict) -> dict:  # type: ignore[type-arg]  # a tool's schema needs no more
        return payload

    @tool("quick", timeout=TIMEOUT, quick=True)
    def quick(self, payload: dict) -> dict:  # type: ignore[type-arg]  # as above
        return payload

    @tool("async", timeout=TIMEOUT)
    async def echo(self, payload: dict) -> dict:  # type: ignore[type-arg]  # as above
        return payload


def plain_handler() -> Any:
    """A new function for each: a component is known by its function's name."""

    def seen(self: Bench, message: Message) -> None:
        return None

    return seen


def async_handler() -> Any:
    """The same, awaited."""

    async def seen(self: Bench, message: Message) -> None:
        return None

    return seen


DECLARED: dict[str, Any] = {"event": event_handler, "hook": hook}


def add_handlers(told: list[dict[str, Any]]) -> None:
    """Give the plugin what its copy is told to have, in an order that its names keep."""
    for kind in told:
        make = async_handler if kind["runs"] == "async" else plain_handler
        more = {"quick": True} if kind["runs"] == "quick" else {}
        for number in range(kind["count"]):
            name = f"{kind['name']}.{number:05}"
            declare = DECLARED[kind["kind"]](kind["name"], name=name, timeout=TIMEOUT, **more)
            setattr(Bench, name, declare(make()))


add_handlers(json.loads(Path(__file__).with_name("handlers.json").read_text("utf-8")))
