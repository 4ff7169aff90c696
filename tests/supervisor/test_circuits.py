"""Is a handler that does not come back in time passed over by events and hooks, visibly, and asked again?"""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from rookery.protocol import ConnectionLost
from rookery.supervisor.hook_spec import HookSpec, Unavailable
from tests.doubles.stage import Stage, chat, open_stage

HOOK = "test.gate"


def _on_stage(stage: Stage) -> None:
    stage.specs.add(HookSpec(name=HOOK))


async def _time_out(stage: Stage, times: int = 3) -> None:
    for _ in range(times):
        await stage.events.dispatch("on_message", chat())


async def test_an_interceptor_that_is_late_three_times_is_passed_over(autojump_clock: MockClock) -> None:
    """The event does not wait for it any more; it is counted and said; the others are asked as ever."""
    async with open_stage("one", "two", timeout=2.0) as stage:
        stage.interceptor("p.a", "late")
        stage.interceptor("p.b", "well", {}, shard="two")
        await _time_out(stage)
        before = trio.current_time()

        result = await stage.events.dispatch("on_message", chat())

        assert trio.current_time() == before
        assert (result.skipped, result.errors) == (("p.a.late",), ())
        assert stage.asked.count("p.a.late") == 3
        assert stage.asked.count("p.b.well") == 4
        assert stage.counters.skipped == 1


async def test_it_is_asked_again_after_a_minute_by_one_event(autojump_clock: MockClock) -> None:
    """And by all of them once it has answered."""
    async with open_stage("one", timeout=2.0) as stage:
        answers: list[Any] = [None, None, None, {}, {}]
        stage.interceptor("p.a", "moody", lambda _: answers.pop(0))
        await _time_out(stage)
        await trio.sleep(60)

        first = await stage.events.dispatch("on_message", chat())
        second = await stage.events.dispatch("on_message", chat())

        assert (first.skipped, second.skipped, answers) == ((), (), [])


async def test_a_watcher_has_a_circuit_too(autojump_clock: MockClock) -> None:
    """Nobody is told of one that was passed over, because nothing runs on."""
    async with open_stage("one", timeout=2.0) as stage:
        stage.watcher("p.a", "late", lambda _: None)
        settled: list[Any] = []
        for _ in range(3):
            await stage.events.dispatch("on_message", chat(), on_observer_settled=settled.append)
            await stage.settle()

        result = await stage.events.dispatch("on_message", chat(), on_observer_settled=settled.append)
        await stage.settle()

        assert (result.observers, len(settled)) == (0, 3)
        assert stage.counters.skipped == 1


@pytest.mark.parametrize("how", ["cancelled", "lost"])
async def test_a_probe_that_ends_oddly_blocks_nobody(autojump_clock: MockClock, how: str) -> None:
    """W8: its caller is cancelled, or its runner dies: the next event is the probe."""
    async with open_stage("one", timeout=2.0) as stage:
        stage.interceptor("p.a", "late")
        await _time_out(stage)
        await trio.sleep(60)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.events.dispatch, "on_message", chat(user="u2"))
            await trio.testing.wait_all_tasks_blocked()
            if how == "cancelled":
                nursery.cancel_scope.cancel()
            else:
                stage.links["one"].sent[-1].settle(ConnectionLost("gone", maybe_executed=True))

        with trio.move_on_after(1):
            await stage.events.dispatch("on_message", chat())

        assert stage.asked.count("p.a.late") == 5


async def test_a_plugin_that_registers_again_is_asked_at_once(autojump_clock: MockClock) -> None:
    """W8: the circuit does not outlive what it was about."""
    async with open_stage("one", timeout=2.0) as stage:
        stage.registry.on_replaced.append(stage.events._breaker.forget)
        stage.interceptor("p.a", "late")
        await _time_out(stage)

        stage.offer("tool", "p.a", "more")
        result = await stage.events.dispatch("on_message", chat())

        assert result.skipped == ()
        assert stage.asked.count("p.a.late") == 4


@pytest.mark.parametrize(
    ("spec", "policy", "aborted"),
    [
        pytest.param({}, "skip", False, id="it is passed over"),
        pytest.param({"on_unavailable": Unavailable.ABORT}, "skip", True, id="the hook fails closed"),
        pytest.param({}, "abort", True, id="the handler fails closed"),
    ],
)
async def test_what_an_open_circuit_means_for_a_hook(
    autojump_clock: MockClock, spec: dict[str, Any], policy: str, aborted: bool
) -> None:
    """The same as a shard that is down; it is never reported as success."""
    async with open_stage("one", timeout=2.0) as stage:
        stage.specs.add(HookSpec(name=HOOK, **spec))
        stage.hook("p.a", "late", hook=HOOK, error_policy=policy)
        for _ in range(3):
            await stage.hooks.invoke(HOOK)
        before = trio.current_time()

        result = await stage.hooks.invoke(HOOK)

        assert trio.current_time() == before
        assert (result.aborted, result.skipped) == (aborted, ("p.a.late",))
        assert "not come back in time" in result.errors[0]
        assert stage.counters.skipped == 1


async def test_an_observer_of_a_hook_has_a_circuit_too(autojump_clock: MockClock) -> None:
    """It was asked three times in vain."""
    async with open_stage("one", timeout=2.0) as stage:
        _on_stage(stage)
        stage.hook("p.a", "late", hook=HOOK, mode="observe")

        for _ in range(4):
            await stage.hooks.invoke(HOOK)
            await stage.settle()

        assert stage.asked.count("p.a.late") == 3
        assert stage.counters.skipped == 1


async def test_events_that_are_out_at_once_open_it_once(autojump_clock: MockClock) -> None:
    """Ten that time out together are one first time."""
    async with open_stage("one", timeout=2.0) as stage:
        stage.interceptor("p.a", "late")
        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(stage.events.dispatch, "on_message", chat(user=f"u{number}"))

        (circuit,) = stage.events._breaker.open_circuits(trio.current_time())

        assert (circuit.level, circuit.left) == (1, pytest.approx(60.0, abs=1.0))
