"""What does the host make of a request for several handlers, whatever its runner says, or does not say?"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from rookery.protocol import PLUGIN_RUN_SEGMENT, ErrorCode
from rookery.supervisor.fate import Fate
from tests.doubles.scenes import FAILS, SILENT, STOPS, Scene, open_scene
from tests.doubles.stage import chat


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with open_scene() as made:
        yield made


# --- who is asked how --------------------------------------------------------------------------------------------


async def test_neighbours_are_asked_at_once_and_the_rest_after_one_that_speaks(scene: Scene) -> None:
    """Those before it were silent and count as calls that ended well."""
    scene.offer("a", "b", "c", "d")
    scene.start()
    first = scene.wire.asked[0].request_id

    scene.wire.answer(first + 2, FAILS, whole=first)
    scene.wire.arrive()
    second = scene.wire.asked[1].request_id
    scene.wire.answer(second + 2, SILENT, whole=second)
    scene.wire.arrive()

    assert scene.components == [["a", "b", "c", "d"], ["c", "d"]]
    assert scene.passed[0].errors == ["p.b.b: it failed"]
    assert (scene.stage.counters.invocations, scene.stage.counters.errors) == (4, 1)


@pytest.mark.parametrize("why", ["off", "one", "short", "thread", "refused", "waiting"])
async def test_anything_unusual_is_asked_one_by_one(scene: Scene, why: str) -> None:
    """Nobody but the clock can tell."""
    scene.offer("a", inline=why != "thread")
    if why != "one":
        scene.offer("b", timeout_ms=100 if why == "short" else 1000)
    dispatcher = scene.stage.dispatcher
    if why == "off":
        dispatcher.segments.is_on = False
    elif why == "refused":
        dispatcher.refusals.block_plugin("p.z", "it is kept out")
    elif why == "waiting":
        dispatcher.close_shard("one")
    scene.start()
    if why == "waiting":
        scene.open()
    while not scene.passed:
        scene.wire.answer(scene.wire.asked[-1].request_id, SILENT)
        scene.wire.arrive()

    assert set(scene.methods) == {"emit_event"}


async def test_the_second_event_of_a_conversation_goes_from_one_to_the_next(scene: Scene) -> None:
    """Or it would pass the first, which may come back to the host between two handlers; another conversation's would not."""
    scene.offer("a", "b")
    for number in (1, 2):
        scene.start(number)
    scene.stage.events.start("on_message", chat(user="elsewhere"), None, scene.finish)

    assert scene.components == [["a", "b"], ["a"], ["a", "b"]]

    whole, alone, other = (request.request_id for request in scene.wire.asked)
    for segment in (whole, other):
        scene.wire.answer(segment + 2, SILENT, whole=segment)
    scene.wire.answer(alone, SILENT)
    scene.wire.arrive()
    scene.wire.answer(scene.wire.asked[3].request_id, SILENT)
    scene.wire.arrive()

    assert len(scene.passed) == 3


# --- time --------------------------------------------------------------------------------------------------------


async def test_the_one_that_runs_has_its_own_time(scene: Scene, autojump_clock: MockClock) -> None:
    """A short one behind a long one is over in its time; those before it were silent, and the rest is asked again."""
    scene.offer("a", timeout_ms=10_000)
    scene.stage.interceptor("p.b", "b", inline=True, weight=-1, timeout_ms=1000)
    scene.stage.interceptor("p.c", "c", inline=True, weight=-2, timeout_ms=10_000)
    scene.start()
    whole = scene.wire.asked[0].request_id
    scene.wire.started.add(whole + 2)

    await trio.sleep(1.0)
    scene.wire.expire()
    scene.wire.answer(whole + 2, STOPS, whole=whole)
    scene.wire.arrive()
    scene.wire.answer(scene.wire.asked[1].request_id, SILENT)
    scene.wire.arrive()

    assert scene.components == [["a", "b", "c"], ["c"]]
    assert scene.wire.cancelled == [whole]
    assert scene.wire.dropped == 1
    assert [text.partition(":")[0] for text in scene.passed[0].errors] == ["p.b.b"]
    assert "timeout" in scene.passed[0].errors[0]


async def test_a_short_one_that_has_not_begun_ends_nothing(scene: Scene, autojump_clock: MockClock) -> None:
    """The long one before it runs, and has the rest of its time, once."""
    scene.offer("a", timeout_ms=10_000)
    scene.stage.interceptor("p.b", "b", inline=True, weight=-1, timeout_ms=1000)
    scene.start()
    whole = scene.wire.asked[0].request_id
    scene.wire.started.add(whole + 1)

    await trio.sleep(1.0)
    scene.wire.expire()
    assert scene.components == [["a", "b"]]
    await trio.sleep(8.9)
    scene.wire.expire()
    assert scene.components == [["a", "b"]]
    await trio.sleep(0.2)
    scene.wire.expire()
    scene.wire.answer(scene.wire.asked[1].request_id, SILENT)
    scene.wire.arrive()

    assert scene.components == [["a", "b"], ["b"]]
    assert "p.a.a: timeout" in scene.passed[0].errors[0]


async def test_those_that_only_see_are_called_back_when_their_time_is_over(
    scene: Scene, autojump_clock: MockClock
) -> None:
    """Whoever began before another was silent; the others have timed out, and what they say then is late."""
    scene.offer("a", "b", "c", sees=True, timeout_ms=1000)
    scene.start()
    whole = scene.wire.asked[0].request_id
    scene.wire.started.add(whole + 2)

    await trio.sleep(1.0)
    scene.wire.expire()
    scene.wire.answer(whole, {"speaking": [0, 1, 2]})
    scene.wire.arrive()

    assert scene.wire.cancelled == [whole, whole + 1, whole + 2, whole + 3]
    assert sorted(map(str, scene.fates)) == sorted(["well", str(Fate.TIMEOUT), str(Fate.TIMEOUT)])
    assert scene.wire.dropped == 1


async def test_a_withdrawn_event_is_called_back(scene: Scene, autojump_clock: MockClock) -> None:
    """The host does not know who runs: the runner does. What comes then is heard by nobody."""
    scene.offer("a", "b")
    with trio.move_on_after(1):
        await scene.stage.events.dispatch("on_message", chat())
    whole = scene.wire.asked[0].request_id
    assert scene.wire.cancelled == [whole]

    scene.wire.refuse(whole + 1, ErrorCode.E_TIMEOUT, whole=whole)
    scene.wire.arrive()

    assert scene.components == [["a", "b"]]


# --- a runner that makes no sense --------------------------------------------------------------------------------


async def test_an_answer_for_nobody_is_the_mistake_of_the_first(scene: Scene) -> None:
    """In turn: somebody has to have answered. The event goes on."""
    scene.offer("a", "b")
    scene.start()
    whole = scene.wire.asked[0].request_id

    scene.wire.answer(whole, {"speaking": []})
    scene.wire.arrive()
    scene.wire.answer(scene.wire.asked[1].request_id, STOPS)
    scene.wire.arrive()

    assert scene.components == [["a", "b"], ["b"]]
    assert "answered for nobody" in scene.passed[0].errors[0]
    assert scene.passed[0].stopped_by == "p.b.b"


async def test_a_second_answer_is_late(scene: Scene) -> None:
    """Under the same id or another part's; ids that were never used are unknown."""
    scene.offer("a", "b", "c")
    scene.start()
    whole = scene.wire.asked[0].request_id

    for part in (2, 2, 3, 1, 0, 9):
        scene.wire.answer(whole + part, STOPS)
    scene.wire.arrive()

    assert scene.passed[0].stopped_by == "p.b.b"
    assert scene.wire.dropped == 5
    assert scene.stage.counters.invocations == 2


@pytest.mark.parametrize(
    ("speaking", "speak"),
    [([99, -1, True, "x", 1, 1, 1.0, None], [1]), ("01", []), (None, []), ({"0": 1}, [])],
)
async def test_places_that_are_none_speak_for_nobody(scene: Scene, speaking: Any, speak: list[int]) -> None:
    """Each handler ends once, whatever is claimed."""
    scene.offer("a", "b", "c", sees=True)
    scene.start()
    whole = scene.wire.asked[0].request_id

    scene.wire.answer(whole, {"speaking": speaking})
    scene.wire.arrive()
    assert len(scene.settled) == 3 - len(speak)
    for place in range(3):
        scene.wire.answer(whole + 1 + place, FAILS)
    scene.wire.arrive()

    assert len(scene.settled) == 3
    assert scene.wire.dropped == 3 - len(speak)
    assert scene.stage.counters.errors == len(speak)


async def test_a_part_that_answers_before_the_segment_does_is_its_answer(scene: Scene) -> None:
    """It says of nobody that they speak; each has ended once, and the segment's own answer is late."""
    scene.offer("a", "b", sees=True)
    scene.start()
    whole = scene.wire.asked[0].request_id

    scene.wire.answer(whole + 1, SILENT)
    scene.wire.answer(whole, {"speaking": [0, 1]})
    scene.wire.arrive()

    assert scene.fates == ["well", "well"]
    assert scene.wire.dropped == 1


async def test_one_that_claims_to_speak_and_does_not_times_out(
    scene: Scene, autojump_clock: MockClock
) -> None:
    """As any call that is not answered."""
    scene.offer("a", "b", sees=True, timeout_ms=1000)
    scene.start()
    scene.wire.answer(scene.wire.asked[0].request_id, {"speaking": [1]})
    scene.wire.arrive()

    await trio.sleep(1.0)
    scene.wire.expire()

    assert scene.fates == ["well", Fate.TIMEOUT]


async def test_a_segment_is_told_as_what_it_is(scene: Scene) -> None:
    """The lists name the same handlers, the arguments are packed once, and it is said when it was sent."""
    scene.offer("a", "b", timeout_ms=2500)
    scene.start()
    request = scene.wire.asked[0]

    assert request.method.name == PLUGIN_RUN_SEGMENT
    assert request.payload["plugins"] == ["p.a", "p.b"]
    assert request.payload["timeouts_ms"] == [2500, 2500]
    assert request.payload["in_turn"] is True
    assert request.payload["ordering_key"] == chat()["session_id"]
    assert request.payload["sent_at"] > 0
    scene.wire.answer(request.request_id + 1, STOPS, whole=request.request_id)
    scene.wire.arrive()
