"""How the shards of a group start, fail and end together, with scripted runners on a clock that jumps."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from rookery.supervisor.observers import Escalated, GroupRestarted
from rookery.supervisor.restart import RestartPolicy
from rookery.supervisor.settings import ShardSettings
from rookery.supervisor.shard_state import ShardState
from rookery.supervisor.strategy import AutoShutdown, GroupSettings, Significance, Strategy
from tests.doubles.groups import group_of
from tests.doubles.scripted_runner import Script, ScriptedRunner, work
from tests.doubles.shards import PLUGINS, die_with

S = ShardState
QUICK = RestartPolicy(burst_limit=0, failed_retry=0)
"""Given up at the first death."""


@pytest.mark.parametrize(
    ("strategy", "restarted"),
    [
        (Strategy.ONE_FOR_ONE, {"b": 2}),
        (Strategy.REST_FOR_ONE, {"b": 2, "c": 2}),
        (Strategy.ONE_FOR_ALL, {"a": 2, "b": 2, "c": 2}),
    ],
)
async def test_siblings_follow_as_the_strategy_says(
    strategy: Strategy, restarted: dict[str, int], autojump_clock: MockClock
) -> None:
    """One end is one restart: those who follow have no failure on their record."""
    scripts: dict[str, Script | list[Script]] = {"a": work, "b": [die_with(1), work], "c": work}
    async with group_of(GroupSettings(strategy=strategy), scripts) as stage:
        await stage.all(S.READY)
        await stage.watched["b"].wait_deaths(1)
        await trio.sleep(60)
        await stage.all(S.READY)

        assert {
            name: watched.shard.incarnation
            for name, watched in stage.watched.items()
            if watched.shard.incarnation > 1
        } == restarted
        assert [stage[name].history.failures for name in "abc"] == [0, 1, 0]


async def test_an_ordered_group_starts_one_behind_the_other(autojump_clock: MockClock) -> None:
    """Each when those before it are up."""

    async def slowly(runner: ScriptedRunner) -> None:
        await runner.say_hello()
        await trio.sleep(5)
        await runner.say_ready(PLUGINS)
        await trio.sleep_forever()

    async with group_of(
        GroupSettings(strategy=Strategy.REST_FOR_ONE), {"a": slowly, "b": slowly, "c": slowly}
    ) as stage:
        await stage["c"].state.wait_value(S.READY)

        assert stage.started == ["a", "b", "c"]
        assert trio.current_time() >= 15


async def test_one_that_is_given_up_does_not_hold_those_behind_it(autojump_clock: MockClock) -> None:
    """It may never come; they have to do without it."""

    async def refuse(runner: ScriptedRunner) -> None:
        await runner.say_hello()
        runner.die(78)

    scripts: dict[str, Script | list[Script]] = {"a": refuse, "b": work}
    async with group_of(GroupSettings(strategy=Strategy.REST_FOR_ONE), scripts) as stage:
        await stage["b"].state.wait_value(S.READY)
        assert stage["a"].state.value is S.FAILED


async def test_so_many_start_at_once(autojump_clock: MockClock) -> None:
    """A22: the others wait for their turn, and each is put off a little by chance."""

    async def slowly(runner: ScriptedRunner) -> None:
        await runner.say_hello()
        await trio.sleep(5)
        await runner.say_ready(PLUGINS)
        await trio.sleep_forever()

    names = "abcdefg"
    async with group_of(GroupSettings(start_concurrency=3), dict.fromkeys(names, slowly)) as stage:
        await trio.sleep(4)
        assert len(stage.started) == 3
        await stage.all(S.READY)
        assert 15 <= trio.current_time() <= 15 + 0.5


async def test_a_required_shard_takes_its_group_along_and_then_the_host(autojump_clock: MockClock) -> None:
    """4.5: three restarts of the group within its window, then the end."""
    settings = GroupSettings(restart_limit=3)
    scripts: dict[str, Script | list[Script]] = {"a": work, "b": die_with(1)}
    async with group_of(
        settings, scripts, significance=Significance.REQUIRED, restart=QUICK, of=("b",)
    ) as stage:
        with trio.fail_after(200):
            while not stage.escalated:
                await trio.sleep(1)

        assert len(stage.told(GroupRestarted)) == 3
        assert len(stage.told(Escalated)) == 1
        assert stage["a"].incarnation == 4
        assert stage["a"].history.failures == 0
        assert 'the required shard "b" was given up' in stage.escalated[0]


async def test_an_optional_shard_that_is_given_up_stays_so(autojump_clock: MockClock) -> None:
    """The bot goes on without it."""
    async with group_of(GroupSettings(), {"a": work, "b": die_with(1)}, restart=QUICK, of=("b",)) as stage:
        await stage["b"].state.wait_value(S.FAILED)
        await trio.sleep(1000)

        assert stage["b"].state.value is S.FAILED
        assert stage["a"].incarnation == 1
        assert stage.escalated == []


@pytest.mark.parametrize(
    ("rule", "ends"),
    [
        (AutoShutdown.NEVER, []),
        (AutoShutdown.ANY_SIGNIFICANT, [1.0]),
        (AutoShutdown.ALL_SIGNIFICANT, [3.0]),
    ],
)
async def test_jobs_that_are_done_end_the_host(
    rule: AutoShutdown, ends: list[float], autojump_clock: MockClock
) -> None:
    """One of them, or all; a shard that has no job is not waited for."""

    def job(seconds: float) -> Script:
        async def script(runner: ScriptedRunner) -> None:
            await runner.say_hello()
            await runner.say_ready(PLUGINS)
            await trio.sleep(seconds)
            runner.die(0)

        return script

    settings = GroupSettings(auto_shutdown=rule, start_stagger=0)
    changes = {"significance": Significance.ONE_SHOT, "restart": RestartPolicy(mode="transient")}
    async with group_of(settings, {"a": job(1), "b": job(3), "c": work}, of=("a", "b"), **changes) as stage:
        at: list[float] = []
        while trio.current_time() < 10:
            if stage.finished and not at:
                at.append(round(trio.current_time()))
            await trio.sleep(0.25)

        assert at == ends


async def test_a_job_that_fails_is_not_done(autojump_clock: MockClock) -> None:
    """It is started again, as its mode says."""
    settings = GroupSettings(auto_shutdown=AutoShutdown.ANY_SIGNIFICANT)
    changes = {"significance": Significance.ONE_SHOT, "restart": RestartPolicy(mode="transient")}
    async with group_of(settings, {"a": [die_with(1), work]}, **changes) as stage:
        await stage.watched["a"].wait_deaths(1)
        await stage["a"].state.wait_value(S.READY)
        await trio.sleep(10)

        assert stage.finished == []


async def test_planned_ends_cycle_nobody(autojump_clock: MockClock) -> None:
    """OTP's counting."""
    settings = GroupSettings(strategy=Strategy.ONE_FOR_ALL)
    async with group_of(settings, {"a": work, "b": work}) as stage:
        await stage.all(S.READY)
        stage["a"].restart("by hand")
        await trio.sleep(30)
        await stage.all(S.READY)

        assert (stage["a"].incarnation, stage["b"].incarnation) == (2, 1)


def test_settings_are_known() -> None:
    """Every shard belongs to a group without saying so."""
    assert ShardSettings(name="a").group == GroupSettings().name
