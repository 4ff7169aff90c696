"""What is done with a runner that shows no life, and with one that shows it again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio
import trio.testing
from trio.testing import MockClock

from rookery.protocol import page as layout
from rookery.supervisor.exit_report import ExitKind, Place
from rookery.supervisor.hang import HangClass
from rookery.supervisor.observers import RunnerRecovered, RunnerSuspect
from rookery.supervisor.shard_state import ShardState
from tests.doubles.scripted_calls import ask, silent
from tests.doubles.scripted_runner import Script, ScriptedRunner, work
from tests.doubles.shards import Watched, running

READY = ShardState.READY


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


async def test_a_pause_is_no_silence(autojump_clock: MockClock) -> None:
    """A runner that was stopped with the host's terminal is not killed at the first look after it, but by the usual limit."""
    async with ready(silent, work) as (watched, _):
        await look_for(watched, 0, 2)
        watched.shard.is_paused = True
        await look_for(watched, 2, 102)
        watched.shard.is_paused = False
        await look_for(watched, 102, 103)
        assert watched.shard.state.value is READY
        await look_for(watched, 103, 114)
        assert watched.shard.state.value is ShardState.SUSPECT
        await look_for(watched, 114, 118)

    assert watched.deaths[0].kind is ExitKind.HANG


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
