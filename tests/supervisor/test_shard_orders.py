"""What operators, groups and limits may want of a shard, in any state and in any order."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from rookery.supervisor.exit_report import ExitReport
from rookery.supervisor.judgement import Judgement
from rookery.supervisor.observers import RunnerDied, ShardMoved
from rookery.supervisor.shard import Shard
from rookery.supervisor.shard_state import ShardState, is_path
from rookery.supervisor.turns import Turns
from tests.doubles.scripted_runner import ScriptedRunner, work
from tests.doubles.shards import Watched, die_with, running

S = ShardState


def path(watched: Watched) -> list[tuple[ShardState, ShardState, str]]:
    return [(move.old, move.new, move.transition) for move in watched.heard(ShardMoved)]


async def test_a_restart_is_planned_and_nothing_is_counted(autojump_clock: MockClock) -> None:
    """I12: it drains, and the next runner comes at once."""
    async with running(work) as (watched, runners):
        await watched.shard.state.wait_value(S.READY)
        before = watched.shard.history
        watched.shard.restart("the operator wants it")
        await watched.shard.state.wait_value(S.IDLE)
        await watched.shard.state.wait_value(S.READY)

        assert watched.shard.history == before
        assert watched.shard.incarnation == 2
        assert runners.started[0].signals == []

    assert watched.heard(RunnerDied)[0].next == "back at once"
    assert "T14" in [by for *_, by in path(watched)]
    assert is_path(path(watched))


async def test_a_stopped_shard_waits_for_its_start(autojump_clock: MockClock) -> None:
    """For as long as it takes; then the record is forgotten."""
    async with running([die_with(1), work]) as (watched, _):
        await watched.wait_deaths(1)
        await watched.shard.state.wait_value(S.READY)
        assert watched.shard.history.failures == 1
        watched.shard.stop()
        await watched.shard.state.wait_value(S.STOPPED)
        await trio.sleep(80_000)
        assert watched.shard.state.value is S.STOPPED
        watched.shard.start()
        await watched.shard.state.wait_value(S.READY)

        assert watched.shard.history.failures == 0
    assert is_path(path(watched))


async def test_a_start_by_hand_tries_every_plugin_again(autojump_clock: MockClock) -> None:
    """Also one that had ended so many runners that it was left out: whoever starts the shard may have mended it."""

    async def script(runner: ScriptedRunner) -> None:
        await runner.say_hello()
        if len(runners.started) <= 2:
            runner.say_loading("test.two")
            runner.die(-11)
        else:
            await runner.say_ready(["test.one"], list(runner.assignment.blocked))
            await trio.sleep_forever()

    async with running(script) as (watched, runners):
        await watched.shard.state.wait_value(S.READY)
        watched.shard.stop()
        await watched.shard.state.wait_value(S.STOPPED)
        watched.shard.start()
        await watched.shard.state.wait_value(S.READY)

    assert [list(assigned.blocked) for assigned in watched.assigned] == [[], [], ["test.two"], []]


async def test_a_shard_that_is_started_by_hand_begins_disabled(autojump_clock: MockClock) -> None:
    """T1: its file says so; it takes nobody's turn."""
    async with running(work, autostart=False) as (watched, _):
        await trio.sleep(1000)
        assert watched.shard.state.value is S.DISABLED
        watched.shard.start()
        await watched.shard.state.wait_value(S.READY)

    assert path(watched)[0] == (S.DISABLED, S.IDLE, "T1")


@pytest.mark.parametrize("script", [die_with(1), die_with(78)], ids=["backoff", "failed"])
async def test_a_start_and_a_stop_work_at_once_while_nothing_runs(
    script: object, autojump_clock: MockClock
) -> None:
    """T29, A24: in the delay and after it was given up."""
    async with running([script, script, work]) as (watched, _):  # type: ignore[list-item]
        while watched.shard.next_start is None or watched.shard.next_start <= trio.current_time():
            await watched.shard.state.wait_transition()
        now = trio.current_time()
        watched.shard.stop()
        assert watched.shard.state.value is S.STOPPED
        watched.shard.restart("again")
        await watched.shard.state.wait_value(S.READY)

        assert trio.current_time() <= now + 1.1
    assert is_path(path(watched))


async def test_an_order_during_the_drain_of_the_one_before_counts(autojump_clock: MockClock) -> None:
    """Stop, then start, before the runner has left: it comes back."""
    async with running(work) as (watched, _):
        await watched.shard.state.wait_value(S.READY)
        watched.shard.stop()
        watched.shard.start()
        await watched.shard.state.wait_value(S.IDLE)
        await watched.shard.state.wait_value(S.READY)

    assert watched.shard.incarnation == 2


async def test_a_held_shard_waits_and_a_release_ends_that(autojump_clock: MockClock) -> None:
    """Quarantine and the group's back-off."""

    class Holding:
        def judge(self, shard: Shard, report: ExitReport) -> Judgement:
            return Judgement(is_excused=True, hold=500.0, reason="in quarantine", culprit="test.two")

        def take_blocked(self, shard: Shard, plugin_id: str, reason: str) -> None:
            raise AssertionError

    async with running([die_with(1), work], judge=Holding()) as (watched, _):
        await watched.shard.state.wait_value(S.BACKOFF)
        now = trio.current_time()
        assert watched.shard.next_start == now + 500
        watched.shard.hold(800.0, "longer")
        await trio.sleep(600)
        assert watched.shard.state.value is S.BACKOFF
        watched.shard.release()
        await watched.shard.state.wait_value(S.READY)
        assert trio.current_time() == now + 600

    died = watched.heard(RunnerDied)[0]
    assert (died.culprit, died.delay) == ("test.two", 500.0)
    assert tuple(by for *_, by in path(watched) if by in ("T25", "T28")) == ("T25", "T28")


async def test_a_shard_that_is_held_while_it_waits_for_its_turn_waits_on(autojump_clock: MockClock) -> None:
    """As when most shards die at once, and one of them is about to start: its turn comes, and is given back."""
    turns = Turns(1)
    other = Watched().shard
    await turns.wait(other)

    async with running(work, turns=turns) as (watched, _):
        await trio.testing.wait_all_tasks_blocked()
        watched.shard.hold(50.0, "most shards died at once")
        turns.give_back(other)
        await trio.sleep(49)
        assert (watched.shard.state.value, turns.held) == (S.IDLE, 0)
        await watched.shard.state.wait_value(S.READY)
        assert trio.current_time() == 50


async def test_a_runner_that_wants_to_be_replaced_is_at_once(autojump_clock: MockClock) -> None:
    """Exit code 75: uncounted, as often as it likes."""
    async with running([die_with(75)] * 30 + [work]) as (watched, _):
        await watched.wait_deaths(30, timeout=100)
        await watched.shard.state.wait_value(S.READY)

        assert watched.shard.history.failures == 0


ORDERS = st.lists(
    st.tuples(st.sampled_from(["start", "stop", "kill", "restart", "release", "hold"]), st.integers(0, 30)),
    max_size=25,
)


@pytest.mark.slow
@settings(max_examples=60)
@given(ORDERS, st.booleans())
def test_any_orders_end_in_the_wanted_state(orders: list[tuple[str, int]], dies: bool) -> None:
    """A23: whatever came before, the last wish holds; every runner is reaped and the moves are a path of the table."""

    async def scenario() -> None:
        script = [die_with(1), work] * 40 if dies else work
        async with running(script) as (watched, runners):  # type: ignore[arg-type]
            shard = watched.shard
            for order, tenths in orders:
                await trio.sleep(tenths / 10)
                if order == "start":
                    shard.start()
                elif order == "stop":
                    shard.stop()
                elif order == "kill":
                    shard.stop(force=True)
                elif order == "restart":
                    shard.restart("test")
                elif order == "hold":
                    shard.hold(0.5, "test")
                else:
                    shard.release()
            wishes = [order for order, _ in orders if order in ("start", "stop", "kill", "restart")]
            wanted = S.STOPPED if wishes and wishes[-1] in ("stop", "kill") else S.READY
            with trio.fail_after(60):
                await shard.state.wait_value(wanted)
        assert watched.shard.state.value is S.STOPPED
        assert is_path(path(watched))
        assert all(runner.is_reaped for runner in runners.started)

    trio.run(scenario, clock=MockClock(autojump_threshold=0))


@pytest.mark.parametrize(
    "order", [Shard.start, lambda shard: shard.restart("by hand")], ids=["start", "restart"]
)
async def test_an_order_after_the_end_leaves_a_shard_stopped(
    order: object, autojump_clock: MockClock
) -> None:
    """Its siblings may need longer to stop, and the host waits until all of them are stopped."""
    async with running(work) as (watched, _):
        await watched.shard.state.wait_value(S.READY)
        watched.shard.request_stop()
        await watched.shard.state.wait_value(S.STOPPED)
        await trio.testing.wait_all_tasks_blocked()
        order(watched.shard)  # type: ignore[operator]

        assert watched.shard.state.value is S.STOPPED


async def test_an_order_that_comes_while_it_waits_for_its_turn_is_no_turn(
    autojump_clock: MockClock,
) -> None:
    """Whatever is said to it, it waits on until the other one is up."""
    turns = Turns(1)
    other = Watched().shard
    await turns.wait(other)

    async with running(work, turns=turns) as (watched, runners):
        await trio.testing.wait_all_tasks_blocked()
        watched.shard.release()
        await trio.testing.wait_all_tasks_blocked()
        started = len(runners.started)
        turns.give_back(other)
        await watched.shard.state.wait_value(S.READY)

    assert started == 0
    assert turns.held == 0
