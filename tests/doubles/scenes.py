"""A host with one runner whose handlers can be asked by one request; the test is the runner."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from rookery.protocol import PLUGIN_EMIT_EVENT, SILENCE
from rookery.supervisor.call import Outcome
from rookery.supervisor.events import Passing
from rookery.supervisor.fate import DispatchFailed, Fate
from tests.doubles.stage import Stage, chat, open_stage
from tests.doubles.wires import Wire

SILENT = dict(SILENCE[PLUGIN_EMIT_EVENT])
STOPS = {**SILENT, "continue_processing": False}
FAILS = {**SILENT, "success": False}


class Scene:
    """Attributes:
    passed: Events whose interceptors have had them.
    settled: What became of each handler that only sees.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.wire = self.open()
        self.passed: list[Passing] = []
        self.settled: list[Outcome] = []

    def open(self) -> Wire:
        """A runner is ready."""
        self.wire = wire = Wire()
        self.stage.dispatcher.open_shard(
            "one",
            wire,  # type: ignore[arg-type]
            orders=True,
            cancels=True,
            read_started=lambda: frozenset(wire.started),
        )
        return wire

    def die(self) -> None:
        """As the host goes about it: nothing more is sent, then everybody is told."""
        self.stage.dispatcher.close_shard("one")
        self.wire.die()

    def offer(self, *names: str, sees: bool = False, **metadata: Any) -> None:
        join = self.stage.watcher if sees else self.stage.interceptor
        for place, name in enumerate(names):
            join(f"p.{name}", name, **{"inline": True, "weight": -place, **metadata})

    def start(self, number: int = 1) -> Passing:
        return self.stage.events.start("on_message", chat(number=number), None, self.finish)

    def finish(self, passing: Passing) -> None:
        self.passed.append(passing)
        self.stage.events.show(passing, self.settled.append)

    @property
    def methods(self) -> list[str]:
        return [request.method.name.removeprefix("plugin.") for request in self.wire.asked]

    @property
    def components(self) -> list[list[str]]:
        """Who was asked, request by request."""
        named: dict[int, list[str]] = {}
        found = []
        for payload in (request.payload for request in self.wire.asked):
            if "group" not in payload:
                found.append([payload["component_name"]])
            else:
                known = named.setdefault(payload["group"], payload["components"])
                found.append(payload["components"] or known)
        return found

    @property
    def fates(self) -> list[Fate | str]:
        return [each.fate if isinstance(each, DispatchFailed) else "well" for each in self.settled]


@asynccontextmanager
async def open_scene() -> AsyncIterator[Scene]:
    """A scene at whose end nothing is open."""
    async with open_stage(closed=("one",)) as stage:
        made = Scene(stage)
        yield made
        assert stage.dispatcher.open_calls == 0
        assert stage.dispatcher.load_of("one") == (0, 0)
        assert stage.dispatcher.segments.precedence.is_empty
