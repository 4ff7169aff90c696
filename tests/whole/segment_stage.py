"""A runner with five handlers that are asked in turn and five that only see, of three plugins, and a file that outlives it.

Each does what the event tells it to do, and writes into the file when it begins and when it ends.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio

from rookery.supervisor import Supervisor
from rookery.supervisor.fate import DispatchFailed, Fate
from tests.doubles.processes import wait_asleep
from tests.whole.host import PATIENCE, Deployment, message

MORE = """
[shard.restart]
backoff_base = 0.05
backoff_max = 0.1
backoff_reset = 0.2
burst_limit = 100
[shard.quarantine]
crash_limit = 100
"""

HEAD = """
async def act(self, name, message, conducts, path):
    import os
    import time
    conduct = conducts.get(name, "pass")
    with open(path, "a") as file:
        file.write(name + " begins\\n")
    with open(path) as file:
        again = file.read().split("\\n").count(name + " begins") > 1
    if conduct == "die":
        os.abort()
    if conduct == "die late":
        await trio.sleep(0.01)
        os.abort()
    if conduct == "wait" and not again:
        try:
            await trio.sleep(60)
        except trio.Cancelled:
            with open(path, "a") as file:
                file.write(name + " is cancelled\\n")
            raise
    if conduct == "rest":
        await trio.sleep(0.4)
    if conduct == "block":
        time.sleep(1.2)
    with open(path, "a") as file:
        file.write(name + " ends\\n")
    if conduct == "speak":
        return EventOutcome(result=name)
"""

HANDLER = """
@event_handler("on_{kind}", weight={weight}, intercept={takes}, name="{kind}_{name}"{more})
async def {kind}_{weight}(self, message: Message, conducts, path):
    return await self.act("{name}", message, conducts, path)
"""

ORDER = ("a", "b", "c", "a", "b")
"""Whose the handlers are, in their order; each is named by its plugin and place."""
NAMES = tuple(f"{plugin}{place}" for place, plugin in enumerate(ORDER))


@attrs.define
class Stage:
    """A runner with five handlers in turn and five that only see."""

    deployment: Deployment
    supervisor: Supervisor
    path: Path
    settled: list[Any] = attrs.Factory(list)

    @property
    def ran(self) -> dict[str, tuple[int, int]]:
        """How often each handler has begun and ended."""
        lines = self.path.read_text().split("\n")
        return {name: (lines.count(f"{name} begins"), lines.count(f"{name} ends")) for name in NAMES}

    async def play(self, kind: str, **conducts: str) -> Any:
        """Dispatch an event and wait until everything about it has ended."""
        result = await self.supervisor.parts.events.dispatch(
            f"on_{kind}",
            message(number=1),
            {"conducts": conducts, "path": str(self.path)},
            on_observer_settled=self.settled.append,
        )
        dispatcher = self.supervisor.parts.dispatcher
        with trio.fail_after(PATIENCE):
            await dispatcher.wait_idle()
        assert dispatcher.open_calls == 0
        assert dispatcher.load_of("one") == (0, 0)
        return result

    async def kill_when(self, *begun: str, signal_number: int = signal.SIGKILL) -> None:
        """Kill the runner from outside when these have begun, and those beside them have got as far as they can."""
        with trio.fail_after(PATIENCE):
            while not all(self.ran[name][0] for name in begun):
                await trio.sleep(0.01)  # a real process on the real clock
        pid = self.supervisor.shards["one"].pid
        assert pid is not None
        await wait_asleep(pid)
        os.kill(pid, signal_number)

    def lost(self, kind: str, result: Any) -> list[Fate]:
        """The fates of those that were lost, from wherever they are told."""
        if kind == "turn":
            assert all("runner lost" in text for text in result.errors)
            return [Fate.RUNNER_LOST] * len(result.errors)
        assert len(self.settled) == len(NAMES)
        return [each.fate for each in self.settled if isinstance(each, DispatchFailed)]

    @property
    def counted(self) -> Counter[str]:
        counters = self.supervisor.parts.dispatcher.tally.counters
        return Counter({name: getattr(counters, name) for name in ("invocations", "errors", "lost")})


@asynccontextmanager
async def open_stage(
    directory: Path,
    state: Path,
    *,
    at_once: bool,
    room: int = 64,
    times: Mapping[int, float] | None = None,
    head: str = HEAD,
) -> AsyncIterator[Stage]:
    """Run it, with a bystander in another shard that must not notice anything.

    Args:
        at_once: False asks each handler by a request of its own.
        room: Calls that may be out; the page has three slots for each.
        times: What some handlers may take, by place; seconds.
        head: The method ``act`` that all of them call.
    """
    deployment = Deployment(directory, state)
    deployment.shard_more = MORE
    deployment.tables["one"] = f"max_inflight = {room}"
    for plugin in sorted(set(ORDER)):
        deployment.plugin("one", plugin, head + _handlers_of(plugin, times or {}))
    deployment.plugin("other", "bystander", '@tool("greet")\nasync def greet(self):\n    return "hello"')
    path = directory / "ran"
    path.touch()
    async with deployment.run() as supervisor:
        supervisor.parts.dispatcher.segments.is_on = at_once
        yield Stage(deployment, supervisor, path)
        assert await supervisor.invoke("test.bystander", "greet") == "hello"
        assert supervisor.shards["other"].incarnation == 1


def _handlers_of(plugin: str, times: Mapping[int, float]) -> str:
    found = ""
    for place, owner in enumerate(ORDER):
        for kind in ("turn", "show") if owner == plugin else ():
            more = ", idempotent=True" if place == 4 else ""
            more += f", timeout={times[place]}" if place in times else ""
            found += HANDLER.format(
                kind=kind, weight=9 - place, takes=kind == "turn", name=NAMES[place], more=more
            )
    return found
