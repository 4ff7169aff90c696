"""How a shard lives: every road through its states, with scripted runners on a clock that jumps."""

from __future__ import annotations

import errno

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from rookery.supervisor.exit_report import ExitKind
from rookery.supervisor.observers import (
    PluginNotLoaded,
    RunnerBack,
    RunnerDied,
    ShardMoved,
)
from rookery.supervisor.restart import RestartPolicy
from rookery.supervisor.shard_state import ShardState
from rookery.supervisor.turns import Turns
from tests.doubles.scripted_runner import Script, ScriptedRunner, ScriptedRunners, be_silent, work
from tests.doubles.shards import PLUGINS, Watched, die_with, running

READY, FAILED, STOPPED = ShardState.READY, ShardState.FAILED, ShardState.STOPPED

LIVE = "idle spawning hello loading ready"


async def die_loading(runner: ScriptedRunner) -> None:
    """A runner that dies in the import of `test.two`, unless it must not load it."""
    await runner.say_hello()
    runner.say_loading("test.one")
    if "test.two" not in runner.assignment.blocked:
        runner.say_loading("test.two")
        runner.die(-11)
        return
    await runner.say_ready(["test.one"], ["test.two"])
    await trio.sleep_forever()


async def test_a_shard_comes_up_and_is_stopped(autojump_clock: MockClock) -> None:
    """Hello, loading, ready; then it drains, leaves by itself, and nothing counts as a death that was not planned."""
    async with running(work) as (watched, runners):
        await watched.shard.state.wait_value(READY)
        pid = watched.shard.pid
        watched.shard.request_stop()
        await watched.shard.state.wait_value(STOPPED)

    assert watched.states == f"{LIVE} draining reaping stopped"
    assert watched.traffic.told == ["connected 1", "ready 1 loading", "draining 1", "lost 1"]
    assert pid == runners.started[0].pid
    assert runners.started[0].is_reaped
    assert runners.started[0].signals == []
    (died,) = watched.heard(RunnerDied)
    assert (died.next, died.delay, died.report.planned, died.report.kind) == (
        "stopped",
        None,
        True,
        ExitKind.STOPPED,
    )
    assert watched.heard(RunnerBack)[0].after is None


async def test_each_transition_is_told_once_and_follows_the_last(autojump_clock: MockClock) -> None:
    """What observers hear is a path: no step twice, none left out."""
    async with running([die_with(1), work]) as (watched, _):
        await watched.wait_deaths(1)
        await watched.shard.state.wait_value(READY)

    moves = watched.heard(ShardMoved)
    assert [move.old for move in moves[1:]] == [move.new for move in moves[:-1]]
    assert all(move.reason for move in moves)


async def test_a_token_is_held_from_the_start_until_ready(autojump_clock: MockClock) -> None:
    """So many shards are on their way up at once, no more; a ready one makes room."""
    turns = Turns(1)

    async def load_for_a_minute(runner: ScriptedRunner) -> None:
        await runner.say_hello()
        await trio.sleep(20)
        await runner.say_ready(PLUGINS)
        await trio.sleep_forever()

    async with running(load_for_a_minute, turns=turns) as (first, _):
        await first.shard.state.wait_value(ShardState.LOADING)
        async with running(work, turns=turns) as (second, _):
            await trio.sleep(10)
            assert second.shard.state.value is ShardState.IDLE
            await second.shard.state.wait_value(READY)
            assert first.shard.state.value is READY

    assert turns.held == 0


async def test_a_shard_that_waits_for_its_turn_can_be_stopped(autojump_clock: MockClock) -> None:
    """The wait for a token ends with the stop."""
    turns = Turns(1)
    other = Watched().shard
    await turns.wait(other)

    async with running(work, turns=turns) as (watched, runners):
        await trio.testing.wait_all_tasks_blocked()
        watched.shard.request_stop()
        await watched.shard.state.wait_value(STOPPED)

    assert runners.started == []
    assert turns.held == 1
    turns.give_back(other)


async def test_a_plugin_that_kills_its_runner_twice_is_left_out(autojump_clock: MockClock) -> None:
    """Certain evidence: the third runner comes up without it, and the shard's own record is clean."""
    async with running(die_loading, restart=RestartPolicy(burst_limit=0)) as (watched, runners):
        await watched.shard.state.wait_value(READY)
        assert watched.shard.failed.keys() == {"test.two"}

    assert [report.loading for report in watched.deaths[:2]] == ["test.two", "test.two"]
    assert (
        watched.deaths[0].describe()
        == 'shard "games" #1 (pid 10000) was killed by SIGSEGV while it loaded test.two'
    )
    (record,) = watched.heard(PluginNotLoaded)
    assert (record.plugin_id, record.blocked) == ("test.two", True)
    assert "SIGSEGV" in record.reason
    assert [list(assigned.blocked) for assigned in watched.assigned] == [[], [], ["test.two"]]
    assert len(runners.started) == 3


async def test_a_shard_whose_every_plugin_is_deadly_is_given_up_then_tried_afresh(
    autojump_clock: MockClock,
) -> None:
    """There is nothing to come up with; the attempt after the pause loads everything again."""

    async def script(runner: ScriptedRunner) -> None:
        await runner.say_hello()
        runner.say_loading("test.one")
        runner.die(-11)

    async with running([script, script, work], plugins=("test.one",)) as (watched, _):
        await watched.shard.state.wait_value(FAILED)
        assert watched.heard(RunnerDied)[-1].next.startswith("given up: each of its plugins")
        await watched.shard.state.wait_value(READY)

    assert watched.assigned[-1].blocked == {}


async def test_the_first_death_is_followed_at_once_and_the_next_later(autojump_clock: MockClock) -> None:
    """No delay, then base, then twice that; the record says when it is back."""
    async with running([die_with(1), die_with(1), die_with(1), work]) as (watched, _):
        await watched.wait_deaths(3)
        assert watched.shard.next_start is not None
        await watched.shard.state.wait_value(READY)

    died = watched.heard(RunnerDied)
    assert [record.delay for record in died[:3]] == [0.0, 0.25, 0.5]
    assert [record.next for record in died[:2]] == ["back at once", "back in 0.2 s"]
    assert watched.shard.restarts == 3
    assert watched.heard(RunnerBack)[3].after == pytest.approx(0.5)
    assert watched.states.startswith(f"{LIVE} reaping backoff idle spawning hello loading ready")


async def test_too_many_deaths_give_the_shard_up_and_one_attempt_follows(autojump_clock: MockClock) -> None:
    """Five restarts within the window, then FAILED; after five minutes a single attempt, after ten the next."""
    async with running(die_with(3)) as (watched, runners):
        await watched.shard.state.wait_value(FAILED)
        assert len(runners.started) == 6
        assert watched.heard(RunnerDied)[-1].delay == 300
        await watched.wait_deaths(7, timeout=1000)
        assert watched.heard(RunnerDied)[-1].delay == 600


@pytest.mark.parametrize("code", [76, 78, 125])
async def test_some_exit_codes_are_believed_at_once(code: int, autojump_clock: MockClock) -> None:
    """A runner that says that it cannot work is not started again and again."""
    async with running(die_with(code)) as (watched, runners):
        await watched.shard.state.wait_value(FAILED)

    assert len(runners.started) == 1


async def test_a_start_that_fails_for_now_is_tried_again(autojump_clock: MockClock) -> None:
    """No descriptors, no memory: the shard comes back when there are some."""
    async with trio.open_nursery() as scripts:
        runners = ScriptedRunners(scripts, work)
        runners.failures = [OSError(errno.EAGAIN, "try again")] * 2
        watched = Watched(spawn=runners.spawn)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watched.shard.run)
            await watched.shard.state.wait_value(READY)
            watched.shard.request_stop(force=True)

    assert watched.states.startswith("idle spawning backoff idle spawning backoff idle spawning hello")
    assert watched.deaths[0].pid is None
    assert watched.deaths[0].describe() == 'shard "games" #1 could not be started: try again'


@pytest.mark.parametrize(
    ("script", "state"),
    [
        pytest.param(be_silent, ShardState.HELLO, id="before the hello"),
        pytest.param(die_with(1), ShardState.BACKOFF, id="in the delay"),
        pytest.param(die_with(76), ShardState.FAILED, id="given up"),
    ],
)
async def test_a_stop_works_at_once_while_nothing_works(
    script: Script, state: ShardState, autojump_clock: MockClock
) -> None:
    """There is nothing to drain, so nothing is waited for."""
    async with running(script) as (watched, _):
        if state is ShardState.BACKOFF:
            await watched.wait_deaths(2)
        await watched.shard.state.wait_value(state)
        asked = trio.current_time()
        watched.shard.request_stop()
        await watched.shard.state.wait_value(STOPPED)

        assert trio.current_time() == asked


async def test_a_stop_before_the_run_is_a_stop(autojump_clock: MockClock) -> None:
    """Nothing is started."""
    watched = Watched()

    watched.shard.request_stop()
    await watched.shard.run()

    assert watched.states == "idle stopped"


async def test_a_stopped_shard_can_run_again(autojump_clock: MockClock) -> None:
    """The number of the runner goes on counting."""
    async with trio.open_nursery() as scripts:
        watched = Watched(spawn=ScriptedRunners(scripts, work).spawn)
        for _ in range(2):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(watched.shard.run)
                await watched.shard.state.wait_value(READY)
                watched.shard.request_stop()

    assert watched.shard.incarnation == 2


async def test_starts_and_stops_at_any_moment_end_where_they_should(autojump_clock: MockClock) -> None:
    """A stop at each tenth of a second of a life that dies and comes back: always STOPPED, always reaped."""
    for tenths in range(0, 40, 2):
        async with running(die_with(1)) as (watched, runners):
            await trio.sleep(tenths / 10)
            watched.shard.request_stop()
            with trio.fail_after(30):
                await watched.shard.state.wait_value(STOPPED)

        assert all(runner.is_reaped for runner in runners.started)


async def test_a_stop_while_a_process_is_made_that_cannot_be_made(autojump_clock: MockClock) -> None:
    """A fork takes a while: the order comes before its failure, and what follows is the order."""

    async def fork(launch: object) -> ScriptedRunner:
        await trio.sleep(1)
        raise OSError(errno.EAGAIN, "no process")

    watched = Watched(spawn=fork)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watched.shard.run)
        await watched.shard.state.wait_value(ShardState.SPAWNING)
        watched.shard.stop()
        await watched.shard.state.wait_value(STOPPED)
        watched.shard.request_stop()

    assert watched.states == "idle spawning stopped"
    assert watched.shard.history.failures == 0
