"""What becomes of a request for several handlers that is refused, called back, or lost with its runner?"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from rookery.protocol import ErrorCode
from rookery.protocol.page import HANDED
from rookery.supervisor.fate import Fate
from tests.doubles.scenes import SILENT, Scene, open_scene

RECALLED = {"kind": "Recalled"}


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with open_scene() as made:
        yield made


@pytest.mark.parametrize("sees", [True, False])
async def test_what_was_called_back_is_asked_of_the_next_runner(scene: Scene, sees: bool) -> None:
    """One by one where they do not wait for each other, in their order."""
    scene.offer("a", "b", sees=sees)
    scene.start()
    scene.stage.dispatcher.close_shard("one")
    scene.wire.refuse(scene.wire.asked[0].request_id, ErrorCode.E_SHUTTING_DOWN, details=RECALLED)
    scene.wire.arrive()
    assert scene.settled == []

    scene.open()
    if sees:
        assert scene.components == [["a"], ["b"]]
    while not (scene.passed and (len(scene.settled) == 2 or not sees)):
        for request in list(scene.wire.asked):
            if request.request_id in scene.wire.runner.owed:
                scene.wire.answer(request.request_id, SILENT)
        scene.wire.arrive()

    assert scene.components == [["a"], ["b"]]
    assert scene.stage.counters.put_back == (2 if sees else 1)


async def test_a_refused_segment_fails_each_of_those_that_see(scene: Scene) -> None:
    """Nobody knows of any that it has ended."""
    scene.offer("a", "b", "c", sees=True)
    scene.start()

    scene.wire.refuse(scene.wire.asked[0].request_id, ErrorCode.E_SHUTTING_DOWN)
    scene.wire.arrive()

    assert scene.fates == [Fate.SHUTTING_DOWN] * 3
    assert scene.stage.counters.lost == 3


async def test_a_death_tells_the_ended_from_the_begun_and_from_the_others(scene: Scene) -> None:
    """By the page: the last that began moves along, those that had suspended stand for themselves, and one that waits for
    its turn elsewhere has not begun although others after it have."""
    names = ("ended", "suspended", "waits", "runs", "later", "last")
    scene.offer(*names, sees=True)
    scene.start()
    whole = scene.wire.asked[0].request_id
    scene.wire.started |= {whole + 2, (whole + 3) | HANDED, whole + 4}

    scene.die()

    assert sorted(map(str, scene.fates)) == sorted(map(str, ["well", Fate.RUNNER_LOST, Fate.RUNNER_LOST]))
    scene.open()
    assert scene.components == [["waits"], ["later"], ["last"]]
    for request in scene.wire.asked:
        scene.wire.answer(request.request_id, SILENT)
    scene.wire.arrive()
    assert len(scene.settled) == 6
    assert (scene.stage.counters.invocations, scene.stage.counters.lost) == (6, 2)


async def test_handlers_that_may_run_again_earn_their_retries(scene: Scene) -> None:
    """A fifth of the traffic and three: as many calls as there were handlers, not segments."""
    scene.offer(*(f"h{number}" for number in range(20)), sees=True, idempotent=True)
    scene.start()
    whole = scene.wire.asked[0].request_id
    scene.wire.started |= {whole + 1 + place for place in range(20)}

    scene.die()

    assert scene.stage.counters.retried == 7
    assert scene.fates == [Fate.RUNNER_LOST] * 13
    scene.open()
    for request in scene.wire.asked:
        scene.wire.answer(request.request_id, SILENT)
    scene.wire.arrive()


async def test_a_part_that_goes_on_is_lost_by_itself(scene: Scene) -> None:
    """Once its segment is answered it is a call like any other, with its own window and fate."""
    scene.offer("a", "b", sees=True)
    scene.start()
    whole = scene.wire.asked[0].request_id
    scene.wire.answer(whole, {"speaking": [1]})
    scene.wire.arrive()
    assert scene.stage.dispatcher.load_of("one") == (0, 1)
    scene.wire.started.add(whole + 2)

    scene.die()

    assert scene.fates == ["well", Fate.RUNNER_LOST]


@pytest.mark.parametrize("at_once", [True, False])
async def test_events_whose_next_handler_is_refused_go_on_in_their_order(scene: Scene, at_once: bool) -> None:
    """They had come back with a dead runner, newest first, when the plugin they wait for was kept out."""
    scene.stage.dispatcher.segments.is_on = at_once
    scene.offer("a", "b")
    for number in (1, 2, 3):
        scene.start(number)
    scene.die()

    scene.stage.dispatcher.refusals.block_plugin("p.a", "it is kept out")
    scene.stage.dispatcher.end_refused("p.a")
    scene.open()

    asked = [request.payload["args"]["message"]["message_id"] for request in scene.wire.asked]
    assert asked == ["m1", "m2", "m3"]
    assert scene.components == [["b"]] * 3
    for request in scene.wire.asked:
        scene.wire.answer(request.request_id, SILENT)
    scene.wire.arrive()
