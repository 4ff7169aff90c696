"""What do plays of many handlers look like that are compared with each other: everything that can be told of one?"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

from rookery.supervisor import Supervisor
from rookery.supervisor.component import EventHandler
from rookery.supervisor.events import EventResult
from rookery.supervisor.fate import DispatchFailed
from rookery.supervisor.hook_catalogue import CHAT_BEFORE_PROCESS
from rookery.supervisor.hooks import HookResult
from tests.whole.host import Deployment, message
from tests.whole.segment_conducts import Actor, cast, source_of

PLUGINS = {"a": "one", "b": "one", "c": "two", "d": "one", "e": "two", "f": "three"}
"""And their shards."""


@attrs.frozen
class Playing:
    supervisor: Supervisor
    actors: list[Actor]


@asynccontextmanager
async def play_with(deployment: Deployment) -> AsyncIterator[Playing]:
    """A deployment with handlers of every kind and conduct, the same each time."""
    chance, actors = random.Random(11), []
    for plugin, shard in PLUGINS.items():
        own = cast(chance, plugin, 6)
        deployment.module(shard, plugin, source_of(own), capabilities=["api.call"])
        actors += own
    async with deployment.run() as supervisor:
        yield Playing(supervisor, actors)
        assert {shard.incarnation for shard in supervisor.shards.values()} == {1}


_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def _counted(supervisor: Supervisor) -> Counter[str]:
    counters = supervisor.parts.dispatcher.tally.counters
    names = ("invocations", "errors", "lost", "put_back", "retried")
    found = Counter({name: getattr(counters, name) for name in names})
    for shard in supervisor.shards:
        each = counters.of_shard(shard)
        found.update({f"{shard} {name}": getattr(each, name) for name in ("invocations", "errors", "lost")})
    return found


def _outcome(outcome: Any) -> str:
    """Without the words of a timeout, which are the host's or the runner's, whoever looks first."""
    return f"{outcome.fate}" if isinstance(outcome, DispatchFailed) else repr(sorted(outcome.items()))


def _shown(result: EventResult | HookResult) -> dict[str, Any]:
    shown = attrs.asdict(result)
    shown["errors"] = [_ADDRESS.sub("", text.partition(" timeout:")[0]) for text in result.errors]
    return shown


async def settle(supervisor: Supervisor) -> None:
    with trio.fail_after(20):
        await supervisor.parts.dispatcher.wait_idle()
    assert {supervisor.parts.dispatcher.load_of(shard) for shard in supervisor.shards} == {(0, 0)}


async def effects_of(supervisor: Supervisor) -> dict[str, list[Any]]:
    return {plugin: await supervisor.invoke(f"test.{plugin}", "done") for plugin in PLUGINS}


async def play_event(supervisor: Supervisor, conducts: dict[str, str], chat: str) -> dict[str, Any]:
    def serves(handler: EventHandler) -> bool:
        return handler.full_name in conducts

    before, settled = _counted(supervisor), []
    result = await supervisor.parts.events.dispatch(
        "on_message",
        message("hi", chat=chat),
        {"conducts": conducts, "box": {"list": [1]}, "number": 0},
        serves=serves,
        on_observer_settled=settled.append,
    )
    await settle(supervisor)
    return {
        "result": _shown(result),
        "observers": sorted(map(_outcome, settled)),
        "counted": _counted(supervisor) - before,
        "effects": await effects_of(supervisor),
    }


async def play_hook(supervisor: Supervisor, conducts: dict[str, str], chat: str) -> dict[str, Any]:
    before = _counted(supervisor)
    args = {"message": message("hi", chat=chat), "conducts": conducts, "box": {"list": [1]}, "number": 0}
    for handler in supervisor.parts.registry.hook_handlers(CHAT_BEFORE_PROCESS):
        conducts.setdefault(handler.full_name, "nothing")
    result = await supervisor.parts.hooks.invoke(CHAT_BEFORE_PROCESS, **args)
    await settle(supervisor)
    effects = await effects_of(supervisor)
    return {
        "result": _shown(result),
        "counted": _counted(supervisor) - before,
        # Observers of a hook keep no order.
        "effects": {plugin: sorted(each, key=repr) for plugin, each in effects.items()},
    }
