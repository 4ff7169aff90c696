"""Does the dispatcher keep its promises over real links, on the real clock?"""

from __future__ import annotations

from typing import Any

import pytest
import trio

from rookery.protocol import (
    PLUGIN_INVOKE_API,
    Request,
)
from rookery.supervisor.fate import DispatchFailed, Fate
from tests.doubles.ends import Ends
from tests.doubles.links import open_links
from tests.doubles.stage import open_stage, said


async def test_order_and_answers_over_a_real_link() -> None:
    """A hundred calls in ten lanes over a socket: each is answered with its own, each lane in order."""
    seen: list[dict[str, Any]] = []

    def answer(request: Request) -> None:
        seen.append(request.payload["args"])
        request.answer(said(request.payload["args"]["number"]))

    async with open_stage(closed=("one",)) as stage, open_links(runner=answer) as (host, _):
        tool = stage.offer("tool", "p.a", "echo")
        stage.dispatcher.open_shard("one", host.link)
        ends = Ends(stage)

        for number in range(100):
            ends.submit(number, tool, key=str(number % 10), args={"number": number})
        with trio.fail_after(5):
            await stage.dispatcher.wait_idle()

        assert {number: outcome["result"] for number, outcome in ends.outcomes.items()} == {
            number: number for number in range(100)
        }
        for lane in range(10):
            assert [args["number"] for args in seen if args["number"] % 10 == lane] == list(
                range(lane, 100, 10)
            )


async def test_calls_outlive_a_real_link_that_breaks() -> None:
    """What the dead runner had is lost, what waited goes to its successor."""
    async with open_stage(closed=("one",), max_inflight=1) as stage:
        tool = stage.offer("tool", "p.a", "echo")
        ends = Ends(stage)
        async with open_links() as (host, runner):
            stage.dispatcher.open_shard("one", host.link)
            ends.submit("sent", tool)
            ends.submit("waiting", tool)
            runner.link.close()
            await host.wait_closed()
        stage.dispatcher.close_shard("one")

        async with open_links(runner=lambda request: request.answer(said())) as (host, _):
            stage.dispatcher.open_shard("one", host.link)
            with trio.fail_after(5):
                await stage.dispatcher.wait_idle()

        assert (ends.fate_of("sent"), ends.fate_of("waiting")) == (Fate.RUNNER_LOST, None)


async def test_a_call_over_a_real_link_ends_by_its_deadline_when_the_runner_is_silent() -> None:
    """The link keeps the deadline of what was sent, on the real clock."""
    async with open_stage(closed=("one",)) as stage, open_links() as (host, _):
        tool = stage.offer("tool", "p.a", "hang")
        stage.dispatcher.open_shard("one", host.link)

        started = trio.current_time()
        with pytest.raises(DispatchFailed) as caught:
            await stage.dispatcher.call(tool, PLUGIN_INVOKE_API, {}, timeout=0.1)

        assert caught.value.fate is Fate.TIMEOUT
        assert trio.current_time() - started < 0.5
