"""Nobody can tell but by the clock whether handlers are asked by one request or by one each.

Sets of handlers of six plugins in three runners, of every kind and conduct, get the same events and hooks both ways. What
comes out, what was counted, what each handler saw and in which order each plugin worked have to be equal.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio

from rookery.protocol import PLUGIN_INVOKE_TOOL
from tests.whole.host import Deployment, message
from tests.whole.segment_conducts import direct
from tests.whole.segment_plays import PLUGINS, Playing, effects_of, play_event, play_hook, play_with, settle

pytestmark = pytest.mark.slow


@pytest.fixture
async def playing(tmp_path: Path, state_dir: Path) -> AsyncIterator[Playing]:
    async with play_with(Deployment(tmp_path, state_dir)) as playing:
        yield playing


@pytest.mark.parametrize("kind", ["event", "hook"])
async def test_asking_many_at_once_changes_nothing(playing: Playing, kind: str) -> None:
    """Results, fates, counters, effects; and what one handler does to its arguments is seen by no other."""
    supervisor, chance = playing.supervisor, random.Random(f"segments of {kind}")
    own = [actor for actor in playing.actors if actor.kind == kind]
    play = play_event if kind == "event" else play_hook
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
    await settle(playing.supervisor)
    return await effects_of(playing.supervisor)


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
