"""Does the host leave the order of calls to a runner that keeps it, and to no other?"""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from rookery.protocol import PLUGIN_EMIT_EVENT
from rookery.supervisor.component import Component
from rookery.supervisor.fate import Fate
from tests.doubles.ends import Ends
from tests.doubles.fake_links import Late
from tests.doubles.stage import Stage, open_stage, said


def _submit(stage: Stage, component: Component, number: int, ended: list[int], key: str | None = "a") -> None:
    def settled(_: Any) -> None:
        ended.append(number)

    stage.dispatcher.submit(
        component, PLUGIN_EMIT_EVENT, {"number": number}, settled, deadline=trio.current_time() + 60, key=key
    )


def _slow(_: dict[str, Any]) -> Late:
    return Late(1.0, {"success": True})


async def test_an_ordering_runner_gets_the_calls_of_a_lane_at_once(autojump_clock: MockClock) -> None:
    """Each says its key; none waits for the answer of the one before."""
    async with open_stage(closed=("one",)) as stage:
        handler = stage.interceptor("p.a", "sees", _slow, shard="one")
        link = stage.open("one", orders=True)
        ended: list[int] = []

        for number in range(3):
            _submit(stage, handler, number, ended)

        assert [sent.payload["args"]["number"] for sent in link.sent] == [0, 1, 2]
        assert [sent.payload["ordering_key"] for sent in link.sent] == ["a", "a", "a"]
        await stage.dispatcher.wait_idle()
        assert ended == [0, 1, 2]


async def test_any_other_runner_gets_them_one_by_one_and_no_key(autojump_clock: MockClock) -> None:
    """A runner of protocol 1.0.0 runs everything at once: the host waits for each answer."""
    async with open_stage("one") as stage:
        handler = stage.interceptor("p.a", "sees", _slow, shard="one")
        ended: list[int] = []

        for number in range(3):
            _submit(stage, handler, number, ended)
        await wait_all_tasks_blocked()

        assert len(stage.links["one"].sent) == 1
        await stage.dispatcher.wait_idle()
        assert all("ordering_key" not in sent.payload for sent in stage.links["one"].sent)
        assert ended == [0, 1, 2]


async def test_calls_that_waited_for_the_first_runner_keep_their_order(autojump_clock: MockClock) -> None:
    """Nobody knew yet whether it would order: what began in the host's lane ends there before others are sent."""
    async with open_stage(closed=("one",)) as stage:
        handler = stage.interceptor("p.a", "sees", _slow, shard="one")
        ended: list[int] = []
        for number in range(3):
            _submit(stage, handler, number, ended)

        link = stage.open("one", orders=True)
        _submit(stage, handler, 3, ended)
        _submit(stage, handler, 4, ended, key="b")
        await stage.dispatcher.wait_idle()

        assert [number for number in ended if number != 4] == [0, 1, 2, 3]
        assert link.sent[1].payload["args"]["number"] == 4


async def test_what_an_ordering_runner_did_not_get_goes_to_the_next_in_order(
    autojump_clock: MockClock,
) -> None:
    """Calls that wait for a successor leave in the order in which they came."""
    async with open_stage(closed=("one",)) as stage:
        handler = stage.interceptor("p.a", "sees", _slow, shard="one")
        stage.open("one", orders=True)
        stage.lose("one")
        ended: list[int] = []

        for number in range(4):
            _submit(stage, handler, number, ended)
        link = stage.open("one", orders=True)

        assert [sent.payload["args"]["number"] for sent in link.sent] == [0, 1, 2, 3]
        await stage.dispatcher.wait_idle()
        assert ended == [0, 1, 2, 3]


async def test_a_lane_that_meets_a_runner_without_order_goes_one_by_one(autojump_clock: MockClock) -> None:
    """The runner after a runner that kept lanes, or in the shard to which a plugin was moved, may be of another kind."""
    async with open_stage("one", orders=True) as stage:
        handler = stage.interceptor("p.a", "sees", _slow, shard="one")
        ended: list[int] = []
        stage.lose("one")
        _submit(stage, handler, 0, ended)

        link = stage.open("one", orders=False)
        _submit(stage, handler, 1, ended)
        _submit(stage, handler, 2, ended)
        await wait_all_tasks_blocked()

        assert [sent.payload["args"]["number"] for sent in link.sent] == [0]
        await stage.dispatcher.wait_idle()
        assert ended == [0, 1, 2]


async def test_one_slow_key_does_not_fill_its_shard(autojump_clock: MockClock) -> None:
    """However many calls wait in one conversation, the others of the shard are served at once."""
    async with open_stage("one", orders=True, max_inflight=8) as stage:
        slow = stage.offer("tool", "p.a", "slow", Late(1.0, said()))
        quick = stage.offer("tool", "p.b", "quick", said())
        ends = Ends(stage)

        for number in range(20):
            ends.submit(number, slow, key="busy")
        ends.submit("other", quick, key="calm")
        await trio.sleep(0.5)

        assert ends.order == ["other"]
        await stage.settle()
        assert ends.order == ["other", *range(20)]


async def test_calls_keep_their_order_over_the_death_of_a_runner(autojump_clock: MockClock) -> None:
    """What was sent is lost, what was not goes to the next one."""
    async with open_stage("one", orders=True) as stage:
        tool = stage.offer("tool", "p.a", "slow", Late(1.0, said()))
        ends = Ends(stage)
        for number in range(3):
            ends.submit(number, tool, key="k")

        stage.lose("one")
        for number in range(3, 6):
            ends.submit(number, tool, key="k")
        stage.open("one", orders=True)
        await stage.settle()

        assert [ends.fate_of(number) for number in range(3)] == [Fate.RUNNER_LOST] * 3
        assert ends.order == list(range(6))
        assert all(ends.fate_of(number) is None for number in range(3, 6))


async def test_a_hung_call_holds_up_its_lane_for_its_own_time_only(autojump_clock: MockClock) -> None:
    """The runner ends it at its deadline and goes on."""
    async with open_stage("one", orders=True) as stage:
        tool = stage.offer("tool", "p.a", "hang", lambda args: None if args["name"] == 1 else said())
        ends = Ends(stage)

        ends.submit(1, tool, key="k", seconds=2.0)
        ends.submit(2, tool, key="k")
        await stage.settle()

        assert (ends.fate_of(1), ends.fate_of(2)) == (Fate.TIMEOUT, None)
        assert trio.current_time() == pytest.approx(2.0, abs=0.1)
