"""What becomes of the calls of a runner that ends: those that had begun, those that had not, those nobody wants?"""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from rookery.protocol import ConnectionLost, ErrorCode, RemoteError
from rookery.supervisor.fate import DispatchFailed, Fate
from rookery.supervisor.retries import MAX_ATTEMPTS
from tests.doubles.ends import Ends
from tests.doubles.fake_links import Late
from tests.doubles.stage import open_stage, said


def begun(*numbers: int) -> Any:
    """The runner had begun exactly these, counted as it got them."""
    return lambda sent: sent.number in numbers


async def test_what_had_not_begun_runs_once_in_the_next_runner(autojump_clock: MockClock) -> None:
    """A7, A8: before anything that was called later, in its old order, and uncharged."""
    async with open_stage("one") as stage:
        tool = stage.offer("tool", "p.a", "add")
        ends = Ends(stage)
        for number in range(4):
            ends.submit(number, tool)
        await wait_all_tasks_blocked()
        first = stage.links["one"]
        first.die(started=begun(1))
        stage.dispatcher.close_shard("one")
        for number in (4, 5):
            ends.submit(number, tool)
        stage.seen.clear()
        stage._handlers["p.a", "add"] = lambda _: said()
        stage.open("one")
        await stage.settle()

        assert stage.names == [0, 2, 3, 4, 5]
        assert ends.fate_of(1) is Fate.RUNNER_LOST
        assert ends.outcomes[1].maybe_executed
        assert [ends.fate_of(number) for number in (0, 2, 3, 4, 5)] == [None] * 5
        counters = stage.dispatcher.tally.counters
        assert (counters.put_back, counters.retried, counters.lost) == (3, 0, 1)


async def test_one_chat_keeps_its_order_over_a_death(autojump_clock: MockClock) -> None:
    """The first of a lane had begun and is lost; the others follow in order, also those that waited in the lane."""
    async with open_stage("one", orders=True, max_inflight=24) as stage:
        tool = stage.offer("tool", "p.a", "add")
        ends = Ends(stage)
        for number in range(6):
            ends.submit(number, tool, key="chat")
        await wait_all_tasks_blocked()
        assert len(stage.links["one"].sent) == 3
        stage.links["one"].die(started=begun(0))
        stage.dispatcher.close_shard("one")
        stage.seen.clear()
        stage._handlers["p.a", "add"] = lambda _: Late(0.1, said())
        stage.open("one", orders=True)
        await stage.settle()

        assert stage.names == [1, 2, 3, 4, 5]
        assert ends.order == [0, 1, 2, 3, 4, 5]


async def test_a_handler_that_may_run_again_is_called_again(autojump_clock: MockClock) -> None:
    """At least once, at the head of its line, at most three times in all."""
    async with open_stage("one") as stage:
        again = stage.offer("tool", "p.a", "again", idempotent=True)
        ends = Ends(stage)
        ends.submit("again", again)
        ends.submit("behind", again)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            await wait_all_tasks_blocked()
            assert stage.names == ["again", "behind"] * attempt
            stage.links["one"].die(started=lambda sent: sent.args["name"] == "again")
            stage.dispatcher.close_shard("one")
            stage.open("one")
        stage._handlers["p.a", "again"] = lambda _: said()
        stage.links["one"].pending[0].settle(said())
        await stage.settle()

        assert ends.fate_of("again") is Fate.RUNNER_LOST
        assert ends.outcomes["again"].maybe_executed
        assert ends.fate_of("behind") is None


async def test_without_a_budget_nothing_is_called_again(autojump_clock: MockClock) -> None:
    """When everything fails, three calls are repeated and not three hundred."""
    async with open_stage("one", max_inflight=300) as stage:
        again = stage.offer("tool", "p.a", "again", idempotent=True)
        ends = Ends(stage)
        for number in range(10):
            ends.submit(number, again)
        await wait_all_tasks_blocked()
        stage.links["one"].die()
        stage.dispatcher.close_shard("one")

        assert len(ends.outcomes) == 10 - 5  # three, and a fifth of ten

        stage._handlers["p.a", "again"] = lambda _: said()
        stage.open("one")
        await stage.settle()


async def test_a_call_that_comes_back_is_never_too_many(autojump_clock: MockClock) -> None:
    """It had been admitted; the limit of the queue is for those who come."""
    async with open_stage("one", max_inflight=4, queue_limit=1) as stage:
        tool = stage.offer("tool", "p.a", "add")
        ends = Ends(stage)
        for number in range(5):
            ends.submit(number, tool)
        await wait_all_tasks_blocked()
        stage.links["one"].die(started=begun())
        stage.dispatcher.close_shard("one")
        stage._handlers["p.a", "add"] = lambda _: said()
        stage.open("one")
        await stage.settle()

        assert [ends.fate_of(number) for number in range(5)] == [None] * 5


async def test_a_call_that_comes_back_still_has_its_deadline(autojump_clock: MockClock) -> None:
    """It never began, and that is said."""
    async with open_stage("one") as stage:
        tool = stage.offer("tool", "p.a", "add")
        ends = Ends(stage)
        ends.submit("late", tool, seconds=2.0)
        await wait_all_tasks_blocked()
        stage.links["one"].die(started=begun())
        stage.dispatcher.close_shard("one")
        await stage.settle()

        assert ends.fate_of("late") is Fate.TIMEOUT
        assert not ends.outcomes["late"].maybe_executed
        assert trio.current_time() < 2.2


async def test_the_call_that_hung_its_runner_is_told_so(autojump_clock: MockClock) -> None:
    """4.7: its neighbours only lost their runner."""
    async with open_stage("one") as stage:
        tool = stage.offer("tool", "p.a", "add")
        ends = Ends(stage)
        ends.submit("culprit", tool)
        ends.submit("bystander", tool)
        await wait_all_tasks_blocked()
        culprit, bystander = stage.links["one"].pending
        culprit.settle(ConnectionLost("it hung", hung=True))
        bystander.settle(ConnectionLost("it hung"))

        assert (ends.fate_of("culprit"), ends.fate_of("bystander")) == (Fate.HUNG, Fate.RUNNER_LOST)


async def test_what_is_recalled_waits_for_the_next_runner(autojump_clock: MockClock) -> None:
    """T15: a runner that is to leave gives back what it has not begun, in whatever order."""
    async with open_stage("one") as stage:
        tool = stage.offer("tool", "p.a", "add")
        ends = Ends(stage)
        for number in range(3):
            ends.submit(number, tool)
        await wait_all_tasks_blocked()
        link = stage.links["one"]
        stage.dispatcher.close_shard("one")
        recalled = RemoteError(ErrorCode.E_SHUTTING_DOWN, "elsewhere", {"kind": "Recalled"})
        for number in (1, 0, 2):
            link.sent[number].settle(recalled)
        stage.seen.clear()
        stage._handlers["p.a", "add"] = lambda _: said()
        stage.open("one")
        await stage.settle()

        assert stage.names == [0, 1, 2]


@pytest.mark.parametrize("cancels", [True, False])
async def test_a_caller_that_leaves_has_its_call_cancelled(autojump_clock: MockClock, cancels: bool) -> None:
    """Where the runner can; a call that waits is only withdrawn."""
    async with open_stage("one", max_inflight=1) as stage:
        tool = stage.offer("tool", "p.a", "add")
        link = stage.links["one"]
        stage.dispatcher.open_shard("one", link, cancels=cancels)  # type: ignore[arg-type]
        for _ in range(2):
            with trio.move_on_after(1):
                await stage.dispatcher.call(tool, "plugin.invoke_tool", {"name": 1})
        sent = link.sent[0]

        assert link.told == ([("plugin.cancel", {"request_ids": [sent.number]})] if cancels else [])
        link.die(started=begun())
        stage.dispatcher.close_shard("one")
        assert stage.dispatcher.open_calls == 0


async def test_a_call_that_is_too_late_is_cancelled_in_its_runner(autojump_clock: MockClock) -> None:
    """The answer is told at the deadline; the handler need not go on."""
    async with open_stage("one") as stage:
        tool = stage.offer("tool", "p.a", "add")
        link = stage.links["one"]
        stage.dispatcher.open_shard("one", link, cancels=True)  # type: ignore[arg-type]
        ends = Ends(stage)
        ends.submit("late", tool, seconds=1.0)
        await stage.settle()

        assert ends.fate_of("late") is Fate.TIMEOUT
        assert link.told == [("plugin.cancel", {"request_ids": [0]})]


async def test_a_runner_that_says_it_never_began_is_believed(autojump_clock: MockClock) -> None:
    """A time-out in the queue of a lane is none of the handler."""
    async with open_stage("one") as stage:

        def refuse(_: Any) -> RemoteError:
            return RemoteError(ErrorCode.E_TIMEOUT, "no time for it", {"kind": "NotStarted"})

        tool = stage.offer("tool", "p.a", "add", refuse)
        ends = Ends(stage)
        ends.submit("late", tool)
        await stage.settle()

        failure = ends.outcomes["late"]
        assert isinstance(failure, DispatchFailed)
        assert (failure.fate, failure.maybe_executed) == (Fate.TIMEOUT, False)


async def test_what_began_once_is_never_said_not_to_have_run(autojump_clock: MockClock) -> None:
    """Its first runner died under it, and the second had no time for it: that one's word is about itself alone."""
    async with open_stage("one") as stage:
        tool = stage.offer("tool", "p.a", "again", idempotent=True)
        ends = Ends(stage)
        ends.submit("late", tool)
        await wait_all_tasks_blocked()
        stage.links["one"].die()
        stage.dispatcher.close_shard("one")
        link = stage.open("one")
        link.pending[0].settle(RemoteError(ErrorCode.E_TIMEOUT, "no time for it", {"kind": "NotStarted"}))

        assert ends.fate_of("late") is Fate.TIMEOUT
        assert ends.outcomes["late"].maybe_executed


async def test_a_plugin_that_moves_takes_its_calls_along(autojump_clock: MockClock) -> None:
    """F14: in their order, those in a lane too; its neighbour's stay."""
    async with open_stage(closed=("one", "two")) as stage:
        moving = stage.offer("tool", "p.a", "add", said())
        staying = stage.offer("tool", "p.b", "add", said())
        ends = Ends(stage)
        for number in range(4):
            ends.submit(number, moving, key="k" if number % 2 else None)
        ends.submit("stays", staying)
        stage.dispatcher.move_plugin("p.a", "two")
        stage.open("two")
        with trio.move_on_after(1):
            await stage.settle()
        done = list(ends.order)
        stage.open("one")
        await stage.settle()

        assert sorted(done) == [0, 1, 2, 3]
        assert done.index(1) < done.index(3)
        assert ends.order[-1] == "stays"
        assert stage.dispatcher.load_of("one") == stage.dispatcher.load_of("two") == (0, 0)
