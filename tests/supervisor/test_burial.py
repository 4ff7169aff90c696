"""What callers are told of a runner that is gone, when, and in which order everything is finished."""

from __future__ import annotations

from typing import Any

import trio
import trio.testing
from trio.testing import MockClock

from rookery.protocol import PLUGIN_INVOKE_TOOL, ConnectionLost, RequestTimedOut
from rookery.supervisor.exit_report import ExitKind
from rookery.supervisor.process import Launch, Usage
from rookery.supervisor.shard_state import ShardState
from tests.doubles.scripted_calls import accountable, ask
from tests.doubles.scripted_runner import ScriptedRunner, ScriptedRunners, work
from tests.doubles.shards import Watched, running

READY = ShardState.READY


async def test_calls_that_had_not_begun_were_not_executed(autojump_clock: MockClock) -> None:
    """A7, A8, A10: the page outlives the runner and says which of them had; newest first."""
    told: list[tuple[int, Any]] = []

    async with running([accountable, work]) as (watched, runners):
        await watched.shard.state.wait_value(READY)
        first, second, third = ask(watched, told, 3)
        await trio.testing.wait_all_tasks_blocked()
        runners.started[0].start(first)
        runners.started[0].die(-11)
        await watched.wait_deaths(1)

    assert [(number, error.maybe_executed) for number, error in told] == [
        (third, False),
        (second, False),
        (first, True),
    ]
    report = watched.deaths[0]
    assert (report.in_flight, report.put_back, report.knows_started) == (1, 2, True)
    assert [call.request_id for call in report.started] == [first]


async def test_what_a_runner_announces_counts_like_its_page(autojump_clock: MockClock) -> None:
    """When its page is full it says so in a frame."""
    told: list[tuple[int, Any]] = []

    async with running([accountable, work]) as (watched, runners):
        await watched.shard.state.wait_value(READY)
        first, second = ask(watched, told, 2)
        await trio.testing.wait_all_tasks_blocked()
        runners.started[0].link.broadcast("runner.started", {"request_ids": [second]})
        runners.started[0].die(-11)
        await watched.wait_deaths(1)

    assert {number: error.maybe_executed for number, error in told} == {first: False, second: True}


async def test_without_an_account_everything_may_have_run(autojump_clock: MockClock) -> None:
    """A runner of another make."""
    told: list[tuple[int, Any]] = []

    async def script(runner: ScriptedRunner) -> None:
        runner.answer = lambda request: None
        await work(runner)

    async with running([script, work]) as (watched, runners):
        await watched.shard.state.wait_value(READY)
        ask(watched, told, 2)
        await trio.testing.wait_all_tasks_blocked()
        runners.started[0].die(-11)
        await watched.wait_deaths(1)

    assert [error.maybe_executed for _, error in told] == [True, True]
    assert not watched.deaths[0].knows_started


async def test_nobody_is_told_before_the_death_is_proved(autojump_clock: MockClock) -> None:
    """A connection that ended is no death: the call may still run. Deadlines hold meanwhile."""
    told: list[tuple[int, Any]] = []

    async def script(runner: ScriptedRunner) -> None:
        runner.is_unkillable = True
        await accountable(runner)

    async with running([script, work]) as (watched, runners):
        await watched.shard.state.wait_value(READY)
        (soon,) = ask(watched, told, 1, deadline=trio.current_time() + 5)
        (late,) = ask(watched, told, 1)
        await trio.testing.wait_all_tasks_blocked()
        runners.started[0].vanish()
        await watched.shard.state.wait_value(ShardState.KILLING)
        await trio.sleep(10)
        assert [(number, type(error)) for number, error in told] == [(soon, RequestTimedOut)]
        runners.started[0].is_unkillable = False
        runners.started[0].kill()
        await watched.wait_deaths(1)

    assert [(number, type(error)) for number, error in told[1:]] == [(late, ConnectionLost)]
    assert watched.deaths[0].kind is ExitKind.STUCK


async def test_a_lost_runner_may_run_everything_yet(autojump_clock: MockClock) -> None:
    """C14: the kernel keeps it, nobody knows what it does when it is let go; not even its own account tells."""
    told: list[tuple[int, Any]] = []

    async def script(runner: ScriptedRunner) -> None:
        runner.is_unkillable = True
        await accountable(runner)

    async with running([script, work]) as (watched, _):
        await watched.shard.state.wait_value(READY)
        ask(watched, told, 1)
        watched.shard.accuse("it lied")
        await watched.shard.state.wait_value(ShardState.LOST)
        waited = trio.current_time()
        await watched.wait_deaths(1)

    assert waited >= watched.shard.settings.health.unkillable_timeout
    assert [error.maybe_executed for _, error in told] == [True]


async def test_the_steps_of_a_burial_have_an_order(autojump_clock: MockClock) -> None:
    """T21: callers first, then what is left of its group, then the process itself, then whoever hears of the end."""
    steps: list[str] = []

    class Noted(ScriptedRunners):
        def spawn(self, launch: Launch) -> ScriptedRunner:
            runner = super().spawn(launch)
            sweep, reap = runner.sweep, runner.reap
            runner.sweep = lambda: (steps.append("swept"), sweep())[1]  # type: ignore[method-assign]
            runner.reap = lambda: (steps.append("reaped"), reap())[1]  # type: ignore[method-assign]
            return runner

    async with trio.open_nursery() as scripts:
        runners = Noted(scripts, accountable)
        watched = Watched(spawn=runners.spawn)
        watched.traffic.on_lost = lambda: steps.append("told")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watched.shard.run)
            await watched.shard.state.wait_value(READY)
            assert watched.shard.link is not None
            watched.shard.link.send(
                PLUGIN_INVOKE_TOOL,
                {},
                plugin_id="test.one",
                deadline=1e9,
                on_done=lambda _: steps.append("settled"),
            )
            runners.started[0].die(-11)
            await watched.wait_deaths(1)
            watched.shard.request_stop(force=True)

    assert steps[:4] == ["settled", "swept", "reaped", "told"]


async def test_the_kernels_word_about_memory_is_the_cause(autojump_clock: MockClock) -> None:
    """A control group has counted the kill; the last look at its size need not have been near the limit."""

    async def script(runner: ScriptedRunner) -> None:
        runner.usage = Usage(cpu=1.0, max_rss=1, oom_kills=1)
        await work(runner)

    async with running([script, work]) as (watched, runners):
        await watched.shard.state.wait_value(READY)
        runners.started[0].die(-9)
        await watched.wait_deaths(1)

    assert watched.deaths[0].kind is ExitKind.OUT_OF_MEMORY


async def test_a_kill_that_the_host_did_not_send_is_remarked(autojump_clock: MockClock) -> None:
    """SIGKILL out of nowhere is the kernel's as a rule, for want of memory."""
    async with running([work]) as (watched, runners):
        await watched.shard.state.wait_value(READY)
        runners.started[0].die(-9)
        await watched.wait_deaths(1)

    assert watched.deaths[0].describe().endswith("SIGKILL (not sent by the host; out of memory?)")
    assert not watched.deaths[0].sent_signal
