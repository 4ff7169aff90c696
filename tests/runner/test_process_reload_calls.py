"""A runner refuses no call because the plugin that it is for is being exchanged, and keeps their order."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from rookery.protocol import PLUGIN_INVOKE_TOOL, PLUGIN_RECALL, PLUGIN_RELOAD, AssignedPlugin, RemoteError
from tests.doubles.scripted_host import PLUGINS, ScriptedHost, assignment, open_runner

pytestmark = pytest.mark.slow

PLUGIN = "test.takes_turns"


async def turn(host: ScriptedHost, ended: list[str], name: str, seconds: float = 0.0, key: str = "") -> None:
    payload: dict[str, Any] = {"component_name": "turn", "args": {"name": name, "seconds": seconds}}
    try:
        await host.ask(PLUGIN_INVOKE_TOOL, PLUGIN, ordering_key=key, **payload)
        ended.append(name)
    except RemoteError as error:
        ended.append(f"{name}: {error.code.value} {error.details.get('kind', '')}".rstrip())


async def begin_reload(host: ScriptedHost, nursery: trio.Nursery, plugin_id: str) -> None:
    """Return when the old plugin takes no call any more, or is about to."""
    before = len(host.loading)
    nursery.start_soon(partial(host.ask, PLUGIN_RELOAD, plugin_id, plugin_id=plugin_id))
    await host.wait_until(lambda: (plugin_id, "import") in host.loading[before:])


async def test_calls_wait_for_the_new_code() -> None:
    """One handler that still runs holds the exchange up: what comes meanwhile runs afterwards, in its order."""
    names = [f"{number}" for number in range(6)]
    ended: list[str] = []
    async with open_runner(assignment("takes_turns")) as host:
        await host.wait_ready()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(turn, host, ended, "long", 0.4, "chat")
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(turn, host, ended, "behind it", 0.0, "chat")
            await trio.testing.wait_all_tasks_blocked()

            await begin_reload(host, nursery, PLUGIN)
            for name in names:
                nursery.start_soon(turn, host, ended, name, 0.0, "chat")
                await trio.testing.wait_all_tasks_blocked()  # sent in this order
            nursery.start_soon(turn, host, ended, "without a key")

        began = await host.run(PLUGIN, "began")

    assert sorted(ended) == sorted(["long", "behind it", *names, "without a key"])
    assert [name for name in began if name not in ("behind it", "without a key")] == names


async def test_calls_wait_for_the_old_code_when_the_new_does_not_start(tmp_path: Path) -> None:
    """They are answered by the instance that came back."""
    shutil.copytree(PLUGINS / "good", tmp_path / "good", ignore=shutil.ignore_patterns("__pycache__"))
    code = tmp_path / "good" / "plugin.py"
    good = AssignedPlugin(plugin_id="test.good", path=str(code.parent))
    greeted: list[str] = []
    async with open_runner(assignment(good)) as host:
        await host.wait_ready()
        code.write_text(
            code.read_text().replace('self.ctx.logger.info("loaded")', 'raise ValueError("new trouble")')
        )

        async def greet() -> None:
            greeted.append(await host.run("test.good", "greet"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(host.run, "test.good", "wait", seconds=0.3))
            await host.wait_log("waiting")
            await begin_reload(host, nursery, "test.good")
            for _ in range(5):
                nursery.start_soon(greet)

    assert greeted == ["hello nobody"] * 5


async def test_a_call_that_waits_can_be_recalled() -> None:
    """It has not begun, so the host may run it elsewhere, and need not wait for the exchange."""
    ended: list[str] = []
    features = ("assignment", "loading", "logs", "ordered", "recall")
    async with open_runner(assignment("takes_turns"), features=features) as host:
        await host.wait_ready()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(turn, host, ended, "long", 0.5)
            await trio.testing.wait_all_tasks_blocked()
            await begin_reload(host, nursery, PLUGIN)
            nursery.start_soon(turn, host, ended, "short")
            await trio.testing.wait_all_tasks_blocked()

            host.link.broadcast(PLUGIN_RECALL, {"request_ids": [host.link.session.last_id]})

    assert ended == ["short: E_SHUTTING_DOWN Recalled", "long"]


async def test_calls_of_a_plugin_that_is_unloaded_are_refused() -> None:
    """Nothing takes its place: there is nothing to wait for."""
    ended: list[str] = []
    async with open_runner(assignment("takes_turns")) as host:
        await host.wait_ready()
        await host.ask("plugin.unload_batch", plugin_ids=[PLUGIN])

        await turn(host, ended, "late")

    assert ended == ["late: E_PLUGIN_NOT_FOUND"]
