"""How a runner is asked to finish what it has, and to leave."""

from __future__ import annotations

from typing import Any

import trio
import trio.testing
from trio.testing import MockClock

from rookery.protocol import PLUGIN_INVOKE_TOOL
from rookery.supervisor.shard_state import ShardState
from tests.doubles.scripted_calls import STACKS, accountable, ask
from tests.doubles.scripted_runner import ScriptedRunner, work
from tests.doubles.shards import running

READY, STOPPED = ShardState.READY, ShardState.STOPPED


async def test_a_drain_calls_back_what_has_not_begun(autojump_clock: MockClock) -> None:
    """And only that; what runs may end."""
    told: list[tuple[int, Any]] = []

    async with running([accountable]) as (watched, runners):
        await watched.shard.state.wait_value(READY)
        first, second = ask(watched, told, 2)
        await trio.testing.wait_all_tasks_blocked()
        runners.started[0].start(first)
        watched.shard.request_stop()
        await watched.shard.state.wait_value(STOPPED)

    assert runners.started[0].told[0] == ("plugin.recall", {"request_ids": [second]})


async def test_what_still_runs_when_the_time_is_up_is_cancelled(autojump_clock: MockClock) -> None:
    """It gets a moment for its cleaning up, then the plugins are unloaded; all within the budget."""
    told: list[tuple[int, Any]] = []

    async with running([accountable]) as (watched, runners):
        await watched.shard.state.wait_value(READY)
        first, second = ask(watched, told, 2)
        asked = trio.current_time()
        watched.shard.request_stop(drain=20)
        await watched.shard.state.wait_value(STOPPED)
        took = trio.current_time() - asked

    runner = runners.started[0]
    assert ("plugin.cancel", {"request_ids": [first, second]}) in runner.told
    assert runner.requests[-1].method.name == "plugin.shutdown"
    assert took <= 20
    assert runner.signals == []


async def test_a_drain_ends_with_the_last_answer(autojump_clock: MockClock) -> None:
    """Nothing is looked at again and again: no time passes between the answer and the next step."""
    told: list[tuple[int, Any]] = []

    async with running([accountable]) as (watched, runners):
        await watched.shard.state.wait_value(READY)
        ask(watched, told, 1)
        watched.shard.request_stop()
        await trio.sleep(3)
        (asked,) = [each for each in runners.started[0].requests if each.method.name == PLUGIN_INVOKE_TOOL]
        asked.answer({"success": True})
        answered = trio.current_time()
        await watched.shard.state.wait_value(STOPPED)

    assert watched.deaths[0].ended_at == answered
    assert told[0][1] == {"success": True}


async def test_before_the_kill_it_is_asked_where_it_is(autojump_clock: MockClock) -> None:
    """4.9: SIGTERM, its grace, the stacks, SIGKILL."""

    async def script(runner: ScriptedRunner) -> None:
        runner.answer = lambda request: None
        runner.ignores_term = True
        runner.stacks = STACKS
        await work(runner)

    async with running(script) as (watched, runners):
        await watched.shard.state.wait_value(READY)
        watched.shard.request_stop()
        await watched.shard.state.wait_value(STOPPED)

    assert runners.started[0].signals == ["TERM", "USR1", "KILL"]
    assert "spin" in watched.deaths[0].dump
