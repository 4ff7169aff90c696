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

from rookery.protocol import (
    PLUGIN_INVOKE_TOOL,
    AssignedPlugin,
    Assignment,
    RegisterComponents,
    Request,
    structure,
)
from rookery.supervisor.exit_report import ExitKind
from rookery.supervisor.hang import HangClass
from rookery.supervisor.observers import LogWritten, PluginNotLoaded, RunnerBack, RunnerDied, RunnerSuspect
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


WORKER = """
import os
import signal
import time

import trio

from rookery.runner import Plugin, tool

class Worker(Plugin):
    @tool(description="ends the process while others wait behind it")
    async def die(self):
        os.kill(os.getpid(), signal.SIGKILL)

    @tool(description="does not give the loop back")
    async def spin(self):
        while True:
            pass

    @tool(description="gives it back now and then")
    async def pause(self):
        time.sleep(0.2)
        return "done"
"""


def call(watched: Watched, told: dict[str, Any], names: list[str]) -> None:
    """Ask for tools of the worker, in one lane and so one after the other."""
    link = watched.shard.link
    assert link is not None
    for number, name in enumerate(names):
        link.send(
            PLUGIN_INVOKE_TOOL,
            {"component_name": name, "args": {}, "ordering_key": "one"},
            plugin_id="test.worker",
            deadline=trio.current_time() + 60,
            on_done=lambda outcome, key=f"{number} {name}": told.update({key: outcome}),  # type: ignore[misc]
        )


async def test_what_waits_behind_a_crash_had_not_begun(tmp_path: Path) -> None:
    """A7, A8, A10: the runner has read all three calls and began one; SIGKILL leaves it no time to say so."""
    told: dict[str, Any] = {}

    async with running(tmp_path, {"worker": WORKER}) as watched:
        await wait_ready(watched)
        call(watched, told, ["die", "pause", "pause"])
        await watched.wait_deaths(1)
        report = watched.deaths[0]

    assert {key: error.maybe_executed for key, error in told.items()} == {
        "0 die": True,
        "1 pause": False,
        "2 pause": False,
    }
    assert list(told) == ["2 pause", "1 pause", "0 die"]
    assert (report.in_flight, report.put_back, report.knows_started) == (1, 2, True)
    assert report.crumb_plugin == "test.worker"
    assert report.max_rss


async def test_a_blocked_loop_is_named_while_it_blocks(tmp_path: Path) -> None:
    """C3: plugin, file and line are told when it becomes suspect; when it is killed they are in the line of its death."""
    told: dict[str, Any] = {}

    async with running(tmp_path, {"worker": WORKER}) as watched:
        await wait_ready(watched)
        call(watched, told, ["spin", "pause"])
        await trio.sleep(0.3)  # it is no synchronisation: the loop has to be gone before it is looked at
        watched.shard.look(0.0)
        watched.shard.look(4.0)
        with trio.fail_after(5):
            while not watched.heard(RunnerSuspect):
                await trio.sleep(0.01)
        watched.shard.look(20.0)
        await watched.wait_deaths(1)
        report = watched.deaths[0]

    (suspect,) = watched.heard(RunnerSuspect)
    assert suspect.place is not None
    assert (suspect.place.plugin_id, suspect.place.function) == ("test.worker", "spin")
    assert report.kind is ExitKind.HANG
    assert report.hang in (
        HangClass.BUSY,
        HangClass.LOCKED,
    )  # its thread beats once a second, and nobody waited
    assert "because it hung (" in report.describe()
    assert ") in test.worker" in report.describe()
    assert "in spin)" in report.describe()
    assert [(error.maybe_executed, error.hung) for error in told.values()] == [(False, False), (True, True)]


async def test_a_short_silence_costs_nothing(tmp_path: Path) -> None:
    """C2, C16: suspect and back, with every call answered."""
    told: dict[str, Any] = {}

    async with running(tmp_path, {"worker": WORKER}) as watched:
        await wait_ready(watched)
        assert watched.shard.pid is not None
        os.kill(watched.shard.pid, signal.SIGSTOP)
        call(watched, told, ["pause"])
        watched.shard.look(0.0)
        watched.shard.look(4.0)
        await watched.shard.state.wait_value(ShardState.SUSPECT)
        os.kill(watched.shard.pid, signal.SIGCONT)
        second = 5.0
        while watched.shard.state.value is ShardState.SUSPECT:
            await trio.sleep(0.1)  # the runner beats once a second
            second += 0.1
            watched.shard.look(second)
        with trio.fail_after(5):
            while not told:
                await trio.sleep(0.01)
        assert [report.describe() for report in watched.deaths] == []
        assert watched.shard.state.value is READY

    assert told["0 pause"]["success"] is True
    assert [report.planned for report in watched.deaths] == [True]


THREAD = """
import os
import threading

import trio

from rookery.runner import Plugin, tool

class Threaded(Plugin):
    @tool(description="waits, while a thread ends the process")
    async def wait(self):
        threading.Thread(target=self.crash).start()
        await trio.sleep(60)

    def crash(self):
        os.abort()
"""


async def test_a_crash_in_a_thread_is_not_the_loops(tmp_path: Path) -> None:
    """4.8: the crumb tells what the loop did, and that is innocent; the stacks tell whose thread it was."""
    told: dict[str, Any] = {}

    async with running(tmp_path, {"threaded": THREAD}) as watched:
        await wait_ready(watched)
        assert watched.shard.link is not None
        watched.shard.link.send(
            PLUGIN_INVOKE_TOOL,
            {"component_name": "wait", "args": {}},
            plugin_id="test.threaded",
            deadline=trio.current_time() + 60,
            on_done=lambda outcome: told.update(wait=outcome),
        )
        await watched.wait_deaths(1)
        report = watched.deaths[0]

    assert not report.is_loop_thread
    assert report.place is not None
    assert (report.place.plugin_id, report.place.function) == ("test.threaded", "crash")
    assert "was killed by SIGABRT in a thread of test.threaded (plugin.py line" in report.describe()
