"""Handlers that were asked by one request end as if each had been asked alone: at their own deadlines, with whoever wanted
them, with their plugin, with their runner."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import trio

from rookery.protocol import PLUGIN_RELOAD
from rookery.supervisor.shard_state import ShardState
from tests.whole.host import PATIENCE, message
from tests.whole.segment_stage import NAMES, Stage, open_stage

pytestmark = pytest.mark.slow

BOTH_WAYS = pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
IN_TURN = pytest.mark.parametrize("kind", ["turn", "show"])
ONCE = dict.fromkeys(NAMES, (1, 1))


async def _wait_begun(stage: Stage, name: str) -> None:
    with trio.fail_after(PATIENCE):
        while not stage.ran[name][0]:
            await trio.sleep(0.005)  # a real process on the real clock


@BOTH_WAYS
@pytest.mark.parametrize("conduct", ["wait", "block"])
async def test_one_that_overruns_its_time_in_turn_is_told_so(
    tmp_path: Path, state_dir: Path, at_once: bool, conduct: str
) -> None:
    """Whether it waits or holds the whole loop: it has timed out, and the others run once; what it says later is late."""
    async with open_stage(tmp_path, state_dir, at_once=at_once, times={2: 0.5}) as stage:
        result = await stage.play("turn", c2=conduct)
        link = stage.supervisor.shards["one"].link
        assert link is not None
        ran, counted, late = stage.ran, stage.counted, link.session.counters.late_answers

    assert [text.partition(":")[0] for text in result.errors] == ["test.c.turn_c2"]
    assert "timeout" in result.errors[0]
    assert ran == {**ONCE, "c2": (1, 0 if conduct == "wait" else 1)}
    assert counted == Counter({"invocations": 5, "errors": 1})
    assert late == (1 if conduct == "block" else late)


@BOTH_WAYS
@IN_TURN
async def test_a_withdrawn_event_ends_the_one_that_waits(
    tmp_path: Path, state_dir: Path, at_once: bool, kind: str
) -> None:
    """Its handlers that have not begun do not, and the conversation goes on. Those that only see are nobody's to withdraw."""
    async with open_stage(tmp_path, state_dir, at_once=at_once) as stage, trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:

            async def give_up() -> None:
                await _wait_begun(stage, "b1")
                scope.cancel()

            nursery.start_soon(give_up)
            await stage.play(kind, b1="wait" if kind == "turn" else "rest")
        await stage.play("turn")

    ran = stage.ran
    assert (ran["a0"], ran["b1"]) == ((2, 2), (2, 1 if kind == "turn" else 2))
    assert ran["c2"] == ((1, 1) if kind == "turn" else (2, 2))
    assert ("b1 is cancelled" in stage.path.read_text()) is (kind == "turn")


@IN_TURN
async def test_a_planned_restart_costs_nobody_anything(tmp_path: Path, state_dir: Path, kind: str) -> None:
    """What runs ends, and everything else runs in the next runner: once, whenever the restart comes."""
    async with open_stage(tmp_path, state_dir, at_once=True) as stage:
        results: list[Any] = []

        async def play(number: int, conducts: dict[str, str]) -> None:
            await trio.sleep(number * 0.02)
            extra = {"conducts": conducts, "path": str(stage.path)}
            results.append(
                await stage.supervisor.parts.events.dispatch(
                    f"on_{kind}", message(number=number), extra, on_observer_settled=stage.settled.append
                )
            )

        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(play, number, {NAMES[number % 5]: "rest" if number % 2 else "speak"})
            await _wait_begun(stage, "b1")
            shard = stage.supervisor.restart_shard("one")
        with trio.fail_after(PATIENCE):
            await stage.supervisor.parts.dispatcher.wait_idle()
            await shard.state.wait_value(ShardState.READY)
        ran, counted = stage.ran, stage.counted

    assert [error for result in results for error in result.errors] == []
    assert ran == dict.fromkeys(NAMES, (8, 8))
    assert counted == Counter({"invocations": 40})
    assert shard.incarnation == 2


@IN_TURN
async def test_a_reload_costs_nobody_anything(tmp_path: Path, state_dir: Path, kind: str) -> None:
    """Handlers of the plugin that is exchanged wait for the new one; the others do not wait."""
    async with open_stage(tmp_path, state_dir, at_once=True) as stage:
        link = stage.supervisor.shards["one"].link
        assert link is not None
        results: list[Any] = []

        async def reload() -> None:
            await _wait_begun(stage, "b1")
            payload = {"plugin_id": "test.b"}
            answer = await link.call(PLUGIN_RELOAD, payload, plugin_id="test.b", timeout=PATIENCE)
            assert answer["success"]

        async def play(number: int, conducts: dict[str, str]) -> None:
            await trio.sleep(number * 0.02)
            extra = {"conducts": conducts, "path": str(stage.path)}
            results.append(
                await stage.supervisor.parts.events.dispatch(f"on_{kind}", message(number=number), extra)
            )

        async with trio.open_nursery() as nursery:
            nursery.start_soon(reload)
            for number in range(6):
                nursery.start_soon(play, number, {"b1": "rest"} if number < 2 else {})
        with trio.fail_after(PATIENCE):
            await stage.supervisor.parts.dispatcher.wait_idle()
        ran, counted = stage.ran, stage.counted

    assert [error for result in results for error in result.errors] == []
    assert ran == dict.fromkeys(NAMES, (6, 6))
    assert counted == Counter({"invocations": 30})
    assert stage.supervisor.shards["one"].incarnation == 1
