"""Who of a group leaves when one dies, who waits for whom then, and who is left alone."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from rookery.protocol import Request
from rookery.supervisor.incident import WINDOW
from rookery.supervisor.observers import EnvironmentIncident, ShardMoved
from rookery.supervisor.restart import RestartPolicy
from rookery.supervisor.shard_state import ShardState
from rookery.supervisor.strategy import GroupSettings, Strategy
from tests.doubles.groups import group_of
from tests.doubles.scripted_runner import ScriptedRunner, work
from tests.doubles.shards import die_with

S = ShardState
CHAIN = GroupSettings(strategy=Strategy.REST_FOR_ONE, start_stagger=0)
UNION = GroupSettings(strategy=Strategy.ONE_FOR_ALL, start_stagger=0)


async def leave_slowly(runner: ScriptedRunner) -> None:
    """A good runner that has to be killed, five seconds after it was asked to leave."""

    def stay(request: Request) -> None:
        request.answer({"acknowledged": True})

    runner.ignores_term = True
    runner.answer = stay
    await work(runner)


async def die_later(runner: ScriptedRunner) -> None:
    """A runner that dies ten seconds after it was started."""
    await runner.say_hello()
    await runner.say_ready(())
    await trio.sleep(10)
    runner.die(1)


@pytest.mark.parametrize(
    ("settings", "wave"), [(UNION, ["a", "b", "c"]), (CHAIN, ["b", "c"])], ids=["one_for_all", "rest_for_one"]
)
async def test_nobody_comes_back_before_all_have_left(
    settings: GroupSettings, wave: list[str], autojump_clock: MockClock
) -> None:
    """Two generations of a set that belongs together never work at the same time, and they start in order."""
    async with group_of(settings, {"a": leave_slowly, "b": [die_with(1), work], "c": leave_slowly}) as stage:
        await stage.watched["b"].wait_deaths(1)
        died = trio.current_time()
        await stage.watched["c"].wait_deaths(1)
        left = trio.current_time()
        assert stage["b"].incarnation == 1
        await trio.sleep(1)
        await stage.all(S.READY)

        assert stage.started == ["a", "b", "c", *wave]
        assert left - died >= 5


async def test_two_that_crash_together_are_given_up_all_the_same(autojump_clock: MockClock) -> None:
    """Nobody's record is forgotten because a sibling died: what crashes in a circle comes to an end."""
    async with group_of(UNION, {"a": die_with(1), "b": die_with(1)}) as stage:
        with trio.fail_after(500):
            await stage.all(S.FAILED)

        assert stage["a"].incarnation <= 20
        assert stage["b"].incarnation <= 20


async def test_a_shard_that_an_operator_stops_stays_stopped(autojump_clock: MockClock) -> None:
    """Also when a sibling dies while it drains."""
    async with group_of(UNION, {"a": die_later, "b": leave_slowly}) as stage:
        await stage.all(S.READY)
        await trio.sleep(7)
        stage["b"].stop()
        await stage.watched["a"].wait_deaths(1)
        assert stage["b"].state.value in (S.DRAINING, S.STOPPING)
        await stage["b"].state.wait_value(S.STOPPED)
        await stage["a"].state.wait_value(S.READY)
        await trio.sleep(5)

        assert stage["b"].state.value is S.STOPPED


async def test_one_that_waits_for_its_delay_keeps_its_record(autojump_clock: MockClock) -> None:
    """It holds nothing of its dead sibling, and an early start would be for nothing."""
    policy = RestartPolicy(backoff_base=20, backoff_jitter=0)
    scripts = {"a": [die_later, work], "b": [die_with(1), die_with(1), work]}
    async with group_of(UNION, scripts, restart=policy) as stage:
        await stage.watched["b"].wait_deaths(2)
        assert stage["b"].state.value is S.BACKOFF
        await stage.watched["a"].wait_deaths(1)
        await trio.sleep(1)

        assert stage["b"].state.value is S.BACKOFF
        assert stage["b"].history.failures == 2


async def test_a_number_is_a_place(autojump_clock: MockClock) -> None:
    """The shards without one come last, as they stand in the file."""
    async with group_of(CHAIN, {"a": work, "b": work, "c": work}) as stage:
        await stage.all(S.READY)

    assert stage.started == ["a", "b", "c"]

    async with group_of(CHAIN, {"a": work, "b": work, "c": work}, of=("c",), order=1) as stage:
        await stage.all(S.READY)

    assert stage.started == ["c", "a", "b"]


async def test_one_that_comes_back_is_waited_for(autojump_clock: MockClock) -> None:
    """In BACKOFF it holds those behind it; stopped, it does not."""
    policy = RestartPolicy(backoff_base=25, backoff_jitter=0, backoff_max=25)
    async with group_of(CHAIN, {"a": die_with(1), "b": work}, of=("a",), restart=policy) as stage:
        await stage.watched["a"].wait_deaths(2, timeout=100)
        await trio.sleep(10)
        assert stage["a"].state.value is S.BACKOFF
        assert stage["b"].state.value is S.IDLE
        stage["a"].stop()
        await stage["b"].state.wait_value(S.READY)

        assert stage["a"].state.value is S.STOPPED


async def test_one_that_fell_while_another_was_awaited_is_awaited_again(autojump_clock: MockClock) -> None:
    """All before it are up at the same time when it starts."""

    async def come_slowly(runner: ScriptedRunner) -> None:
        await runner.say_hello()
        await trio.sleep(12)
        await runner.say_ready(())
        await trio.sleep_forever()

    async with group_of(CHAIN, {"a": [die_later, come_slowly], "b": come_slowly, "c": work}) as stage:
        await stage["c"].state.wait_value(S.READY)

        assert stage["a"].state.value is S.READY
        assert stage["b"].state.value is S.READY
        assert stage["a"].incarnation == 2


@pytest.mark.parametrize("settings", [UNION, CHAIN], ids=["one_for_all", "rest_for_one"])
async def test_a_plugin_that_was_isolated_disturbs_nobody(
    settings: GroupSettings, autojump_clock: MockClock
) -> None:
    """Its shard came while the host was running: nobody follows it, and nobody waits for it."""
    async with group_of(settings, {"a": work, "b": work}) as stage:
        await stage.all(S.READY)
        stage.add("x", die_with(1))
        await stage.watched["x"].wait_deaths(3)
        stage.add("y", work)
        await stage["y"].state.wait_value(S.READY)
        await trio.sleep(5)

        assert {name: stage[name].incarnation for name in "aby"} == {"a": 1, "b": 1, "y": 1}


async def test_a_plugin_that_was_isolated_follows_its_group(autojump_clock: MockClock) -> None:
    """It may hold something of the others, and it comes back after them."""
    async with group_of(CHAIN, {"a": [die_later, work], "b": work}) as stage:
        await stage.all(S.READY)
        stage.add("x", work)
        await stage.watched["a"].wait_deaths(1)
        await trio.sleep(1)
        await stage.all(S.READY)

        assert stage.started == ["a", "b", "x", "a", "b", "x"]


async def test_an_incident_of_the_machine_cycles_nobody(autojump_clock: MockClock) -> None:
    """It is nobody's death that the others would have to follow; one that comes later is."""
    async with group_of(UNION, {"a": [die_later, die_with(1), work], "b": work}) as stage:
        await stage.all(S.READY)
        await trio.sleep(9)
        stage.groups.note(EnvironmentIncident(shards=("a",), reason="the disk is full"))
        await stage.watched["a"].wait_deaths(2)
        await trio.sleep(1)
        assert stage["b"].incarnation == 1

        await trio.sleep(WINDOW)
        stage["a"].accuse("it broke a rule")
        await stage.watched["a"].wait_deaths(3)
        await trio.sleep(1)
        await stage.all(S.READY)

        assert stage["b"].incarnation == 2


async def test_starts_are_put_off_by_chance_within_bounds(autojump_clock: MockClock) -> None:
    """What died together does not start together."""
    names = [f"s{number}" for number in range(12)]
    async with group_of(
        GroupSettings(start_concurrency=12, start_stagger=30), dict.fromkeys(names, work)
    ) as stage:
        await stage.all(S.READY)
        starts = sorted(
            move.at
            for watched in stage.watched.values()
            for move in watched.heard(ShardMoved)
            if move.new is S.SPAWNING
        )

        assert all(0 <= at <= 30 for at in starts)
        assert starts[-1] - starts[0] > 1


@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_no_more_than_the_limit_are_on_their_way(limit: int, autojump_clock: MockClock) -> None:
    """Also while some of them crash and come back."""
    on_their_way = most = 0

    async def come(runner: ScriptedRunner) -> None:
        nonlocal on_their_way, most
        on_their_way += 1
        most = max(most, on_their_way)
        await runner.say_hello()
        await trio.sleep(2)
        on_their_way -= 1
        await runner.say_ready(())
        await trio.sleep(3)
        runner.die(1)

    settings = GroupSettings(start_concurrency=limit, start_stagger=0.5)
    async with group_of(settings, dict.fromkeys("abcdef", come)):
        await trio.sleep(60)

        assert most == limit
