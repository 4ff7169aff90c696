"""Does a call reach its component, in its order, and is its end counted as what it was?"""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from rookery.protocol import (
    PLUGIN_EMIT_EVENT,
    PLUGIN_INVOKE_API,
    PLUGIN_INVOKE_COMMAND,
    ErrorCode,
    RemoteError,
)
from rookery.supervisor.fate import DispatchFailed, Fate
from tests.doubles.ends import Ends
from tests.doubles.fake_links import Late
from tests.doubles.stage import open_stage, said

# --- one call ----------------------------------------------------------------------------------------------------------


async def test_a_call_reaches_its_component_and_returns_the_answer(autojump_clock: MockClock) -> None:
    """The payload is the component's name and the arguments, under the plugin's id and what is left of the time."""
    async with open_stage("one") as stage:
        tool = stage.offer("tool", "p.a", "add", lambda args: said(args["x"] + 1))

        answer = await stage.dispatcher.call(tool, PLUGIN_INVOKE_API, {"x": 1}, timeout=7.0)

        assert answer == {"success": True, "result": 2}
        sent = stage.links["one"].sent[0]
        assert sent.payload == {"component_name": "add", "args": {"x": 1}}
        assert (sent.plugin_id, sent.deadline - sent.at) == ("p.a", 7.0)


@pytest.mark.parametrize(
    ("timeout", "own", "expected"),
    [
        pytest.param(4.0, 9000, 4.0, id="the caller's"),
        pytest.param(None, 9000, 9.0, id="else the component's"),
        pytest.param(None, 0, 30.0, id="else the method's"),
    ],
)
async def test_who_says_how_long_a_call_may_take(
    autojump_clock: MockClock, timeout: float | None, own: int, expected: float
) -> None:
    """Caller before component before method."""
    async with open_stage("one") as stage:
        tool = stage.offer("tool", "p.a", "add", said(), timeout_ms=own)

        await stage.dispatcher.call(tool, PLUGIN_INVOKE_API, {}, timeout=timeout)

        sent = stage.links["one"].sent[0]
        assert sent.deadline - sent.at == expected


async def test_a_call_without_any_time_left_is_not_made(autojump_clock: MockClock) -> None:
    """A caller whose own time is spent does not give its call another half minute."""
    async with open_stage("one") as stage:
        tool = stage.offer("tool", "p.a", "add", said())

        with pytest.raises(DispatchFailed) as caught:
            await stage.dispatcher.call(tool, PLUGIN_INVOKE_API, {}, timeout=0.0)

        assert (caught.value.fate, caught.value.maybe_executed) == (Fate.TIMEOUT, False)
        assert stage.seen == []


async def test_a_runner_that_never_answers_ends_the_call_in_time(autojump_clock: MockClock) -> None:
    """By the deadline and 100 ms; the code may have run, so it is an error and no loss."""
    async with open_stage("one") as stage:
        tool = stage.offer("tool", "p.a", "hang")

        with pytest.raises(DispatchFailed) as caught:
            await stage.dispatcher.call(tool, PLUGIN_INVOKE_API, {}, timeout=2.0)

        assert 2.0 <= trio.current_time() <= 2.1
        assert (caught.value.fate, caught.value.maybe_executed) == (Fate.TIMEOUT, True)
        assert (stage.counters.errors, stage.counters.lost) == (1, 0)


async def test_a_runner_that_dies_ends_the_call_as_lost(autojump_clock: MockClock) -> None:
    """A call that was sent is not sent again: the plugin may have done it."""
    async with open_stage("one") as stage:
        tool = stage.offer("tool", "p.a", "hang")
        ends = Ends(stage)
        ends.submit("a", tool)

        stage.lose("one")
        stage.open("one")

        assert ends.fate_of("a") is Fate.RUNNER_LOST
        assert ends.outcomes["a"].maybe_executed
        assert len(stage.seen) == 1
        assert (stage.counters.errors, stage.counters.lost) == (0, 1)


async def test_arguments_that_cannot_be_sent_fail_only_their_call(autojump_clock: MockClock) -> None:
    """The caller is told what it was; the shard goes on."""
    async with open_stage("one") as stage:
        tool = stage.offer("tool", "p.a", "add", said(1))

        with pytest.raises(DispatchFailed) as caught:
            await stage.dispatcher.call(tool, PLUGIN_INVOKE_API, {"x": {1, 2}}, key="k")
        answer = await stage.dispatcher.call(tool, PLUGIN_INVOKE_API, {}, key="k")

        assert (caught.value.fate, caught.value.maybe_executed) == (Fate.REFUSED, False)
        assert "set" in str(caught.value)
        assert answer == said(1)
        assert stage.dispatcher.load_of("one") == (0, 0)


async def test_a_result_is_never_settled_inside_submit(autojump_clock: MockClock) -> None:
    """Neither an overload, nor a shard that was given up, nor a closed host calls back before submit returns."""
    async with open_stage("one", closed=("gone",), max_inflight=1, queue_limit=1) as stage:
        busy = stage.offer("tool", "p.a", "busy")
        away = stage.offer("tool", "p.b", "away", shard="gone")
        stage.dispatcher.close_shard("gone", given_up="it failed")
        ends = Ends(stage)

        for name in ("sent", "queued", "too many"):
            ends.submit(name, busy)
        ends.submit("given up", away)
        ends.submit("cannot be sent", busy, args={"x": object()})
        stage.dispatcher.close()
        ends.submit("closing", busy)

        assert ends.outcomes.keys() == {"queued"}  # close() itself ends what waits
        await wait_all_tasks_blocked()
        assert ends.fate_of("too many") is Fate.OVERLOADED
        assert ends.fate_of("given up") is Fate.UNAVAILABLE
        assert ends.fate_of("closing") is Fate.SHUTTING_DOWN
        assert ends.outcomes.keys() == {"queued", "too many", "given up", "cannot be sent", "closing"}


# --- order -------------------------------------------------------------------------------------------------------------


async def test_one_plugin_gets_the_calls_of_one_key_in_order(autojump_clock: MockClock) -> None:
    """The second is sent when the first has ended, not before; over all components of the plugin."""
    async with open_stage("one") as stage:
        slow = stage.offer("tool", "p.a", "slow", Late(1.0, said()))
        quick = stage.offer("tool", "p.a", "quick", said())
        ends = Ends(stage)

        ends.submit(1, slow, key="k")
        ends.submit(2, quick, key="k")
        ends.submit(3, slow, key="k")
        await stage.settle()

        assert stage.names == ends.order == [1, 2, 3]
        assert [sent.at for sent in stage.links["one"].sent] == [0.0, 1.0, 1.0]


async def test_keys_and_plugins_run_in_parallel(autojump_clock: MockClock) -> None:
    """A slow key delays no other key, a slow plugin no other plugin, and no key waits for nobody."""
    async with open_stage("one") as stage:
        first = stage.offer("tool", "p.a", "slow", Late(1.0, said()))
        other = stage.offer("tool", "p.b", "slow", Late(1.0, said()))
        ends = Ends(stage)

        for name, component, key in ((1, first, "k"), (2, first, "l"), (3, other, "k"), (4, first, None)):
            ends.submit(name, component, key=key)
        await stage.settle()

        assert {sent.at for sent in stage.links["one"].sent} == {0.0}
        assert trio.current_time() == pytest.approx(1.0)


async def test_a_late_call_in_a_lane_does_not_let_the_next_one_pass(autojump_clock: MockClock) -> None:
    """What waits behind a running call may time out; the running one still holds the lane."""
    async with open_stage("one") as stage:
        slow = stage.offer("tool", "p.a", "slow", Late(3.0, said()))
        ends = Ends(stage)

        ends.submit("running", slow, key="k")
        ends.submit("late", slow, key="k", seconds=1.0)
        ends.submit("next", slow, key="k")
        await stage.settle()

        assert ends.order == ["late", "running", "next"]
        assert (ends.fate_of("late"), ends.outcomes["late"].maybe_executed) == (Fate.TIMEOUT, False)
        assert [(sent.args["name"], sent.at) for sent in stage.links["one"].sent] == [
            ("running", 0.0),
            ("next", 3.0),
        ]


async def test_calls_that_are_late_together_are_never_sent(autojump_clock: MockClock) -> None:
    """A lane whose first call ends late does not send the second, which is late as well."""
    async with open_stage("one", max_inflight=1) as stage:
        slow = stage.offer("tool", "p.a", "slow")
        mixed = stage.offer("tool", "p.b", "mixed", said())
        ends = Ends(stage)

        ends.submit("fills the shard", slow)
        for number in range(50):
            ends.submit(
                number, mixed, key="k", seconds=1.0, method=[PLUGIN_EMIT_EVENT, PLUGIN_INVOKE_API][number % 2]
            )
        await stage.settle()

        assert stage.names == ["fills the shard"]
        assert all(ends.fate_of(number) is Fate.TIMEOUT for number in range(50))
        assert (stage.counters.lost, stage.counters.errors) == (50, 1)


async def test_a_call_that_times_out_at_its_runner_lets_the_next_one_go(autojump_clock: MockClock) -> None:
    """The host does not wait for a handler longer than for its call."""
    async with open_stage("one") as stage:
        tool = stage.offer("tool", "p.a", "hang", lambda args: None if args["name"] == 1 else said())
        ends = Ends(stage)

        ends.submit(1, tool, key="k", seconds=1.0)
        ends.submit(2, tool, key="k")
        await stage.settle()

        assert (ends.fate_of(1), ends.fate_of(2)) == (Fate.TIMEOUT, None)


# --- what is counted ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "errors", "lost"),
    [
        pytest.param(said(), 0, 0, id="went well"),
        pytest.param({"success": False, "result": "ValueError: no"}, 1, 0, id="the plugin raised"),
        pytest.param(RemoteError(ErrorCode.E_TIMEOUT, "too slow"), 1, 0, id="the runner's own time-out"),
        pytest.param(RemoteError(ErrorCode.E_UNKNOWN, "boom"), 1, 0, id="an error of no kind"),
        pytest.param(RemoteError(ErrorCode.E_PLUGIN_NOT_FOUND, "gone"), 0, 1, id="the plugin is not there"),
        pytest.param(RemoteError(ErrorCode.E_SHUTTING_DOWN, "bye"), 0, 1, id="the runner leaves"),
        pytest.param(RemoteError(ErrorCode.E_BACK_PRESSURE, "full"), 0, 1, id="the runner is full"),
    ],
)
async def test_what_counts_as_an_error_and_what_as_lost(
    autojump_clock: MockClock, answer: Any, errors: int, lost: int
) -> None:
    """Errors are the plugin's doing, losses are not; both are counted in all and for the shard."""
    async with open_stage("one", closed=("two",)) as stage:
        tool = stage.offer("tool", "p.a", "add", answer)
        ends = Ends(stage)

        ends.submit("a", tool)
        await stage.settle()

        of_shard = stage.counters.of_shard("one")
        assert (stage.counters.invocations, of_shard.invocations) == (1, 1)
        assert (stage.counters.errors, of_shard.errors) == (errors, errors)
        assert (stage.counters.lost, of_shard.lost) == (lost, lost)
        assert stage.counters.of_shard("two").invocations == 0


# --- the end -----------------------------------------------------------------------------------------------------------


async def test_closing_ends_what_waits_and_refuses_what_comes(autojump_clock: MockClock) -> None:
    """Also for a shard that is still open; a call that was sent may end well."""
    async with open_stage("one", closed=("two",), max_inflight=1) as stage:
        tool = stage.offer("tool", "p.a", "slow", Late(1.0, said()))
        away = stage.offer("tool", "p.b", "add", said(), shard="two")
        ends = Ends(stage)
        for name, component, key in (("sent", tool, "k"), ("lane", tool, "k"), ("line", tool, None)):
            ends.submit(name, component, key=key)
        ends.submit("away", away)

        stage.dispatcher.close()
        ended_at_once = set(ends.outcomes)
        await stage.settle()
        ends.submit("new", tool)
        await stage.settle()

        assert ended_at_once == {"lane", "line", "away"}
        assert {ends.fate_of(name) for name in (*ended_at_once, "new")} == {Fate.SHUTTING_DOWN}
        assert ends.fate_of("sent") is None


async def test_a_cancelled_dispatcher_ends_its_calls(autojump_clock: MockClock) -> None:
    """Whoever waits for a call when the tree goes down is told so."""
    async with open_stage(closed=("one",)) as stage:
        tool = stage.offer("tool", "p.a", "add", said())
        ends = Ends(stage)
        ends.submit("waiting", tool)

    assert ends.fate_of("waiting") is Fate.SHUTTING_DOWN
    assert stage.dispatcher.open_calls == 0


async def test_idle_means_that_no_call_is_open(autojump_clock: MockClock) -> None:
    """Also when calls lead to calls."""
    async with open_stage("one") as stage:
        slow = stage.offer("tool", "p.a", "slow", Late(1.0, said()))
        ends = Ends(stage)

        def again(_: Any) -> None:
            ends.submit("second", slow)

        stage.dispatcher.submit(slow, PLUGIN_INVOKE_COMMAND, {}, again, deadline=math.inf)
        await stage.settle()

        assert trio.current_time() == pytest.approx(2.0)
        assert ends.fate_of("second") is None
        await stage.dispatcher.wait_idle()  # at once when there is nothing
