"""What becomes of a call whose caller goes?"""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from rookery.protocol import (
    PLUGIN_INVOKE_API,
)
from tests.doubles.ends import Ends
from tests.doubles.fake_links import Late
from tests.doubles.stage import open_stage, said


async def test_a_cancelled_caller_of_a_running_call_leaves_the_lane_in_order(
    autojump_clock: MockClock,
) -> None:
    """The call runs on; the next goes out when it has ended, and it is counted."""
    async with open_stage("one") as stage:
        slow = stage.offer("tool", "p.a", "slow", Late(3.0, said()))
        ends = Ends(stage)

        with trio.move_on_after(1.0):
            await stage.dispatcher.call(slow, PLUGIN_INVOKE_API, {"name": 1}, key="k")
        ends.submit(2, slow, key="k")
        open_now = stage.dispatcher.open_calls
        await stage.settle()

        assert open_now == 2
        assert [sent.at for sent in stage.links["one"].sent] == [0.0, 3.0]
        assert (stage.counters.invocations, stage.counters.errors, stage.counters.lost) == (2, 0, 0)


@pytest.mark.parametrize("place", ["line", "lane"])
async def test_a_cancelled_caller_takes_a_waiting_call_along(autojump_clock: MockClock, place: str) -> None:
    """What was not sent is never sent: nobody wants it. It is counted nowhere, and holds nobody up."""
    async with open_stage(closed=("one",)) as stage:
        tool = stage.offer("tool", "p.a", "add", said())
        ends = Ends(stage)
        if place == "lane":
            ends.submit("before", tool, key="k")

        with trio.move_on_after(1.0) as scope:
            await stage.dispatcher.call(tool, PLUGIN_INVOKE_API, {"name": "cancelled"}, key="k")
        ends.submit("after", tool, key="k")
        stage.open("one")
        await stage.settle()

        expected = ["before", "after"] if place == "lane" else ["after"]
        assert scope.cancelled_caught
        assert stage.names == ends.order == expected
        assert stage.counters.invocations == len(expected)
        assert stage.dispatcher.load_of("one") == (0, 0)


async def test_cancelled_callers_leave_nothing_behind(autojump_clock: MockClock) -> None:
    """A host that tries a shard which is away again and again does not grow."""
    async with open_stage(closed=("one",)) as stage:
        tool = stage.offer("tool", "p.a", "add", said())

        for _ in range(500):
            with trio.move_on_after(0.1):
                await stage.dispatcher.call(tool, PLUGIN_INVOKE_API, {})

        assert stage.dispatcher.open_calls == 0
        assert stage.dispatcher.load_of("one") == (0, 0)
        assert len(stage.dispatcher._gates["one"].inner.line._calls) < 60
        assert stage.dispatcher._lanes == {}
