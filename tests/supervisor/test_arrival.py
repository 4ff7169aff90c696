"""How a runner comes up, and what is done with one that does not, on a clock that jumps."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from rookery.protocol import RemoteError, page
from rookery.supervisor.exit_report import ExitKind
from rookery.supervisor.observers import (
    LogWritten,
    PluginNotLoaded,
    RunnerDied,
    SecurityViolation,
    ShardMoved,
)
from rookery.supervisor.settings import ShardTimeouts
from rookery.supervisor.shard_state import ShardState
from tests.doubles.scripted_runner import ScriptedRunner, be_silent, work
from tests.doubles.shards import PLUGINS, running

READY, FAILED, STOPPED = ShardState.READY, ShardState.FAILED, ShardState.STOPPED


async def test_the_hello_is_answered_with_the_assignment_and_known_features(
    autojump_clock: MockClock,
) -> None:
    """The runner learns what to load, and which of its features the host uses."""
    answers = []

    async def script(runner: ScriptedRunner) -> None:
        answers.append(await runner.say_hello())
        await trio.sleep_forever()

    async with running(script) as (watched, _):
        await watched.shard.state.wait_value(ShardState.LOADING)
        await trio.testing.wait_all_tasks_blocked()

    assert answers[0].accepted
    assert answers[0].host_version == "0.1.0"
    assert answers[0].features == ["assignment", "loading", "logs"]
    assert answers[0].assignment == watched.assigned[0]


async def test_failed_plugins_are_named_and_the_shard_works(autojump_clock: MockClock) -> None:
    """One plugin that cannot be loaded is that plugin's failure, not the shard's."""

    async def script(runner: ScriptedRunner) -> None:
        await runner.say_hello()
        await runner.say_ready(["test.one"], ["test.two"])
        await trio.sleep_forever()

    async with running(script) as (watched, _):
        await watched.shard.state.wait_value(READY)
        assert watched.shard.loaded == ("test.one",)
        assert watched.shard.failed == {"test.two": "ImportError: no module"}

    (record,) = watched.heard(PluginNotLoaded)
    assert (record.plugin_id, record.blocked) == ("test.two", False)


async def test_a_runner_without_a_single_plugin_is_not_ready(autojump_clock: MockClock) -> None:
    """When all have failed the runner is ended and tried again."""

    async def script(runner: ScriptedRunner) -> None:
        await runner.say_hello()
        await runner.say_ready([], PLUGINS)

    async with running([script, work]) as (watched, _):
        await watched.shard.state.wait_value(READY)

    assert watched.deaths[0].kind is ExitKind.LOAD_FAILED
    assert watched.deaths[0].ready_at is None


async def test_a_runner_that_says_no_hello_is_killed_in_time(autojump_clock: MockClock) -> None:
    """The hello time-out, and what the report calls it."""
    async with running([be_silent, work]) as (watched, runners):
        await watched.wait_deaths(1)
        waited = trio.current_time()
        await watched.shard.state.wait_value(READY)

    (report, *_) = watched.deaths
    assert (report.kind, report.state, report.signal) == (ExitKind.HELLO_TIMEOUT, ShardState.HELLO, 9)
    assert report.describe() == 'shard "games" #1 (pid 10000) was killed: no hello within 5 s'
    assert waited - report.started_at == pytest.approx(5)
    assert runners.started[0].signals == ["KILL"]


async def test_a_plugin_that_hangs_in_loading_is_named(autojump_clock: MockClock) -> None:
    """The limit is the plugin's own and begins anew with each step."""

    async def script(runner: ScriptedRunner) -> None:
        await runner.say_hello()
        for _ in range(3):
            runner.say_loading("test.one")
            await trio.sleep(15)
        runner.say_loading("test.two")
        await trio.sleep_forever()

    async with running([script, work]) as (watched, _):
        await watched.wait_deaths(1, timeout=100)

    (report, *_) = watched.deaths
    assert (report.kind, report.loading) == (ExitKind.LOAD_TIMEOUT, "test.two")
    assert report.ended_at - report.started_at == pytest.approx(45 + 20 + 1)
    assert "did not finish loading test.two" in report.describe()


async def test_progress_is_no_excuse_for_ever(autojump_clock: MockClock) -> None:
    """However many steps a runner reports, two minutes after its hello it has to be ready."""

    async def script(runner: ScriptedRunner) -> None:
        await runner.say_hello()
        while True:
            runner.say_loading("test.one")
            await trio.sleep(5)

    async with running([script, work]) as (watched, _):
        await watched.wait_deaths(1, timeout=500)

    assert watched.deaths[0].ended_at - watched.deaths[0].started_at == pytest.approx(120)


async def test_a_bad_hello_is_refused_with_its_reason_and_twice_is_the_end(autojump_clock: MockClock) -> None:
    """A hello that cannot be used gets an error, the runner is killed, and the same program is not tried for ever."""
    refusals = []

    async def script(runner: ScriptedRunner) -> None:
        try:
            await runner.link.call("runner.hello", {"runner_id": 7})
        except RemoteError as error:
            refusals.append(str(error))

    async with running(script) as (watched, runners):
        await watched.shard.state.wait_value(FAILED)

    assert "runner_id" in refusals[0]
    assert len(runners.started) == 2
    assert [report.kind for report in watched.deaths] == [ExitKind.REFUSED] * 2
    assert "broke the protocol 2 times in a row" in watched.heard(RunnerDied)[-1].next
    assert watched.traffic.told == []


async def test_ready_twice_is_a_broken_rule(autojump_clock: MockClock) -> None:
    """The runner is killed."""

    async def script(runner: ScriptedRunner) -> None:
        await runner.say_hello()
        await runner.say_ready(PLUGINS)
        await runner.say_ready(PLUGINS)

    async with running([script, work]) as (watched, _):
        await watched.wait_deaths(1)

    assert watched.deaths[0].kind is ExitKind.PROTOCOL


@pytest.mark.parametrize("step", ["loading", "ready"])
async def test_a_runner_may_name_its_own_plugins_only(step: str, autojump_clock: MockClock) -> None:
    """One that loads or has another shard's plugin is killed, and that is said as a violation."""

    async def script(runner: ScriptedRunner) -> None:
        await runner.say_hello()
        if step == "loading":
            runner.say_loading("test.of_another")
        else:
            await runner.say_ready(["test.of_another"])

    async with running([script, work]) as (watched, _):
        await watched.wait_deaths(1)

    assert watched.deaths[0].kind is ExitKind.PROTOCOL
    assert "test.of_another" in watched.heard(SecurityViolation)[0].claim


async def test_what_was_said_in_time_counts_when_the_host_is_late(autojump_clock: MockClock) -> None:
    """The hello is in the socket, the host's loop is busy until after the deadline: nobody is killed for that."""

    async def script(runner: ScriptedRunner) -> None:
        hello = {"runner_id": "r", "sdk_version": "2.0.0", "session_token": ""}
        runner.link.send("runner.hello", hello, deadline=1e9, on_done=lambda _: None)
        runner.link.flush_nowait()
        autojump_clock.jump(60)  # as if every task had been kept waiting for a minute
        await trio.sleep_forever()

    async with running(script) as (watched, _):
        await watched.shard.state.wait_value(ShardState.LOADING)

    assert watched.deaths[0].planned


async def test_a_runner_is_not_charged_for_the_time_in_which_its_host_stood_still(
    autojump_clock: MockClock,
) -> None:
    """It loads a plugin for half of the time that it has; its host sleeps for twice that time meanwhile."""

    async def script(runner: ScriptedRunner) -> None:
        await runner.say_hello()
        runner.say_loading("test.one")
        await trio.sleep(1)
        autojump_clock.jump(2 * load)  # as if every task had been kept waiting
        await trio.sleep(load / 2)
        await runner.say_ready(PLUGINS)
        await trio.sleep_forever()

    load = ShardTimeouts().plugin_load
    async with running(script) as (watched, _):
        await watched.shard.state.wait_value(READY)

    assert [death.describe() for death in watched.deaths if not death.planned] == []


# --- what it asks for and says of itself ----------------------------------------------------------------------


async def loading(runner: ScriptedRunner) -> None:
    """Hello with everything that a runner of ours can do."""
    runner.features = ["assignment", "loading", "logs", "beats", "started", "extend"]
    await runner.say_hello()


async def test_a_runner_may_ask_for_more_time(autojump_clock: MockClock) -> None:
    """T8: from then on so many seconds; the transition is told."""

    async def script(runner: ScriptedRunner) -> None:
        await loading(runner)
        runner.say_loading("test.one")
        await trio.sleep(1)
        runner.link.broadcast("runner.extend", {"seconds": 60.0})
        await trio.sleep(50)
        await runner.say_ready(PLUGINS)
        await trio.sleep_forever()

    async with running(script) as (watched, _):
        await watched.shard.state.wait_value(READY)
        ready_at = trio.current_time()

    assert ready_at == 51
    (moved,) = [each for each in watched.heard(ShardMoved) if each.old is each.new]
    assert (moved.new, moved.transition) == (ShardState.LOADING, "T8")


async def test_more_time_than_a_start_may_take_is_not_given(autojump_clock: MockClock) -> None:
    """C8, E28: however often it asks, and however much for; and not each wish is a record."""

    async def script(runner: ScriptedRunner) -> None:
        await loading(runner)
        while True:
            runner.link.broadcast("runner.extend", {"seconds": 1e9})
            await trio.sleep(0.1)

    async with running([script, work]) as (watched, _):
        await watched.wait_deaths(1, timeout=1000)
        report = watched.deaths[0]

    assert report.kind is ExitKind.LOAD_TIMEOUT
    assert report.ended_at - report.started_at <= watched.shard.settings.timeouts.start_max + 1
    assert len([each for each in watched.heard(ShardMoved) if each.old is each.new]) == 1


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
async def test_a_time_that_is_none_is_not_given(seconds: float, autojump_clock: MockClock) -> None:
    """It is told to the log, and the limit stays."""

    async def script(runner: ScriptedRunner) -> None:
        await loading(runner)
        runner.link.broadcast("runner.extend", {"seconds": seconds})
        await trio.sleep_forever()

    async with running([script, work]) as (watched, _):
        await watched.wait_deaths(1, timeout=1000)

    assert watched.deaths[0].kind is ExitKind.LOAD_TIMEOUT
    assert watched.deaths[0].ended_at == watched.shard.settings.timeouts.load
    assert any("seconds" in record.text for record in watched.heard(LogWritten))


async def test_another_process_cannot_speak_for_it(autojump_clock: MockClock) -> None:
    """B9: whoever keeps the page is the one that was started."""

    async def script(runner: ScriptedRunner) -> None:
        await loading(runner)
        runner.write_page(page.PID_AT, runner.pid + 1)
        await runner.say_ready(PLUGINS)

    async with running([script, work]) as (watched, _):
        await watched.wait_deaths(1)

    assert watched.deaths[0].kind is ExitKind.PROTOCOL
    assert "10001 speaks for it" in watched.heard(SecurityViolation)[0].claim


async def test_a_page_that_nobody_keeps_proves_nothing(autojump_clock: MockClock) -> None:
    """A runner of another make has none, and one of ours may be unable to map it."""
    async with running(work) as (watched, _):
        await watched.shard.state.wait_value(READY)

    assert watched.heard(SecurityViolation) == []
