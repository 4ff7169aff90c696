"""A plugin is replaced by newer code in its running shard, and nobody who calls it notices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from rookery.protocol import PLUGIN_RELOAD
from rookery.supervisor import Supervisor
from rookery.supervisor.observers import RunnerRecovered, ShardMoved
from rookery.supervisor.shard_state import ShardState
from tests.whole.host import PATIENCE, Deployment

pytestmark = pytest.mark.slow

HEALTH = "[shard.health]\nbeat_timeout = 1.0\nack_timeout = 1.0\nhang_timeout = 20.0\n"


async def reload(supervisor: Supervisor, plugin_id: str) -> dict[str, Any]:
    link = supervisor.shards["one"].link
    assert link is not None
    return await link.call(PLUGIN_RELOAD, {"plugin_id": plugin_id}, plugin_id=plugin_id, timeout=PATIENCE)


async def test_new_components_are_known_though_the_runner_was_suspect(
    tmp_path: Path, state_dir: Path
) -> None:
    """A plugin that blocks in its on_unload is silent, and the next one registers while its runner is thought to hang."""
    deployment = Deployment(tmp_path, state_dir)
    deployment.shard_more = HEALTH
    deployment.plugin(
        "one",
        "it",
        """
@tool("old")
async def old(self):
    return 1

async def on_unload(self):
    import time
    time.sleep(3.5)
""",
    )
    async with deployment.run() as supervisor:
        code = next(tmp_path.rglob("plugin.py"))
        code.write_text(code.read_text().replace("old", "new").replace("time.sleep(3.5)", "pass"))

        answer = await reload(supervisor, "test.it")
        moved = await deployment.wait_told(ShardMoved, lambda record: record.new is ShardState.SUSPECT)
        await supervisor.shards["one"].state.wait_value(ShardState.READY)
        result = await supervisor.invoke("test.it", "new")

    assert answer["success"]
    assert moved.shard == "one"
    assert result == 1
    assert supervisor.parts.registry.component("test.it", "old") is None


async def test_a_plugin_is_known_to_the_host_all_the_time(tmp_path: Path, state_dir: Path) -> None:
    """Neither a slow on_unload nor a slow on_load is a gap in which events and calls find nobody."""
    deployment = Deployment(tmp_path, state_dir)
    deployment.plugin(
        "one",
        "it",
        """
@tool("work")
async def work(self):
    return "done"

async def on_unload(self):
    await trio.sleep(0.1)

async def on_load(self):
    await trio.sleep(0.1)
""",
    )
    results: list[object] = []
    async with deployment.run() as supervisor:
        is_over = trio.Event()

        async def call_all_the_time() -> None:
            async with trio.open_nursery() as calls:
                while not is_over.is_set():
                    calls.start_soon(call)
                    await trio.sleep(0.001)

        async def call() -> None:
            results.append(await supervisor.invoke("test.it", "work"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call_all_the_time)
            for _ in range(5):
                assert (await reload(supervisor, "test.it"))["success"]
            is_over.set()

    assert len(results) > 50
    assert set(results) == {"done"}
    assert deployment.told(RunnerRecovered) == []
