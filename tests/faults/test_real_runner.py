"""The runner that ships with rookery, in a shard: up, killed, crashed by a plugin, hung by a plugin, stopped."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from rookery.protocol import AssignedPlugin, Assignment, RegisterComponents, Request, structure
from rookery.supervisor.exit_report import ExitKind
from rookery.supervisor.observers import LogWritten, PluginNotLoaded, RunnerBack, RunnerDied
from rookery.supervisor.settings import ShardTimeouts
from rookery.supervisor.shard import Shard
from rookery.supervisor.shard_state import ShardState
from tests.doubles.shards import Watched

pytestmark = pytest.mark.slow

READY, STOPPED = ShardState.READY, ShardState.STOPPED

GOOD = """
from rookery.runner import Plugin, command

class Greeter(Plugin):
    @command("hello")
    async def hello(self):
        return "hello"
"""

DEAF = """
import signal, time

signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
time.sleep(3600)
"""


class Deployed:
    """A shard with real runners and plugins that are written for the test."""

    def __init__(self, directory: Path, programs: dict[str, str], **keywords: Any) -> None:
        self.directory = directory
        for name, program in programs.items():
            place = directory / name
            place.mkdir()
            (place / "plugin.toml").write_text(f'[plugin]\nid = "test.{name}"\nversion = "1.0.0"\n')
            (place / "plugin.py").write_text(program)
        ids = tuple(f"test.{name}" for name in programs)
        self.watched = Watched(plugins=ids, assign=self._assign, **keywords)
        self.watched.traffic.on_request = self._answer

    def _assign(self, shard: Shard, incarnation: int, blocked: dict[str, str]) -> Assignment:
        plugins = [
            AssignedPlugin(
                plugin_id=name,
                path=str(self.directory / name.partition(".")[2]),
                data_dir=str(self.directory / "data"),
            )
            for name in shard.plugins
        ]
        return Assignment(
            shard=shard.name,
            incarnation=incarnation,
            plugins=plugins,
            blocked=blocked,
            plugin_load_timeout=shard.settings.timeouts.plugin_load,
        )

    @staticmethod
    def _answer(shard: Shard, request: Request) -> None:
        if request.method.name == "plugin.register_components":
            count = len(structure(request.payload, RegisterComponents).components)
            request.answer({"accepted": True, "registered_components": count})
        else:
            request.answer({"accepted": True})


@asynccontextmanager
async def running(directory: Path, programs: dict[str, str], **keywords: Any) -> AsyncIterator[Watched]:
    watched = Deployed(directory, programs, **keywords).watched
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watched.shard.run)
            yield watched
            watched.shard.request_stop(force=True)


async def wait_ready(watched: Watched, incarnation: int = 1) -> None:
    while not (watched.shard.state.value is READY and watched.shard.incarnation >= incarnation):
        await watched.shard.state.wait_transition()


async def test_up_killed_back_and_stopped(tmp_path: Path) -> None:
    """The whole life, and an orderly end with code 0 and no signal."""
    async with running(tmp_path, {"good": GOOD}) as watched:
        await wait_ready(watched)
        assert watched.shard.loaded == ("test.good",)
        assert watched.shard.pid is not None
        os.kill(watched.shard.pid, signal.SIGKILL)
        await wait_ready(watched, 2)
        asked = trio.current_time()
        watched.shard.request_stop()
        await watched.shard.state.wait_value(STOPPED)
        took = trio.current_time() - asked

    assert watched.heard(RunnerBack)[1].after is not None
    last = watched.heard(RunnerDied)[-1].report
    assert (last.planned, last.code, last.signal) == (True, 0, None)
    assert took < 2


async def test_a_plugin_that_crashes_the_interpreter_is_left_out(tmp_path: Path) -> None:
    """It is named, its output has its name, and its neighbour works."""
    deadly = GOOD + "\nimport os\nos.write(2, b'goodbye from deadly\\n')\nos.abort()\n"
    async with running(tmp_path, {"deadly": deadly, "good": GOOD}) as watched:
        await wait_ready(watched)
        assert watched.shard.loaded == ("test.good",)
        assert "SIGABRT" in watched.shard.failed["test.deadly"]

    assert [report.loading for report in watched.deaths[:2]] == ["test.deadly"] * 2
    assert any(
        record.plugin_id == "test.deadly" and "goodbye from deadly" in record.text
        for record in watched.heard(LogWritten)
    )


async def test_a_plugin_that_hangs_in_its_import_is_left_out(tmp_path: Path) -> None:
    """The runner interrupts an import that takes too long; where it cannot, the host ends the runner."""
    timeouts = ShardTimeouts(plugin_load=0.2)
    async with running(tmp_path, {"hanging": DEAF, "good": GOOD}, timeouts=timeouts) as watched:
        await wait_ready(watched)
        assert watched.shard.loaded == ("test.good",)

    assert [(report.kind, report.loading) for report in watched.deaths[:2]] == [
        (ExitKind.LOAD_TIMEOUT, "test.hanging")
    ] * 2


async def test_a_plugin_that_does_not_import_is_reported(tmp_path: Path) -> None:
    """A mistake of an author ends no runner."""
    async with running(tmp_path, {"broken": "import nothing_of_that_name\n", "good": GOOD}) as watched:
        await wait_ready(watched)

    (record,) = watched.heard(PluginNotLoaded)
    assert (record.plugin_id, record.blocked) == ("test.broken", False)
    assert "nothing_of_that_name" in record.reason


async def test_a_stop_while_a_plugin_is_loading_is_quick(tmp_path: Path) -> None:
    """Also when the import never gives the interpreter back: the grace is the longest that it takes."""
    async with running(tmp_path, {"hanging": DEAF}, timeouts=ShardTimeouts(term_grace=0.5)) as watched:
        await watched.shard.state.wait_value(ShardState.LOADING)
        asked = trio.current_time()
        watched.shard.request_stop()
        await watched.shard.state.wait_value(STOPPED)

    assert trio.current_time() - asked < 3
