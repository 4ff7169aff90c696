"""How a runner ends: who is told, what counts, and how it is made to leave, on a clock that jumps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from rookery.protocol import PLUGIN_HEALTH, PLUGIN_INVOKE_TOOL, ConnectionLost, RemoteError, RequestTimedOut
from rookery.protocol import page as layout
from rookery.supervisor.exit_report import ExitKind, Place
from rookery.supervisor.hang import HangClass
from rookery.supervisor.observers import RunnerDied, RunnerRecovered, RunnerSuspect
from rookery.supervisor.process import Launch
from rookery.supervisor.settings import ShardTimeouts
from rookery.supervisor.shard_state import ShardState
from tests.doubles.scripted_runner import Script, ScriptedRunner, ScriptedRunners, work
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


# --- whose work is lost ---------------------------------------------------------------------------------------

ACCOUNTABLE = ["assignment", "loading", "logs", "beats", "started", "cancel", "recall"]


async def accountable(runner: ScriptedRunner) -> None:
    """The script of a runner that keeps its page and an account, and answers only what it is asked of itself."""
    runner.features = ACCOUNTABLE
    runner.write_page(layout.PID_AT, runner.pid)
    runner.answer = lambda request: (
        None if request.method.name == PLUGIN_INVOKE_TOOL else runner.answer_politely(request)
    )
    await work(runner)


def ask(watched: Watched, told: list[tuple[int, Any]], count: int, *, deadline: float = 1e9) -> list[int]:
    """Send calls; what becomes of each is put into `told`, with its number and the time."""
    link = watched.shard.link
    assert link is not None

    def send() -> int:
        numbers: list[int] = []
        numbers.append(
            link.send(
                PLUGIN_INVOKE_TOOL,
                {},
                plugin_id="test.one",
                deadline=deadline,
                on_done=lambda outcome: told.append((numbers[0], outcome)),
            )
        )
        return numbers[0]

    return [send() for _ in range(count)]


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


# --- leaving --------------------------------------------------------------------------------------------------


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


# --- silence --------------------------------------------------------------------------------------------------

STACKS = (
    "Current thread 0x00007f1234567890 (most recent call first):\n"
    '  File "/plugins/one/plugin.py", line 12 in spin\n'
    '  File "/lib/trio/_core/_run.py", line 2000 in run\n'
)


async def silent(runner: ScriptedRunner) -> None:
    """The script of a runner that says where it is when it is asked, and beats only when the test does it."""
    runner.stacks = STACKS
    runner.write_page(layout.LOOP_BEATS_AT, 1)
    await accountable(runner)


@asynccontextmanager
async def ready(*scripts: Script) -> AsyncIterator[tuple[Watched, ScriptedRunner]]:
    """The first runner of a shard whose plugins have directories."""
    async with running(list(scripts), paths={"test.one": "/plugins/one"}) as (watched, runners):
        await watched.shard.state.wait_value(READY)
        yield watched, runners.started[0]


async def look_for(watched: Watched, begin: int, end: int) -> None:
    """Look once a second, from one second to another."""
    for second in range(begin, end):
        watched.shard.look(float(second))
        await trio.sleep(1)


async def test_a_silent_runner_is_suspect_and_says_where_it_is(autojump_clock: MockClock) -> None:
    """T10, C3: no new work, and the line of plugin code is told while it hangs."""
    async with ready(silent, work) as (watched, _):
        await look_for(watched, 0, 5)
        assert watched.shard.state.value is ShardState.SUSPECT

    (record,) = watched.heard(RunnerSuspect)
    assert record.place == Place(plugin_id="test.one", file="plugin.py", line=12, function="spin")
    assert "suspect 1" in watched.traffic.told


async def test_a_runner_that_beats_again_works_again(autojump_clock: MockClock) -> None:
    """T11, C2: and where it was then is no evidence of a later end."""
    async with ready(silent, work) as (watched, runner):
        await look_for(watched, 0, 5)
        runner.write_page(layout.LOOP_BEATS_AT, 2)
        await look_for(watched, 5, 6)
        assert watched.shard.state.value is READY
        assert len(watched.heard(RunnerRecovered)) == 1
        runner.die(-11)
        await watched.wait_deaths(1)

    assert watched.traffic.told.index("suspect 1") < watched.traffic.told.index("recovered 1")
    assert watched.deaths[0].place is None


async def test_a_runner_that_stays_silent_is_killed(autojump_clock: MockClock) -> None:
    """T12: the call on its CPU has hung, the others are bystanders, and the line says it all."""
    told: list[tuple[int, Any]] = []

    async with ready(silent, work) as (watched, runner):
        first, second, third = ask(watched, told, 3)
        await trio.testing.wait_all_tasks_blocked()
        runner.start(first, second)
        runner.write_page(layout.CRUMB_AT, layout.pack_crumb(layout.Phase.CALL, 1, second))
        await look_for(watched, 0, 20)

    report = watched.deaths[0]
    assert (report.kind, report.state) == (ExitKind.HANG, ShardState.SUSPECT)
    assert {number: (error.maybe_executed, error.hung) for number, error in told} == {
        first: (True, False),
        second: (True, True),
        third: (False, False),
    }
    assert runner.signals == ["USR1", "USR1", "KILL"]
    assert "was killed because it hung" in report.describe()
    assert "in test.one.invoke_tool (plugin.py line 12, in spin)" in report.describe()


async def test_a_stopped_runner_is_continued_once(autojump_clock: MockClock) -> None:
    """T13, C1: and killed when that does not help; nobody waits for stacks that cannot come."""
    async with ready(silent, work) as (watched, runner):
        runner.looks = attrs.evolve(runner.looks, state="T")
        await look_for(watched, 0, 10)

    assert runner.signals.count("CONT") == 1
    assert runner.signals[-1] == "KILL"
    assert watched.deaths[0].hang is HangClass.STOPPED


async def test_a_kill_that_the_host_did_not_send_is_remarked(autojump_clock: MockClock) -> None:
    """SIGKILL out of nowhere is the kernel's as a rule, for want of memory."""
    async with running([work]) as (watched, runners):
        await watched.shard.state.wait_value(READY)
        runners.started[0].die(-9)
        await watched.wait_deaths(1)

    assert watched.deaths[0].describe().endswith("SIGKILL: not sent by the host; out of memory?")
    assert not watched.deaths[0].sent_signal
