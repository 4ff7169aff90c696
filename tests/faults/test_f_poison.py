"""F: whose fault a death was, with real runners: plugins that crash, events that crash everybody, and nobody at all."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio

from rookery.supervisor import Supervisor
from rookery.supervisor.fate import DispatchFailed, Fate
from rookery.supervisor.observers import (
    EnvironmentIncident,
    EventDeadLettered,
    PluginIsolated,
    PluginQuarantined,
    PluginReleased,
    RunnerDied,
    ShardMoved,
)
from rookery.supervisor.shard_state import ShardState, is_path
from tests.whole.host import Deployment, message

pytestmark = pytest.mark.slow

GOOD = """
@tool("greet")
async def greet(self):
    return "hello"
"""

DEADLY = """
@tool("die")
async def die(self):
    import os
    os.abort()

@tool("greet")
async def greet(self):
    return "hello"
"""

POISONED = """
@event_handler("on_message")
async def see(self, message: Message):
    if message.text == "poison":
        import os
        os.abort()
"""

QUICK = """
[shard.restart]
backoff_base = 0.05
backoff_max = 0.1
backoff_reset = 0.2
burst_limit = 100
[shard.quarantine]
quarantine_base = 0.5
quarantine_max = 2.0
"""


@pytest.fixture
async def deployment(tmp_path: Path) -> AsyncIterator[Deployment]:
    """A deployment whose moves are checked against the table of states in the end."""
    made = Deployment(tmp_path, tmp_path / "state")
    made.shard_more = QUICK
    yield made
    for name in {moved.shard for moved in made.told(ShardMoved)}:
        moves = [moved for moved in made.told(ShardMoved) if moved.shard == name]
        assert is_path([(moved.old, moved.new, moved.transition) for moved in moves]), name


async def call(supervisor: Supervisor, plugin_id: str, name: str, **args: Any) -> Any:
    return await supervisor.invoke(plugin_id, name, args, timeout=20)


async def die(supervisor: Supervisor, plugin_id: str) -> DispatchFailed:
    with pytest.raises(DispatchFailed) as failed:
        await call(supervisor, plugin_id, "die")
    return failed.value


async def test_a_plugin_that_crashes_on_each_call_is_isolated_and_then_kept_out(
    deployment: Deployment,
) -> None:
    """F1, T25: after three it has a shard of its own, after three more it is in quarantine; its neighbour has its runner
    replaced three times and never again, and a released plugin works."""
    deployment.plugin("games", "deadly", DEADLY)
    deployment.plugin("games", "good", GOOD)
    deployment.plugin("other", "bystander", GOOD)
    async with deployment.run() as supervisor:
        for _ in range(3):
            failure = await die(supervisor, "test.deadly")
            assert (failure.fate, failure.maybe_executed) == (Fate.RUNNER_LOST, True)
        isolated = await deployment.wait_told(PluginIsolated)
        assert await call(supervisor, "test.good", "greet") == "hello"
        games = supervisor.shards["games"]
        assert games.plugins == ("test.good",)
        assert games.incarnation == 4
        for _ in range(3):
            await die(supervisor, "test.deadly")
        kept = await deployment.wait_told(PluginQuarantined)
        with pytest.raises(DispatchFailed) as refused:
            await call(supervisor, "test.deadly", "greet")
        assert refused.value.fate is Fate.QUARANTINED
        supervisor.release("test.deadly")
        assert await call(supervisor, "test.deadly", "greet") == "hello"
        assert games.incarnation == 4
        assert supervisor.shards["other"].incarnation == 1

    assert (isolated.plugin_id, isolated.shard) == ("test.deadly", "games")
    assert (kept.plugin_id, kept.shard, kept.seconds) == ("test.deadly", isolated.to_shard, 0.5)
    deaths = [record for record in deployment.told(RunnerDied) if not record.report.planned]
    assert [record.culprit for record in deaths] == ["test.deadly"] * 6
    assert all("test.deadly.die" in record.report.describe() for record in deaths)


async def test_another_version_of_a_plugin_begins_anew(deployment: Deployment) -> None:
    """F8: what the old code was charged with is not the new code's: two deaths and two more isolate nobody."""
    deployment.plugin("games", "deadly", DEADLY)
    deployment.plugin("games", "good", GOOD)
    async with deployment.run() as supervisor:
        for number in (1, 2):
            await die(supervisor, "test.deadly")
            await deployment.wait_told(RunnerDied, lambda died: died.report.incarnation == number)  # noqa: B023
        (program,) = deployment.directory.rglob("*deadly*/plugin.py")
        program.write_text(program.read_text() + "\n# another version\n")
        for _ in range(2):
            await die(supervisor, "test.deadly")
        assert await call(supervisor, "test.deadly", "greet") == "hello"
        assert supervisor.shards["games"].incarnation == 5

    assert deployment.told(PluginIsolated) == []


async def test_a_plugin_that_is_still_bad_after_its_quarantine_is_kept_out_for_longer(
    deployment: Deployment,
) -> None:
    """F7: one death is enough, and the time doubles."""
    deployment.plugin("games", "deadly", DEADLY)
    deployment.plugin("games", "good", GOOD)
    async with deployment.run() as supervisor:
        for _ in range(6):
            await die(supervisor, "test.deadly")
        await deployment.wait_told(PluginReleased)
        await die(supervisor, "test.deadly")
        await deployment.wait_told(PluginQuarantined, lambda record: record.seconds == 1.0)

    assert [record.seconds for record in deployment.told(PluginQuarantined)][:2] == [0.5, 1.0]


async def test_an_event_that_crashes_everybody_is_the_one_to_blame(deployment: Deployment) -> None:
    """F2: dead-lettered after two deaths of different plugins, nobody isolated; later events are seen; it can be retried."""
    for name in ("one", "two", "three"):
        deployment.plugin(name, name, POISONED)
    async with deployment.run() as supervisor:
        await supervisor.dispatch_event("on_message", message("poison", number=7))
        found = await deployment.wait_told(EventDeadLettered)
        await supervisor.dispatch_event("on_message", message("fine", number=8))
        with trio.fail_after(10):
            while not (letters := await supervisor.dead_letters.read()):
                await trio.sleep(0.02)
        with pytest.raises(DispatchFailed):
            await supervisor.dead_letters.retry(letters[0].number)
        assert await supervisor.dead_letters.drop(letters[0].number) == letters[0]
        incarnations = sorted(shard.incarnation for shard in supervisor.shards.values())

    assert found.event_id == "m7"
    assert len(found.plugins) == 2
    assert letters[0].event_id == "m7"
    assert deployment.told(PluginIsolated) == []
    assert incarnations[0] >= 1


async def test_one_bad_import_among_thirty_costs_two_restarts(deployment: Deployment) -> None:
    """F3, A4: the shard is up without it, and it waits in a shard of its own."""
    deployment.module("games", "deadly", "import os\nos.abort()\n")
    for number in range(29):
        deployment.plugin("games", f"good{number}", GOOD)
    async with deployment.run() as supervisor:
        games = supervisor.shards["games"]
        await games.state.wait_value(ShardState.READY)
        assert games.incarnation == 3
        assert len(games.loaded) == 29
        isolated = await deployment.wait_told(PluginIsolated)
        own = supervisor.shards[isolated.to_shard]
        await deployment.wait_told(PluginQuarantined, lambda record: record.seconds == 1.0)
        assert games.incarnation == 3
        assert own.plugins == ("test.deadly",)


async def test_most_plugins_of_a_shard_are_never_taken_out_of_it(deployment: Deployment) -> None:
    """F5: what makes all of them crash is none of them: at most half are isolated."""
    for number in range(4):
        deployment.plugin("games", f"p{number}", DEADLY)
    async with deployment.run() as supervisor:
        for number in range(4):
            for _ in range(3):
                await die(supervisor, f"test.p{number}")
        await supervisor.shards["games"].state.wait_value(ShardState.READY)

    assert len(deployment.told(PluginIsolated)) == 2
    assert deployment.told(PluginQuarantined) == []


async def test_most_shards_dying_at_once_is_nobodys_fault(deployment: Deployment) -> None:
    """A22: one incident, one short wait for all, nothing on anybody's record."""
    for number in range(4):
        deployment.plugin(f"s{number}", f"p{number}", GOOD)
    async with deployment.run() as supervisor:
        for shard in supervisor.shards.values():
            assert shard.pid is not None
            os.kill(shard.pid, signal.SIGKILL)
        await deployment.wait_told(EnvironmentIncident)
        for shard in supervisor.shards.values():
            await shard.state.wait_value(lambda state: state is not ShardState.READY)
        await supervisor.wait_ready()
        for number in range(4):
            assert await call(supervisor, f"test.p{number}", "greet") == "hello"
        assert all(len(shard.history.deaths) <= 1 for shard in supervisor.shards.values())

    assert deployment.told(PluginIsolated) == []


async def test_a_kill_from_outside_is_charged_to_nobody(deployment: Deployment) -> None:
    """A10: the only call that had begun was waiting; its plugin did nothing."""
    deployment.plugin(
        "games",
        "slow",
        '@tool("wait")\nasync def wait(self):\n    self.ctx.logger.info("waiting")\n    await trio.sleep(60)\n',
    )
    deployment.plugin("games", "good", GOOD)
    async with deployment.run() as supervisor, trio.open_nursery() as nursery:

        async def wait() -> None:
            with pytest.raises(DispatchFailed):
                await call(supervisor, "test.slow", "wait")

        games = supervisor.shards["games"]
        for incarnation in range(1, 6):
            while games.incarnation < incarnation or games.state.value is not ShardState.READY:
                await games.state.wait_transition()
            nursery.start_soon(wait)
            await call(supervisor, "test.good", "greet")
            assert games.pid is not None
            os.kill(games.pid, signal.SIGKILL)
            await games.state.wait_value(lambda state: state is not ShardState.READY)

    assert deployment.told(PluginIsolated) == []
    assert {record.culprit for record in deployment.told(RunnerDied)} == {""}


async def test_waiting_calls_follow_a_plugin_into_its_own_shard(deployment: Deployment) -> None:
    """F14: what waits for it is neither lost nor run where it was."""
    deployment.plugin("games", "deadly", DEADLY)
    deployment.plugin("games", "good", GOOD)
    async with deployment.run() as supervisor, trio.open_nursery() as nursery:
        answers: list[Any] = []

        async def greet() -> None:
            answers.append(await call(supervisor, "test.deadly", "greet"))

        for _ in range(3):
            await die(supervisor, "test.deadly")
        for _ in range(5):
            nursery.start_soon(greet)
        with trio.fail_after(20):
            while len(answers) < 5:
                await trio.sleep(0.02)

    assert answers == ["hello"] * 5
