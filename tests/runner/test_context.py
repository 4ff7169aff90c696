"""What a plugin gets from its context is its own, and what it may not do is explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from rookery.protocol import AssignedPlugin, CannotEncode, ErrorCode, RemoteError, RookeryError
from rookery.runner import Context, Plugin, PluginFailed, tool
from tests.runner.makers import fake_host, running


class Starts(Plugin):
    started: trio.Event

    async def on_load(self) -> None:
        self.started = trio.Event()

    async def _work(self) -> None:
        self.started.set()

    async def _fail(self) -> None:
        raise ValueError("boom")

    @tool("from_loop")
    async def from_loop(self) -> None:
        self.ctx.start_task(self._work)

    @tool("from_thread")
    def from_thread(self) -> None:
        self.ctx.start_task(self._work, name="work")

    @tool("row_from_thread")
    def row_from_thread(self) -> dict[str, Any] | None:
        trio.from_thread.run(self.ctx.db.put, "t", "k", {"a": 1})
        return trio.from_thread.run(self.ctx.db.get, "t", "k")

    @tool("failing")
    async def failing(self) -> None:
        self.ctx.start_task(self._fail)


async def test_the_data_directory_is_made_on_first_use(tmp_path: Path) -> None:
    """A plugin that keeps no files leaves no directory."""
    wanted = tmp_path / "deep" / "data"
    async with fake_host() as host:
        ctx = Context("test.a", host, AssignedPlugin(plugin_id="test.a", data_dir=str(wanted)))

        before = wanted.exists()
        (ctx.data_dir / "note").write_text("x")

    assert not before
    assert wanted.is_dir()


@pytest.mark.parametrize("data_dir", ["", "/proc/nothing/here"], ids=["none", "impossible"])
async def test_a_directory_that_cannot_be_is_explained(data_dir: str) -> None:
    """Instead of writing somewhere else."""
    async with fake_host() as host:
        ctx = Context("test.a", host, AssignedPlugin(plugin_id="test.a", data_dir=data_dir))

        with pytest.raises(RookeryError, match=r"no directory to keep files in|cannot be made"):
            ctx.data_dir  # noqa: B018  # the property is what is tested


@pytest.mark.parametrize("name", ["from_loop", "from_thread"])
async def test_a_task_can_be_started_from_any_handler(name: str) -> None:
    """A plain handler lives in a thread; the task runs in the loop all the same."""
    async with running(Starts) as plugin:
        await plugin.tool(name)

        await plugin.instance.started.wait()


async def test_a_plain_handler_uses_services_from_its_thread() -> None:
    """By the one call of trio that is made for it."""
    async with running(Starts) as plugin:
        row = await plugin.tool("row_from_thread")

    assert row == {"a": 1}


async def test_the_failure_of_a_task_is_its_own(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged in the plugin's name; the plugin goes on. A test that ignores it fails."""

    async def ignore_it() -> None:
        async with running(Starts) as plugin:
            await plugin.tool("failing")
            await trio.testing.wait_all_tasks_blocked()
            await plugin.tool("from_loop")

    with pytest.raises(PluginFailed, match=r"ValueError: boom \(test_context\.py"):
        await ignore_it()

    assert "the task '_fail' failed: ValueError: boom" in caplog.text


async def test_a_capability_that_was_not_asked_for_is_denied_with_advice() -> None:
    """The note says which line of the manifest is missing."""
    async with fake_host(granted=("database.*",)) as host:
        ctx = Context("test.a", host, AssignedPlugin(plugin_id="test.a"))

        with pytest.raises(RemoteError) as caught:
            await ctx.send.text("hi", "s")

    assert caught.value.code is ErrorCode.E_CAPABILITY_DENIED
    assert caught.value.__notes__ == ['Does capabilities in plugin.toml name "send.text"?']


async def test_arguments_that_would_break_the_connection_never_reach_it() -> None:
    """Keys that are no text and endless nesting are the plugin's mistake, not the runner's end."""
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    async with fake_host() as host:
        ctx = Context("test.a", host, AssignedPlugin(plugin_id="test.a"))

        for row in ({1: 2}, {"a": deep}):
            with pytest.raises(CannotEncode):
                await ctx.db.put("t", "k", row)  # type: ignore[arg-type]  # the mistake


async def test_any_capability_can_be_called_by_its_name() -> None:
    """With the answer as the host gives it."""
    async with fake_host(capabilities={"host.sum": lambda a, b: {"sum": a + b}}) as host:
        ctx = Context("test.a", host, AssignedPlugin(plugin_id="test.a"))

        assert await ctx.call_capability("host.sum", a=1, b=2) == {"sum": 3}
