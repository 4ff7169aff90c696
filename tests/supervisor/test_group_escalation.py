"""How far does a failure go: from a shard to its group, to the host, and no further?"""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from rookery.supervisor.observers import Escalated, GroupRestarted
from rookery.supervisor.restart import RestartPolicy
from rookery.supervisor.shard_state import ShardState
from rookery.supervisor.strategy import AutoShutdown, GroupSettings, Significance
from tests.doubles.groups import Stage, group_of
from tests.doubles.scripted_runner import Script, ScriptedRunner, work
from tests.doubles.shards import PLUGINS, die_with

S = ShardState
NEEDED = {"of": ("b",), "significance": Significance.REQUIRED}


async def cannot_live(runner: ScriptedRunner) -> None:
    """A runner that dies before it is ready."""
    await runner.say_hello()
    runner.die(1)


async def refuse(runner: ScriptedRunner) -> None:
    """A runner that says that its configuration is bad."""
    await runner.say_hello()
    runner.die(78)


async def end_of(stage: Stage, seconds: float = 500) -> float:
    """When the host was told to end."""
    with trio.fail_after(seconds):
        while not (stage.escalated or stage.finished):
            await trio.sleep(0.5)
    return trio.current_time()


async def test_levels_multiply_and_end(autojump_clock: MockClock) -> None:
    """4.5: five restarts of the shard by three of the group, then the host; within a minute, and every start is told."""
    async with group_of(GroupSettings(), {"a": work, "b": cannot_live}, **NEEDED) as stage:
        ended_at = await end_of(stage)

        assert stage.started.count("b") == (1 + 5) * (1 + 3)
        assert stage["a"].incarnation == 1 + 3
        assert [type(each) for each in stage.records if isinstance(each, (GroupRestarted, Escalated))] == [
            GroupRestarted, GroupRestarted, GroupRestarted, Escalated,
        ]  # fmt: skip
        assert ended_at < 60
        assert len(stage.escalated) == 1


async def test_give_ups_that_are_far_apart_do_not_add_up(autojump_clock: MockClock) -> None:
    """What a restart of the group helps against for longer than the window is worth it each time."""

    def live(seconds: float) -> Script:
        async def script(runner: ScriptedRunner) -> None:
            await runner.say_hello()
            await runner.say_ready(PLUGINS)
            await trio.sleep(seconds)
            runner.die(1)

        return script

    once = RestartPolicy(burst_limit=0)
    async with group_of(GroupSettings(restart_limit=1), {"b": live(400)}, restart=once, **NEEDED) as stage:
        await trio.sleep(2500)

        assert len(stage.told(GroupRestarted)) == 6
        assert stage.escalated == []


async def test_a_failure_for_good_does_not_cycle_its_group(autojump_clock: MockClock) -> None:
    """An exit code that says that no start can help ends the host at once: the others are not restarted for nothing."""
    async with group_of(GroupSettings(), {"a": work, "b": refuse}, **NEEDED) as stage:
        await end_of(stage)

        assert stage["b"].incarnation == 1
        assert stage["a"].incarnation == 1


async def test_a_group_that_is_restarted_leaves_first_and_has_a_clean_record(
    autojump_clock: MockClock,
) -> None:
    """Everybody of it, also those that were given up without being required; what an operator stopped stays so."""
    once = RestartPolicy(burst_limit=0, failed_retry=0)
    scripts: dict[str, Script | list[Script]] = {
        "a": [refuse, work],
        "b": [die_with(1), work],
        "c": work,
        "d": work,
    }
    async with group_of(GroupSettings(), scripts, restart=once, **NEEDED) as stage:
        await stage["c"].state.wait_value(S.READY)
        stage["c"].stop()
        await stage.watched["b"].wait_deaths(1)
        await trio.sleep(1)
        for name in "abd":
            await stage[name].state.wait_value(S.READY)

        assert {name: stage[name].incarnation for name in "abcd"} == {"a": 2, "b": 2, "c": 1, "d": 2}
        assert [stage[name].history.failures for name in "abd"] == [0, 0, 0]
        assert stage["c"].state.value is S.STOPPED


async def test_a_group_that_is_restarted_ends_no_quarantine(autojump_clock: MockClock) -> None:
    """The shard of an isolated plugin that waits out its time goes on waiting."""
    once = RestartPolicy(burst_limit=0)
    async with group_of(GroupSettings(), {"b": [job(10, 1), work]}, restart=once, **NEEDED) as stage:
        await stage["b"].state.wait_value(S.READY)
        stage.add("x", cannot_live, restart=RestartPolicy(backoff_base=30))
        await stage.watched["x"].wait_deaths(2)
        stage["x"].hold(600, "quarantine")
        await stage.watched["b"].wait_deaths(1)
        await trio.sleep(30)

        assert len(stage.told(GroupRestarted)) == 1
        assert stage["x"].state.value is S.BACKOFF
        assert stage["x"].incarnation == 2


def job(seconds: float, status: int) -> Script:
    """A runner that works for so long and ends."""

    async def script(runner: ScriptedRunner) -> None:
        await runner.say_hello()
        await runner.say_ready(PLUGINS)
        await trio.sleep(seconds)
        runner.die(status)

    return script


def jobs(mode: str, **policy: Any) -> dict[str, Any]:
    return {"significance": Significance.ONE_SHOT, "restart": RestartPolicy(mode=mode, **policy)}


@pytest.mark.parametrize(
    ("rule", "at"), [(AutoShutdown.ANY_SIGNIFICANT, 2), (AutoShutdown.ALL_SIGNIFICANT, 6)]
)
async def test_a_job_that_crashed_is_no_success(
    rule: AutoShutdown, at: float, autojump_clock: MockClock
) -> None:
    """A temporary one is not tried again: the host ends, and not as if all had gone well."""
    scripts = {"a": job(2, 1), "b": job(6, 0), "c": work}
    settings = GroupSettings(auto_shutdown=rule, start_stagger=0)
    async with group_of(settings, scripts, of=("a", "b"), **jobs("temporary")) as stage:
        ended_at = await end_of(stage)

        assert ended_at == pytest.approx(at, abs=0.6)
        assert stage.finished == []
        assert len(stage.escalated) == 1


async def test_a_job_that_is_given_up_for_good_has_failed(autojump_clock: MockClock) -> None:
    """Nothing else would ever end the host."""
    settings = GroupSettings(auto_shutdown=AutoShutdown.ALL_SIGNIFICANT)
    async with group_of(settings, {"a": cannot_live}, **jobs("transient", failed_retry=0)) as stage:
        await end_of(stage)

        assert stage["a"].state.value is S.FAILED
        assert stage.finished == []


async def test_a_job_that_will_be_tried_again_is_open(autojump_clock: MockClock) -> None:
    """Its timer is its hope, and the second time it works."""
    settings = GroupSettings(auto_shutdown=AutoShutdown.ALL_SIGNIFICANT)
    once = jobs("transient", burst_limit=0, failed_retry=100)
    async with group_of(settings, {"a": [cannot_live, job(1, 0)]}, **once) as stage:
        await stage["a"].state.wait_value(S.FAILED)
        ended_at = await end_of(stage)

        assert ended_at > 100
        assert len(stage.finished) == 1


async def test_a_job_that_an_operator_stops_has_not_ended(autojump_clock: MockClock) -> None:
    """He may start it again."""
    settings = GroupSettings(auto_shutdown=AutoShutdown.ANY_SIGNIFICANT)
    async with group_of(settings, {"a": work}, **jobs("transient")) as stage:
        await stage.all(S.READY)
        stage["a"].stop()
        await stage.all(S.STOPPED)
        await trio.sleep(60)

        assert (stage.finished, stage.escalated) == ([], [])


async def test_a_host_that_stops_is_not_told_to_end(autojump_clock: MockClock) -> None:
    """Its shards end because of it."""
    once = RestartPolicy(burst_limit=0)
    async with group_of(GroupSettings(restart_limit=1), {"b": die_with(1)}, restart=once, **NEEDED) as stage:
        await stage["b"].state.wait_value(S.READY)
        stage.is_stopping = True
        await stage["b"].state.wait_value(S.FAILED)
        await trio.sleep(5)

        assert stage.escalated == []
        assert stage.told(GroupRestarted) == []
