"""Many events of several conversations, and runners that are killed all the time: at any moment, from inside and outside.

Whatever the moments are: no handler has an event twice, the events of a conversation come in their order, each handler's
fate is told once, and nothing is left open.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
import trio

from rookery.supervisor import Supervisor
from rookery.supervisor.events import Passing
from rookery.supervisor.observers import RunnerDied
from tests.whole.host import PATIENCE, message
from tests.whole.segment_stage import NAMES, open_stage

pytestmark = pytest.mark.slow

EVENTS, CHATS = 160, 4
ACT = """
async def act(self, name, message, conducts, path):
    import os
    file = os.open(path, os.O_APPEND | os.O_WRONLY)
    os.write(file, f"{name} {message.id[1:]}\\n".encode())
    os.close(file)
    conduct = conducts[name]
    if conduct == "sleep":
        await trio.sleep(0.01)
    if conduct == "pause":
        await trio.lowlevel.checkpoint()
    if conduct == "die":
        os.abort()
    if conduct == "speak":
        return EventOutcome(result=name)
"""
AGAIN = "b4"
"""It is idempotent."""


async def _kill(supervisor: Supervisor, chance: random.Random) -> None:
    shard = supervisor.shards["one"]
    while True:
        await trio.sleep(0.1 + chance.random() * 0.5)
        if shard.pid is not None and shard.state.value.name == "READY":
            os.kill(shard.pid, signal.SIGKILL)


async def test_a_storm_of_deaths_repeats_nothing_and_turns_nothing_round(
    tmp_path: Path, state_dir: Path
) -> None:
    """Each of the handlers of each event ends once, well or lost; and the books say so."""
    chance = random.Random(5)
    kinds = {number: chance.choice(["turn", "show"]) for number in range(EVENTS)}
    settled: list[Any] = []
    passed: list[Passing] = []
    async with open_stage(tmp_path, state_dir, at_once=True, head=ACT) as stage:
        parts = stage.supervisor.parts

        def finish(passing: Passing) -> None:
            passed.append(passing)
            parts.events.show(passing, settled.append)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(_kill, stage.supervisor, chance)
            for number, kind in kinds.items():
                known = ["pass", "pass", "sleep", "pause", "speak", *(["die"] if number % 50 == 7 else [])]
                conducts = {name: chance.choice(known) for name in NAMES}
                said = message(number=number, chat=f"chat {number % CHATS}")
                parts.events.start(
                    f"on_{kind}", said, {"conducts": conducts, "path": str(stage.path)}, finish
                )
                await trio.sleep(chance.random() * 0.02)
            nursery.cancel_scope.cancel()
        with trio.fail_after(PATIENCE):
            await parts.dispatcher.wait_idle()
        lines, counted = stage.path.read_text().splitlines(), stage.counted
        assert parts.dispatcher.load_of("one") == (0, 0)
        assert parts.dispatcher.segments.precedence.is_empty

    assert len(passed) == EVENTS
    assert len(settled) == 5 * sum(kind == "show" for kind in kinds.values())
    assert counted["invocations"] == 5 * EVENTS
    assert counted["errors"] == 0
    deaths = [died.report for died in stage.deployment.told(RunnerDied)]
    assert all(report.knows_started for report in deaths)
    assert counted["lost"] <= sum(len(report.started) for report in deaths)
    ran: dict[str, list[int]] = defaultdict(list)
    for line in lines:
        name, number = line.split()
        ran[name].append(int(number))
    once = {name: numbers for name, numbers in ran.items() if name != AGAIN}
    assert {count for numbers in once.values() for count in Counter(numbers).values()} == {1}
    assert sum(map(len, once.values())) >= 4 * EVENTS - counted["lost"]
    for name, numbers in once.items():
        for chat in range(CHATS):
            for kind in ("turn", "show"):
                own = [each for each in numbers if each % CHATS == chat and kinds[each] == kind]
                assert own == sorted(own), (name, chat, kind)
