"""Calls of a plugin that is away in its runner wait before the gate: they take nobody's place, keep their order and end in time."""

from __future__ import annotations

from trio.testing import MockClock, wait_all_tasks_blocked

from rookery.supervisor.fate import Fate
from tests.doubles.ends import Ends
from tests.doubles.stage import open_stage, said


async def test_what_is_held_keeps_no_other_plugin_waiting(autojump_clock: MockClock) -> None:
    """However many there are; they go on when the plugin is back, in their order."""
    async with open_stage("one", max_inflight=2) as stage:
        held = stage.offer("tool", "p.held", "add", said())
        other = stage.offer("tool", "p.other", "add", said())
        ends = Ends(stage)
        stage.dispatcher.holding.hold("p.held")

        for number in range(10):
            ends.submit(("held", number), held)
        ends.submit("other", other)
        await wait_all_tasks_blocked()
        meanwhile = list(ends.order)
        stage.dispatcher.holding.release("p.held")
        await stage.settle()

        assert meanwhile == ["other"]
        assert ends.order == ["other", *(("held", number) for number in range(10))]
        assert not stage.dispatcher.holding.any


async def test_what_waits_in_line_already_is_held_too(autojump_clock: MockClock) -> None:
    """A full shard has calls of several plugins in its line; those of the one let the others by."""
    async with open_stage("one", max_inflight=1) as stage:
        hung = stage.offer("tool", "p.hung", "hang")
        held = stage.offer("tool", "p.held", "add", said())
        other = stage.offer("tool", "p.other", "add", said())
        ends = Ends(stage)
        ends.submit("hung", hung, seconds=5.0)
        for number in range(3):
            ends.submit(("held", number), held)
        ends.submit("other", other)

        stage.dispatcher.holding.hold("p.held")
        stage.links["one"].pending[0].settle(said())
        await wait_all_tasks_blocked()
        meanwhile = list(ends.order)
        stage.dispatcher.holding.release("p.held")
        await stage.settle()

        assert meanwhile == ["hung", "other"]
        assert ends.order[2:] == [("held", number) for number in range(3)]


async def test_lanes_keep_their_order(autojump_clock: MockClock) -> None:
    """The first of a conversation is held, and the others behind it."""
    async with open_stage("one") as stage:
        held = stage.offer("tool", "p.held", "add", said())
        ends = Ends(stage)
        stage.dispatcher.holding.hold("p.held")

        for number in range(5):
            ends.submit(number, held, key="chat")
        await wait_all_tasks_blocked()
        stage.dispatcher.holding.release("p.held")
        await stage.settle()

        assert ends.order == list(range(5))


async def test_what_is_held_ends_at_its_deadline(autojump_clock: MockClock) -> None:
    """A plugin that does not come back costs its callers no more than their patience, and a full queue says so at once."""
    async with open_stage("one", queue_limit=2) as stage:
        held = stage.offer("tool", "p.held", "add", said())
        ends = Ends(stage)
        stage.dispatcher.holding.hold("p.held")

        for number in range(3):
            ends.submit(number, held, seconds=1.0)
        await stage.settle()

        assert [ends.fate_of(number) for number in range(3)] == [Fate.TIMEOUT, Fate.TIMEOUT, Fate.OVERLOADED]
        stage.dispatcher.holding.release("p.held")
        assert stage.dispatcher.open_calls == 0


async def test_a_runner_that_dies_lets_go(autojump_clock: MockClock) -> None:
    """What was held waits for the next runner like everything else."""
    async with open_stage("one") as stage:
        held = stage.offer("tool", "p.held", "add", said())
        ends = Ends(stage)
        stage.dispatcher.holding.hold("p.held")
        ends.submit("call", held)
        await wait_all_tasks_blocked()

        stage.lose("one")
        stage.dispatcher.holding.release("p.held")
        await wait_all_tasks_blocked()
        assert ends.order == []
        stage.open("one")
        await stage.settle()

        assert ends.order == ["call"]


async def test_to_release_what_is_not_held_does_nothing(autojump_clock: MockClock) -> None:
    """An end may be told twice."""
    async with open_stage("one") as stage:
        stage.dispatcher.holding.release("p.held")

        assert not stage.dispatcher.holding.any
