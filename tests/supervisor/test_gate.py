"""What becomes of calls while shards come, go and are full?"""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from rookery.protocol import (
    PLUGIN_INVOKE_API,
)
from rookery.supervisor.fate import DispatchFailed, Fate
from rookery.supervisor.waiting import SWEEP
from tests.doubles.ends import Ends
from tests.doubles.fake_links import Late
from tests.doubles.stage import open_stage, said

# --- shards that come and go -------------------------------------------------------------------------------------------


async def test_a_call_waits_for_its_shard_and_goes_out_when_it_opens(autojump_clock: MockClock) -> None:
    """In the order of dispatch, over keys."""
    async with open_stage(closed=("one",)) as stage:
        tool = stage.offer("tool", "p.a", "add", said())
        ends = Ends(stage)
        for number in range(6):
            ends.submit(number, tool, key="kl"[number % 2])

        await trio.sleep(5)
        nothing_yet = dict(ends.outcomes)
        stage.open("one")
        await stage.settle()

        assert nothing_yet == {}
        assert [name for name in stage.names if name % 2 == 0] == [0, 2, 4]
        assert [name for name in stage.names if name % 2 == 1] == [1, 3, 5]
        assert all(ends.fate_of(number) is None for number in range(6))


async def test_a_call_whose_shard_stays_away_ends_at_its_deadline(autojump_clock: MockClock) -> None:
    """As lost, and known not to have run; the message names component and shard."""
    async with open_stage(closed=("one",)) as stage:
        tool = stage.offer("tool", "p.a", "add", said())

        with pytest.raises(
            DispatchFailed, match=r"p\.a\.add in shard 'one' could not begin in time"
        ) as caught:
            await stage.dispatcher.call(tool, PLUGIN_INVOKE_API, {}, timeout=2.0)

        assert 2.0 <= trio.current_time() <= 2.0 + 2 * SWEEP
        assert (caught.value.fate, caught.value.maybe_executed) == (Fate.TIMEOUT, False)
        assert stage.counters.lost == 1


async def test_a_call_is_not_sent_after_its_deadline(autojump_clock: MockClock) -> None:
    """Although its shard opens before anybody has looked at the deadlines: nobody waits for it any more."""
    async with open_stage(closed=("one",)) as stage:
        tool = stage.offer("tool", "p.a", "add", said())
        ends = Ends(stage)
        ends.submit("late", tool, seconds=1.0 + SWEEP / 4)

        await trio.sleep(1.0 + SWEEP / 2)
        before = dict(ends.outcomes)
        stage.open("one")
        await stage.settle()

        assert before == {}
        assert (ends.fate_of("late"), stage.names) == (Fate.TIMEOUT, [])


async def test_a_shard_that_is_given_up_fails_what_waits_and_what_comes(autojump_clock: MockClock) -> None:
    """At once, also what waits in a lane; and a shard that comes back all the same serves again."""
    async with open_stage(closed=("one",)) as stage:
        tool = stage.offer("tool", "p.a", "add", said())
        ends = Ends(stage)
        for number in range(5):
            ends.submit(number, tool, key="k")

        stage.dispatcher.close_shard("one", given_up="it failed five times in a minute")
        ends.submit("new", tool, key="k")
        await stage.settle()
        at = trio.current_time()
        stage.open("one")
        ends.submit("back", tool, key="k")
        await stage.settle()

        assert at == 0.0
        assert all(ends.fate_of(name) is Fate.UNAVAILABLE for name in (*range(5), "new"))
        assert "five times" in str(ends.outcomes[3])
        assert ends.fate_of("back") is None


async def test_a_dispatcher_that_does_not_wait_fails_at_once(autojump_clock: MockClock) -> None:
    """`on_unavailable = "skip"`: new calls, those in line and those in a lane, when the shard is away or goes."""
    async with open_stage("one", closed=("two",), waits=False, max_inflight=1) as stage:
        tool = stage.offer("tool", "p.a", "hang")
        away = stage.offer("tool", "p.b", "add", said(), shard="two")
        ends = Ends(stage)
        ends.submit("sent", tool, key="k")
        ends.submit("in line", tool)
        ends.submit("in a lane", tool, key="k")
        ends.submit("away", away)

        stage.lose("one")
        await stage.settle()

        assert trio.current_time() == 0.0
        assert ends.fate_of("sent") is Fate.RUNNER_LOST
        assert {ends.fate_of(name) for name in ("in line", "in a lane", "away")} == {Fate.UNAVAILABLE}


async def test_a_link_that_closed_unnoticed_makes_the_call_wait(autojump_clock: MockClock) -> None:
    """The call was not sent, so it waits for the next runner; those behind it keep their places."""
    async with open_stage("one") as stage:
        tool = stage.offer("tool", "p.a", "add", said())
        ends = Ends(stage)
        stage.links["one"].is_closed = True

        for number in range(3):
            ends.submit(number, tool)
        stage.dispatcher.close_shard("one")
        await trio.sleep(1)
        waiting = stage.dispatcher.load_of("one")
        stage.open("one")
        await stage.settle()

        assert waiting == (3, 0)
        assert stage.names == [0, 1, 2]
        assert all(ends.fate_of(number) is None for number in range(3))


async def test_a_call_that_could_not_be_sent_keeps_its_place(autojump_clock: MockClock) -> None:
    """The first of a line is tried on a link that has closed, and is still the first for the next runner."""
    async with open_stage("one", max_inflight=1) as stage:
        tool = stage.offer("tool", "p.a", "hang", lambda args: None if args["name"] == 0 else said())
        ends = Ends(stage)
        for number in range(4):
            ends.submit(number, tool)
        stage.links["one"].is_closed = True

        stage.links["one"].pending[0].settle(said())
        stage.open("one")
        await stage.settle()

        assert ends.order == [0, 1, 2, 3]
        assert all(ends.fate_of(number) is None for number in range(4))


async def test_a_link_that_closed_unnoticed_fails_a_call_that_does_not_wait(
    autojump_clock: MockClock,
) -> None:
    """`on_unavailable = "skip"` means this moment as well."""
    async with open_stage("one", waits=False) as stage:
        tool = stage.offer("tool", "p.a", "add", said())
        stage.links["one"].is_closed = True

        with pytest.raises(DispatchFailed) as caught:
            await stage.dispatcher.call(tool, PLUGIN_INVOKE_API, {})

        assert (caught.value.fate, caught.value.maybe_executed) == (Fate.UNAVAILABLE, False)


async def test_a_draining_shard_gets_nothing_new_and_ends_what_it_has(autojump_clock: MockClock) -> None:
    """And says meanwhile how much that is."""
    async with open_stage("one") as stage:
        tool = stage.offer("tool", "p.a", "slow", Late(2.0, said()))
        ends = Ends(stage)
        ends.submit("before", tool)

        stage.dispatcher.close_shard("one")
        ends.submit("after", tool)
        await trio.sleep(1)
        load = stage.dispatcher.load_of("one")
        await trio.sleep(2)

        assert load == (1, 1)
        assert ends.fate_of("before") is None
        assert "after" not in ends.outcomes


# --- load --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [500, 5000])
async def test_a_burst_succeeds_whole(autojump_clock: MockClock, count: int) -> None:
    """Five hundred and five thousand at once are a normal burst; never more than ``max_inflight`` are out."""
    async with open_stage("one") as stage:
        tool = stage.offer("tool", "p.a", "add", said())
        ends = Ends(stage)

        for number in range(count):
            ends.submit(number, tool, key=str(number % 200))
        await stage.settle()

        assert len(ends.outcomes) == count
        assert stage.counters.invocations == count
        assert (stage.counters.errors, stage.counters.lost) == (0, 0)
        assert stage.links["one"].most_pending <= 64


async def test_at_most_max_inflight_calls_are_out(autojump_clock: MockClock) -> None:
    """The rest wait for room, in order."""
    async with open_stage("one", max_inflight=3) as stage:
        tool = stage.offer("tool", "p.a", "slow", Late(1.0, said()))
        ends = Ends(stage)

        for number in range(10):
            ends.submit(number, tool)
        await trio.sleep(0.5)
        load = stage.dispatcher.load_of("one")
        await stage.settle()

        assert load == (7, 3)
        assert stage.links["one"].most_pending == 3
        assert ends.order == list(range(10))
        assert all(ends.fate_of(number) is None for number in range(10))


async def test_a_lane_that_goes_on_queues_behind_those_in_line(autojump_clock: MockClock) -> None:
    """A busy conversation does not starve the others of its shard."""
    async with open_stage("one", max_inflight=1) as stage:
        tool = stage.offer("tool", "p.a", "slow", Late(1.0, said()))
        ends = Ends(stage)

        for name, key in (("a", "busy"), ("b", None), ("c", "busy")):
            ends.submit(name, tool, key=key)
        await stage.settle()

        assert ends.order == ["a", "b", "c"]


@pytest.mark.parametrize("key", [None, "k"])
async def test_what_exceeds_the_queue_is_refused(autojump_clock: MockClock, key: str | None) -> None:
    """Whether calls wait in line or in a lane; the refusal is a loss and says so, and the others are served."""
    async with open_stage(closed=("one",), queue_limit=4) as stage:
        tool = stage.offer("tool", "p.a", "add", said())
        ends = Ends(stage)

        for number in range(7):
            ends.submit(number, tool, key=key)
        await wait_all_tasks_blocked()
        refused = {name: str(outcome) for name, outcome in ends.outcomes.items()}
        stage.open("one")
        await stage.settle()

        assert set(refused) == {4, 5, 6}
        assert refused[4] == 'overloaded: 4 calls wait for shard "one"'
        assert [ends.fate_of(number) for number in range(4)] == [None] * 4
        assert (stage.counters.lost, stage.counters.errors) == (3, 0)


async def test_a_stuck_shard_delays_no_other(autojump_clock: MockClock) -> None:
    """One that answers nothing fills its own queue only."""
    async with open_stage("stuck", "free", max_inflight=2, queue_limit=20) as stage:
        hung = stage.offer("tool", "p.a", "hang", shard="stuck")
        free = stage.offer("tool", "p.b", "add", said(), shard="free")
        ends = Ends(stage)

        for number in range(30):
            ends.submit(("hung", number), hung, key="k" if number % 2 else None)
        for number in range(20):
            ends.submit(("free", number), free, key="k")
        while len([name for name in ends.order if name[0] == "free"]) < 20:
            await trio.lowlevel.checkpoint()

        assert trio.current_time() == 0.0
        assert [ends.fate_of(("free", number)) for number in range(20)] == [None] * 20
        assert ends.fate_of(("hung", 29)) is Fate.OVERLOADED


async def test_handlers_that_wait_for_calls_into_their_own_full_shard_are_served(
    autojump_clock: MockClock,
) -> None:
    """A shard full of handlers that call another plugin's API in the same shard does not wait for itself."""
    async with open_stage("one", max_inflight=2) as stage:
        api = stage.offer("api", "p.b", "lookup", said("found"))
        handler = stage.offer("tool", "p.a", "asks")
        ends = Ends(stage)

        for number in range(4):
            ends.submit(number, handler)
        running = stage.links["one"].pending
        answers = [await stage.dispatcher.call(api, PLUGIN_INVOKE_API, {}) for _ in running]
        for sent, answer in zip(running, answers, strict=True):
            sent.settle(answer)

        assert answers == [said("found")] * 2
        assert trio.current_time() == 0.0
        assert [ends.fate_of(number) for number in range(2)] == [None, None]


async def test_ended_calls_do_not_pile_up_before_a_shard_that_is_away(autojump_clock: MockClock) -> None:
    """Neither in its line nor in a lane: an outage of an hour costs no more memory than one of a minute."""
    async with open_stage(closed=("one",)) as stage:
        tool = stage.offer("tool", "p.a", "add", said())
        ends = Ends(stage)
        ends.submit("first", tool, key="k", seconds=10_000.0)

        for number in range(1000):
            ends.submit(number, tool, key="k" if number % 2 else None, seconds=0.5)
            await trio.sleep(0.1)

        assert stage.dispatcher.load_of("one")[0] < 10
        lines = [stage.dispatcher._gates["one"].outer.line, stage.dispatcher._lanes["p.a", "k"].line]
        assert all(len(line._calls) < 60 for line in lines)
