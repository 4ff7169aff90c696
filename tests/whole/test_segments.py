"""Nobody can tell but by the clock whether handlers are asked by one request or by one each.

Sets of handlers of six plugins in three runners, of every kind and conduct, get the same events and hooks both ways. What
comes out, what was counted, what each handler saw and in which order each plugin worked have to be equal.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from rookery.protocol import PLUGIN_INVOKE_TOOL
from rookery.supervisor import Supervisor
from rookery.supervisor.component import EventHandler
from rookery.supervisor.events import EventResult
from rookery.supervisor.fate import DispatchFailed
from rookery.supervisor.hook_catalogue import CHAT_BEFORE_PROCESS
from rookery.supervisor.hooks import HookResult
from tests.whole.host import Deployment, message
from tests.whole.segment_conducts import Actor, cast, direct, source_of

pytestmark = pytest.mark.slow

PLUGINS = {"a": "one", "b": "one", "c": "two", "d": "one", "e": "two", "f": "three"}
"""And their shards."""


@attrs.frozen
class Playing:
    supervisor: Supervisor
    actors: list[Actor]


@pytest.fixture
async def playing(tmp_path: Path, state_dir: Path) -> AsyncIterator[Playing]:
    chance, actors = random.Random(11), []
    deployment = Deployment(tmp_path, state_dir)
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


async def _settle(supervisor: Supervisor) -> None:
    with trio.fail_after(20):
        await supervisor.parts.dispatcher.wait_idle()
    assert {supervisor.parts.dispatcher.load_of(shard) for shard in supervisor.shards} == {(0, 0)}


async def _effects(supervisor: Supervisor) -> dict[str, list[Any]]:
    return {plugin: await supervisor.invoke(f"test.{plugin}", "done") for plugin in PLUGINS}


async def _event(supervisor: Supervisor, conducts: dict[str, str], chat: str) -> dict[str, Any]:
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
    await _settle(supervisor)
    return {
        "result": _shown(result),
        "observers": sorted(map(_outcome, settled)),
        "counted": _counted(supervisor) - before,
        "effects": await _effects(supervisor),
    }


async def _hook(supervisor: Supervisor, conducts: dict[str, str], chat: str) -> dict[str, Any]:
    before = _counted(supervisor)
    args = {"message": message("hi", chat=chat), "conducts": conducts, "box": {"list": [1]}, "number": 0}
    for handler in supervisor.parts.registry.hook_handlers(CHAT_BEFORE_PROCESS):
        conducts.setdefault(handler.full_name, "nothing")
    result = await supervisor.parts.hooks.invoke(CHAT_BEFORE_PROCESS, **args)
    await _settle(supervisor)
    effects = await _effects(supervisor)
    return {
        "result": _shown(result),
        "counted": _counted(supervisor) - before,
        # Observers of a hook keep no order.
        "effects": {plugin: sorted(each, key=repr) for plugin, each in effects.items()},
    }


@pytest.mark.parametrize("kind", ["event", "hook"])
async def test_asking_many_at_once_changes_nothing(playing: Playing, kind: str) -> None:
    """Results, fates, counters, effects; and what one handler does to its arguments is seen by no other."""
    supervisor, chance = playing.supervisor, random.Random(f"segments of {kind}")
    own = [actor for actor in playing.actors if actor.kind == kind]
    play = _event if kind == "event" else _hook
    segments = supervisor.parts.dispatcher.segments

    for number in range(24):
        conducts = direct(chance, own, chance.choice([0.15, 0.4, 0.8]))
        if number % 8:
            conducts = {name: conduct for name, conduct in conducts.items() if conduct != "overrun"}
        found = []
        for segments.is_on in (True, False):
            found.append(await play(supervisor, dict(conducts), f"chat {number % 3}"))

        for plugin in PLUGINS:
            effects = [each["effects"].pop(plugin) for each in found]
            assert effects[0] == effects[1], (number, plugin, conducts)
        differing = {key: [each[key] for each in found] for key in found[0] if found[0][key] != found[1][key]}
        assert not differing, (number, conducts)


async def _converse(playing: Playing, chance: random.Random, chats: int, steps: int) -> dict[str, list[Any]]:
    """Start events and calls of several conversations without waiting for any; the steps of one are numbered."""
    parts, left = playing.supervisor.parts, []
    own = [actor for actor in playing.actors if actor.kind == "event" and not actor.is_short]
    asked = {actor.full_name for actor in own}
    for step in range(steps):
        chat = chance.randrange(chats)
        number = chat * 1000 + step
        said = message("hi", chat=f"chat {chat}", number=number)
        if chance.random() < 0.2:
            plugin = chance.choice(list(PLUGINS))
            tool = parts.registry.component(f"test.{plugin}", "mark")
            assert tool is not None
            deadline = trio.current_time() + 30
            parts.dispatcher.submit(
                tool,
                PLUGIN_INVOKE_TOOL,
                {"number": number},
                left.append,
                deadline=deadline,
                key=said["session_id"],
            )
            continue
        conducts = {actor.full_name: "nothing" for actor in own}
        conducts |= direct(chance, own, 0.4)
        parts.events.start(
            "on_message",
            said,
            {"conducts": conducts, "box": {"list": [1]}, "number": number},
            lambda passing: parts.events.show(passing, left.append),
            serves=lambda handler: handler.full_name in asked,
        )
        if chance.random() < 0.3:
            await trio.sleep(chance.random() * 0.02)
    await _settle(playing.supervisor)
    return await _effects(playing.supervisor)


async def test_a_conversation_keeps_its_order(playing: Playing) -> None:
    """Events and calls of three conversations at once: a plugin has one of each at a time, each handler has the events in
    their order, and no event passes a call that was made before it."""
    chance = random.Random("order")
    for _ in range(3):
        for plugin, log in (await _converse(playing, chance, 3, 24)).items():
            for chat in range(3):
                own = [entry for entry in log if entry[0] // 1000 == chat]
                for name in {entry[1] for entry in own}:
                    numbers = [entry[0] for entry in own if entry[1] == name and entry[2] != "ended"]
                    assert numbers == sorted(numbers), (plugin, name)
                for place, (number, name, *rest) in enumerate(own):
                    if name == "mark":
                        assert all(entry[0] < number for entry in own[:place]), (plugin, number)
                    elif rest == ["ended"]:
                        assert own[place - 1][:2] == [number, name], (plugin, number, name)
    assert playing.supervisor.parts.dispatcher.segments.precedence.is_empty
