"""What becomes of handlers that were asked by one request, when their runner dies at any of them.

Each execution is written into a file that outlives the runner. Whoever had ended has ended, whoever had begun is lost and
told so, and the others run in the next runner, once. It is the same when each is asked alone.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from rookery.supervisor.fate import Fate
from rookery.supervisor.observers import RunnerDied
from rookery.supervisor.shard_state import ShardState
from tests.whole.segment_stage import NAMES, ORDER, Stage, open_stage

pytestmark = pytest.mark.slow

IN_TURN = pytest.mark.parametrize("kind", ["turn", "show"])
EXACT = pytest.mark.parametrize(("kind", "at_once"), [("turn", True), ("turn", False), ("show", True)])
"""Without those that run at the same time, of which some have ended and not yet said so when one kills them all."""
BOTH_WAYS = pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])


@pytest.fixture
def room() -> int:
    """Calls that may be out."""
    return 64


@pytest.fixture
async def stage(tmp_path: Path, state_dir: Path, at_once: bool, room: int) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path, state_dir, at_once=at_once, room=room) as made:
        yield made


@EXACT
@pytest.mark.parametrize("place", [0, 3])
async def test_one_that_kills_its_runner_is_lost_and_the_others_run_once(
    stage: Stage, kind: str, place: int
) -> None:
    """The first, or the second of its plugin: the record of the death names it, and the next runner the rest."""
    culprit = NAMES[place]

    result = await stage.play(kind, **{culprit: "die"})

    died = await stage.deployment.wait_told(RunnerDied, lambda record: not record.report.planned)
    assert stage.lost(kind, result) == [Fate.RUNNER_LOST]
    assert stage.ran == {name: (1, 0 if name == culprit else 1) for name in NAMES}
    assert died.culprit == f"test.{ORDER[place]}"
    assert [(call.plugin_id, call.component) for call in died.report.started] == [
        (died.culprit, f"{kind}_{culprit}")
    ]
    assert stage.counted == Counter({"invocations": 5, "lost": 1})
    assert stage.supervisor.shards["one"].incarnation == 2


@EXACT
async def test_one_that_kills_its_runner_later_is_the_culprit(stage: Stage, kind: str) -> None:
    """It had been suspended; whoever came after it in turn had not begun, and the others had ended."""
    result = await stage.play(kind, c2="die late")

    died = await stage.deployment.wait_told(RunnerDied, lambda record: not record.report.planned)
    assert stage.lost(kind, result) == [Fate.RUNNER_LOST]
    assert stage.ran == {name: (1, 0 if name == "c2" else 1) for name in NAMES}
    assert died.culprit == "test.c"
    assert stage.counted == Counter({"invocations": 5, "lost": 1})


@EXACT
async def test_a_kill_while_one_waits_costs_that_one(stage: Stage, kind: str) -> None:
    """From outside: nobody is to blame; the one that waited is lost, and another of its plugin had not begun."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.kill_when, "a0")
        result = await stage.play(kind, a0="wait")

    died = await stage.deployment.wait_told(RunnerDied, lambda record: not record.report.planned)
    assert stage.lost(kind, result) == [Fate.RUNNER_LOST]
    assert stage.ran == {name: (1, 0 if name == "a0" else 1) for name in NAMES}
    assert died.culprit == ""
    assert stage.counted == Counter({"invocations": 5, "lost": 1})


@BOTH_WAYS
async def test_those_that_wait_are_lost_with_one_that_kills(stage: Stage) -> None:
    """Of those that only see: two had begun, one of them kills; one had answered, one waited for its turn behind the first."""
    result = await stage.play("show", a0="wait", b1="speak", c2="die late", a3="speak")

    died = await stage.deployment.wait_told(RunnerDied, lambda record: not record.report.planned)
    assert stage.lost("show", result) == [Fate.RUNNER_LOST] * 2
    assert stage.ran == {"a0": (1, 0), "b1": (1, 1), "c2": (1, 0), "a3": (1, 1), "b4": (1, 1)}
    assert died.culprit == "test.c"
    assert {call.component for call in died.report.started} == {"show_a0", "show_c2"}
    assert stage.counted == Counter({"invocations": 5, "lost": 2})


@BOTH_WAYS
@IN_TURN
async def test_one_that_may_run_again_does(stage: Stage, kind: str) -> None:
    """The last is idempotent: it is made again in the next runner and nothing is lost."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.kill_when, "b4")
        result = await stage.play(kind, b4="wait")

    assert stage.lost(kind, result) == []
    assert stage.ran == {name: (2 if name == "b4" else 1, 1) for name in NAMES}
    assert stage.counted == Counter({"invocations": 5})


@BOTH_WAYS
async def test_nothing_that_had_not_begun_is_lost_with_a_stopped_runner(stage: Stage) -> None:
    """The loop does not run when the event comes; the runner is killed, and everything runs in the next one."""
    pid = stage.supervisor.shards["one"].pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    results = []

    async def play() -> None:
        results.append(await stage.play("turn"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(play)
        await trio.testing.wait_all_tasks_blocked()
        os.kill(pid, signal.SIGKILL)
        await stage.supervisor.shards["one"].state.wait_value(lambda state: state is not ShardState.READY)

    assert results[0].errors == ()
    assert stage.ran == dict.fromkeys(NAMES, (1, 1))
    assert stage.counted == Counter({"invocations": 5})


@pytest.mark.parametrize("at_once", [True])
@pytest.mark.parametrize("room", [1])
async def test_more_that_wait_than_the_page_has_room_for_are_all_known(stage: Stage) -> None:
    """What finds no slot on the page is told over the wire, and counts as begun after the connection has ended."""
    names = ("a0", "b1", "c2")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.kill_when, *names)
        await stage.play("show", **dict.fromkeys(names, "wait"))

    assert stage.ran == {name: (1, 0 if name in names else 1) for name in NAMES}
    assert stage.counted["lost"] == 3
