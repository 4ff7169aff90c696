"""An operator deals with a plugin in quarantine and with an event that ended its runners."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from rookery.supervisor.fate import DispatchFailed
from rookery.supervisor.observers import EventDeadLettered, PluginQuarantined
from rookery.supervisor.shard_state import ShardState
from tests.whole.deployment import Finished, rookery
from tests.whole.host import Deployment, message

pytestmark = pytest.mark.slow

DEADLY = """
@tool("die")
async def die(self) -> None:
    import os
    os.abort()
"""

POISONED = """
@event_handler("on_message")
async def see(self, message: Message) -> None:
    import os, pathlib
    if message.text == "poison" and not pathlib.Path({cure!r}).exists():
        os.abort()
"""

QUICK = """[shard.restart]
backoff_base = 0.05
backoff_max = 0.1
burst_limit = 100
[shard.quarantine]
quarantine_base = 500.0
quarantine_max = 500.0
"""


@pytest.fixture
def deployment(tmp_path: Path, state_dir: Path) -> Deployment:
    deployment = Deployment(tmp_path, state_dir)
    deployment.shard_more = QUICK
    return deployment


async def order(deployment: Deployment, *arguments: str) -> Finished:
    return await rookery(*arguments, "--state", deployment.state, state=deployment.directory)


async def test_a_plugin_in_quarantine_is_seen_and_released(deployment: Deployment) -> None:
    """The status says for how long and why; the order waits until its shard is up; a wrong name is advised."""
    deployment.plugin("games", "deadly", DEADLY)
    deployment.plugin("games", "good", "pass")
    async with deployment.run() as supervisor:
        for _ in range(6):
            with pytest.raises(DispatchFailed):
                await supervisor.invoke("test.deadly", "die", timeout=20)
        kept = await deployment.wait_told(PluginQuarantined)
        status = await order(deployment, "status")
        wrong = await order(deployment, "release", "test.deadl")
        done = await order(deployment, "release", "test.deadly")
        state = supervisor.shards[kept.shard].state.value

    assert "test.deadly is in quarantine for another 8 m" in status.out
    assert wrong.code == 1
    assert "did you mean 'test.deadly'?" in wrong.err
    assert (done.code, done.out.startswith(f"{kept.shard} is ready, #")) == (0, True), done
    assert state is ShardState.READY


async def test_an_event_that_ended_its_runners_is_listed_retried_and_dropped(
    deployment: Deployment, tmp_path: Path
) -> None:
    """A retry that fails leaves the letter; one that goes well removes it."""
    cure = tmp_path / "cured"
    for name in ("one", "two", "three"):
        deployment.plugin(name, name, POISONED.format(cure=str(cure)))
    async with deployment.run() as supervisor:
        await supervisor.dispatch_event("on_message", message("poison", number=7))
        await deployment.wait_told(EventDeadLettered)
        with trio.fail_after(10):
            while len(letters := await supervisor.dead_letters.read()) < 2:
                await trio.sleep(0.02)  # the store's thread
        first, second = str(letters[0].number), str(letters[1].number)
        listed = await order(deployment, "events", "dead")
        failed = await order(deployment, "events", "retry", first)
        cure.touch()
        with trio.fail_after(20):
            for shard in supervisor.shards.values():
                await shard.state.wait_value(ShardState.READY)
        cured = await order(deployment, "events", "retry", first)
        dropped = await order(deployment, "events", "drop", second)
        nothing = await order(deployment, "events", "drop", second)
        after = await order(deployment, "events", "dead")

    assert len(listed.lines) >= 2
    assert all("for event m7" in line for line in listed.lines[:2])
    assert failed.code == 1
    assert failed.err.count("\n") == 1
    assert (cured.code, cured.out.startswith(f"dead letter {first} went well")) == (0, True), cured
    assert (dropped.code, dropped.out.startswith(f"dropped: {second} ")) == (0, True)
    assert nothing.code == 1
    assert "there is no dead letter" in nothing.err
    assert not {first, second} & {line.split()[0] for line in after.lines}
