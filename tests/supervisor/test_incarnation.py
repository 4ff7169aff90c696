"""How a runner ends: who is told, what counts, and how it is made to leave, on a clock that jumps."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from rookery.protocol import PLUGIN_HEALTH, PLUGIN_INVOKE_TOOL, ConnectionLost, RemoteError
from rookery.supervisor.exit_report import ExitKind
from rookery.supervisor.observers import RunnerDied
from rookery.supervisor.settings import ShardTimeouts
from rookery.supervisor.shard_state import ShardState
from tests.doubles.scripted_runner import ScriptedRunner, ScriptedRunners, work
from tests.doubles.shards import PLUGINS, Watched, running

READY, FAILED, STOPPED = ShardState.READY, ShardState.FAILED, ShardState.STOPPED


async def test_who_waits_on_a_runner_is_told_and_counted(autojump_clock: MockClock) -> None:
    """A death fails the requests in flight; the report has their number; the traffic hears of it after that."""
    outcomes = []

    async def script(runner: ScriptedRunner) -> None:
        runner.answer = lambda request: runner.die(-9)
        await work(runner)

    async with running([script, work]) as (watched, _):
        await watched.shard.state.wait_value(READY)
        assert watched.shard.link is not None
        try:
            await watched.shard.link.call(PLUGIN_INVOKE_TOOL, plugin_id="test.one")
        except ConnectionLost as error:
            outcomes.append(error)
        await watched.wait_deaths(1)

    assert len(outcomes) == 1
    assert (watched.deaths[0].in_flight, watched.deaths[0].called) == (1, ("test.one",))
    assert watched.traffic.reports[0] is watched.deaths[0]


async def test_a_death_is_known_with_its_proof(autojump_clock: MockClock) -> None:
    """T18: in the turn of the loop that brings the proof, and not when all tasks of the runner have ended."""
    async with running([work, work]) as (watched, runners):
        await watched.shard.state.wait_value(READY)
        runners.started[0].die(-9)
        await runners.started[0].wait_dead()
        await trio.lowlevel.checkpoint()  # whoever waits for the proof has it now

        assert watched.shard.state.value is ShardState.REAPING
        await watched.wait_deaths(1)


class Turns(trio.abc.Instrument):
    """Counts the turns of the loop."""

    def __init__(self) -> None:
        self.count = 0

    def before_io_wait(self, timeout: float) -> None:
        self.count += 1


async def test_others_have_a_turn_between_an_end_and_what_follows(autojump_clock: MockClock) -> None:
    """To settle, sweep and reap is one turn of the loop, and to judge and to tell is another."""
    turns, at = Turns(), []
    trio.lowlevel.add_instrument(turns)

    def note(record: object) -> None:
        if isinstance(record, RunnerDied):
            at.append(turns.count)

    async with running([work, work]) as (watched, runners):
        await watched.shard.state.wait_value(READY)
        watched.traffic.on_lost = lambda: at.append(turns.count)
        watched.shard.observers.add(note)
        runners.started[0].die(-9)
        await watched.wait_deaths(1)

        assert at[1] > at[0]


async def test_a_stop_after_a_death_does_not_make_it_planned(autojump_clock: MockClock) -> None:
    """Whoever loses a call to a crash and stops the host for it is still told of a crash."""

    async def script(runner: ScriptedRunner) -> None:
        runner.answer = lambda request: runner.die(5)
        await work(runner)

    async with running(script) as (watched, _):
        await watched.shard.state.wait_value(READY)
        assert watched.shard.link is not None
        watched.shard.link.send(
            PLUGIN_INVOKE_TOOL,
            {},
            plugin_id="test.one",
            deadline=1e9,
            on_done=lambda _: trio.lowlevel.current_trio_token().run_sync_soon(watched.shard.request_stop),
        )
        await watched.shard.state.wait_value(STOPPED)

    assert (watched.deaths[0].planned, watched.deaths[0].kind) == (False, ExitKind.EXITED)
    assert watched.deaths[0].code == 5


async def test_a_stop_between_the_end_of_file_and_the_proof_does_not_make_it_planned(
    autojump_clock: MockClock,
) -> None:
    """A connection that ended by itself is no part of the stop that follows."""

    async def script(runner: ScriptedRunner) -> None:
        await runner.say_hello()
        await runner.say_ready(PLUGINS)
        await trio.sleep(1)
        runner.vanish()

    async with running(script) as (watched, _):
        await watched.shard.state.wait_value(READY)
        link = watched.shard.link
        assert link is not None
        while not link.is_closed:
            await trio.sleep(0.01)
        watched.shard.request_stop()
        await watched.shard.state.wait_value(STOPPED)

    assert (watched.deaths[0].planned, watched.deaths[0].kind) == (False, ExitKind.STUCK)


async def test_the_signal_of_a_stop_is_no_strangers(autojump_clock: MockClock) -> None:
    """A runner that closed its connection, and is told to leave before that is found out, is not said to have been killed
    by SIGTERM."""

    async def script(runner: ScriptedRunner) -> None:
        await runner.say_hello()
        await runner.say_ready(PLUGINS)
        await trio.sleep(1)
        runner.vanish()

    async with running([script, work]) as (watched, runners):
        await watched.shard.state.wait_value(READY)
        link = watched.shard.link
        assert link is not None
        while not link.is_closed:
            await trio.sleep(0.01)
        watched.shard.restart("wanted", drain=0.0)
        await watched.wait_deaths(1)

    assert runners.started[0].signals == ["TERM"]
    assert (watched.deaths[0].planned, watched.deaths[0].kind) == (False, ExitKind.STUCK)


async def test_last_words_count(autojump_clock: MockClock) -> None:
    """What a runner wrote before its death is handled although it is dead."""

    async def script(runner: ScriptedRunner) -> None:
        await runner.say_hello()
        await runner.say_ready(PLUGINS)
        runner.link.send(
            "cap.call",
            {"capability": "x", "args": {}},
            plugin_id="test.one",
            deadline=1e9,
            on_done=lambda _: None,
        )
        runner.die(-9)

    async with running([script, work]) as (watched, _):
        await watched.wait_deaths(1)

    assert "request cap.call" in watched.traffic.told[: watched.traffic.told.index("lost 1")]


async def test_a_runner_that_closes_its_connection_and_lives_is_killed(autojump_clock: MockClock) -> None:
    """No end of file is taken for a death, and nobody is left who cannot be talked to."""

    async def script(runner: ScriptedRunner) -> None:
        await runner.say_hello()
        await runner.say_ready(PLUGINS)
        runner.vanish()

    async with running([script, work]) as (watched, runners):
        await watched.wait_deaths(1)

    assert watched.deaths[0].kind is ExitKind.STUCK
    assert runners.started[0].signals == ["KILL"]


async def test_an_accused_runner_is_killed_and_its_requests_are_refused(autojump_clock: MockClock) -> None:
    """The accusation is the reason in the report."""

    async def script(runner: ScriptedRunner) -> None:
        await runner.say_hello()
        await runner.say_ready(PLUGINS)
        with pytest.raises((RemoteError, ConnectionLost)):
            await runner.link.call("cap.call", {"capability": "x", "args": {}}, plugin_id="test.other")

    async with running([script, work]) as (watched, _):
        watched.traffic.on_request = lambda shard, request: shard.accuse("it speaks for test.other")
        await watched.wait_deaths(1)

    assert watched.deaths[0].kind is ExitKind.PROTOCOL
    assert watched.deaths[0].describe() == 'shard "games" #1 (pid 10000) was killed: it speaks for test.other'
    assert watched.deaths[0].state is READY


async def test_a_process_that_the_kernel_keeps_is_left_behind(autojump_clock: MockClock) -> None:
    """SIGKILL does nothing to a process in a kernel wait: the shard goes on without it after a while."""

    async def script(runner: ScriptedRunner) -> None:
        runner.is_unkillable = True
        await trio.sleep_forever()

    async with running([script, work]) as (watched, runners):
        await watched.shard.state.wait_value(READY)

    assert "killing lost backoff" in watched.states
    assert runners.started[0].is_abandoned
    assert not runners.started[0].is_reaped


async def test_a_stop_waits_no_minute_for_one_that_had_closed_its_connection(
    autojump_clock: MockClock,
) -> None:
    """Its end is no planned one, and whoever stops it waits as long as for any other. What is lost has not ended."""

    async def script(runner: ScriptedRunner) -> None:
        runner.is_unkillable = runner.ignores_term = True
        await runner.say_hello()
        await runner.say_ready(PLUGINS)
        await trio.sleep(1)
        runner.vanish()

    timeouts = ShardTimeouts(drain=0.0, term_grace=0.2, kill_wait=1.0)
    async with running(script, timeouts=timeouts) as (watched, _):
        await watched.shard.state.wait_value(READY)
        link = watched.shard.link
        assert link is not None
        while not link.is_closed:
            await trio.sleep(0.01)
        asked = trio.current_time()
        watched.shard.stop()
        await watched.shard.state.wait_value(STOPPED)

        assert trio.current_time() <= asked + 1.7
    assert (watched.deaths[0].kind, watched.deaths[0].code) == (ExitKind.STUCK, None)


async def test_a_drain_waits_for_what_is_in_flight(autojump_clock: MockClock) -> None:
    """First it is told, then its requests may end, then it is asked to leave."""

    async def script(runner: ScriptedRunner) -> None:
        late = []

        def answer(request: Any) -> None:
            if request.method.name == PLUGIN_HEALTH:
                late.append(request)
            else:
                runner.answer_politely(request)

        runner.answer = answer
        await runner.say_hello()
        await runner.say_ready(PLUGINS)
        await trio.sleep(5)
        late[0].answer({"healthy": True})
        await trio.sleep_forever()

    async with running(script) as (watched, runners):
        await watched.shard.state.wait_value(READY)
        assert watched.shard.link is not None
        done = []
        watched.shard.link.send(PLUGIN_HEALTH, {}, deadline=trio.current_time() + 60, on_done=done.append)
        watched.shard.request_stop()
        await watched.shard.state.wait_value(STOPPED)

    assert done == [{"healthy": True}]
    names = [request.method.name for request in runners.started[0].requests]
    assert names == [PLUGIN_HEALTH, "plugin.prepare_shutdown", "plugin.shutdown"]
    assert watched.deaths[0].in_flight == 0


async def test_a_stop_ends_within_its_budget_whatever_the_runner_does(autojump_clock: MockClock) -> None:
    """Deaf to requests, to SIGTERM: drain, grace and kill share one budget."""

    async def script(runner: ScriptedRunner) -> None:
        runner.answer = lambda request: None
        runner.ignores_term = True
        await work(runner)

    timeouts = ShardTimeouts(drain=8, term_grace=3, kill_wait=1)
    async with running(script, timeouts=timeouts) as (watched, runners):
        await watched.shard.state.wait_value(READY)
        asked = trio.current_time()
        watched.shard.request_stop()
        await watched.shard.state.wait_value(STOPPED)
        took = trio.current_time() - asked

    assert took <= 12
    assert runners.started[0].signals == ["TERM", "KILL"]
    assert watched.states.endswith("ready draining stopping killing reaping stopped")
    assert watched.deaths[0].planned


async def test_a_runner_that_dies_while_it_drains_was_stopped(autojump_clock: MockClock) -> None:
    """The stop goes on, and the death counts for nothing."""

    async def script(runner: ScriptedRunner) -> None:
        runner.answer = lambda request: runner.die(-11)
        await work(runner)

    async with running(script) as (watched, _):
        await watched.shard.state.wait_value(READY)
        watched.shard.request_stop()
        await watched.shard.state.wait_value(STOPPED)

    assert watched.deaths[0].planned
    assert watched.states.endswith("draining reaping stopped")


async def test_one_that_dies_while_it_is_asked_where_it_is_gets_no_kill(autojump_clock: MockClock) -> None:
    """T18: the shard knows of the death, and its process is nobody's to signal any more."""
    killed_in = []

    async def script(runner: ScriptedRunner) -> None:
        runner.answer = lambda request: None
        runner.ignores_term = True
        runner.ask_for_stacks = lambda: bool(runner.die(-11)) or True  # type: ignore[method-assign, func-returns-value]
        runner.kill = lambda: killed_in.append(runner)  # type: ignore[method-assign]
        await work(runner)

    async with running(script) as (watched, _):
        await watched.shard.state.wait_value(READY)
        watched.shard.request_stop()
        await watched.shard.state.wait_value(STOPPED)

    assert killed_in == []


async def test_a_stop_while_loading_asks_and_does_not_wait_for_the_load(autojump_clock: MockClock) -> None:
    """SIGTERM at once."""

    async def script(runner: ScriptedRunner) -> None:
        await runner.say_hello()
        runner.say_loading("test.one")
        await trio.sleep_forever()

    async with running(script) as (watched, runners):
        await watched.shard.state.wait_value(ShardState.LOADING)
        asked = trio.current_time()
        watched.shard.request_stop()
        await watched.shard.state.wait_value(STOPPED)
        assert trio.current_time() == asked

    assert runners.started[0].signals == ["TERM"]


@pytest.mark.parametrize("first", ["force", "drain"])
async def test_force_kills_now(first: str, autojump_clock: MockClock) -> None:
    """Also in the middle of a drain."""

    async def script(runner: ScriptedRunner) -> None:
        runner.answer = lambda request: None
        await work(runner)

    async with running(script) as (watched, runners):
        await watched.shard.state.wait_value(READY)
        if first == "drain":
            watched.shard.request_stop()
            await trio.sleep(1)
        asked = trio.current_time()
        watched.shard.request_stop(force=True)
        await watched.shard.state.wait_value(STOPPED)
        assert trio.current_time() == asked

    assert runners.started[0].signals == ["KILL"]


async def test_a_cancel_kills_and_tells_everybody(autojump_clock: MockClock) -> None:
    """When the host's own tree is cancelled nothing is left and the report is written all the same."""
    async with trio.open_nursery() as scripts:
        runners = ScriptedRunners(scripts, work)
        watched = Watched(spawn=runners.spawn)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watched.shard.run)
            await watched.shard.state.wait_value(READY)
            nursery.cancel_scope.cancel()

    assert runners.started[0].is_reaped
    assert watched.states.endswith("ready killing reaping stopped")
    assert watched.heard(RunnerDied)[0].next == "stopped"
    assert watched.traffic.told[-1] == "lost 1"
