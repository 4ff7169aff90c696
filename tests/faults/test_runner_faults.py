"""What real runner processes can do to their host: die anywhere, say nothing, say nonsense, refuse to go.

Each fault is done by the first runner; the second one is good, so that each test also sees the shard come back.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from rookery.protocol import PLUGIN_INVOKE_TOOL, ConnectionLost
from rookery.supervisor.exit_report import ExitKind, ExitReport
from rookery.supervisor.observers import LogWritten, PluginNotLoaded, RunnerBack, RunnerDied
from rookery.supervisor.settings import ShardTimeouts
from rookery.supervisor.shard_state import ShardState
from tests.doubles.shards import Watched

pytestmark = pytest.mark.slow

STANDIN = str(Path(__file__).parents[1] / "doubles" / "standin_runner.py")
READY, STOPPED = ShardState.READY, ShardState.STOPPED
QUICK = ShardTimeouts(hello=3.0, load=2.0, plugin_load=0.1, drain=0.6, term_grace=0.3, kill_wait=2.0)


@asynccontextmanager
async def running(*behaviours: str, **keywords: Any) -> AsyncIterator[Watched]:
    """A shard with stand-in runners; stopped by force in the end."""
    command = keywords.pop("command", (sys.executable, STANDIN, *behaviours))
    watched = Watched(runner_command=command, **{"timeouts": QUICK, **keywords})
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watched.shard.run)
            yield watched
            watched.shard.request_stop(force=True)


async def first_death(watched: Watched) -> ExitReport:
    await watched.wait_deaths(1)
    return watched.deaths[0]


async def wait_ready(watched: Watched, incarnation: int = 1) -> None:
    while not (watched.shard.state.value is READY and watched.shard.incarnation >= incarnation):
        await watched.shard.state.wait_transition()


def lines(watched: Watched) -> list[tuple[str, str]]:
    return [(record.plugin_id, record.text) for record in watched.heard(LogWritten)]


# --- killed ---------------------------------------------------------------------------------------------------


async def test_killed_while_idle() -> None:
    """A6: seen within milliseconds, back within a second or so, and one record says both."""
    async with running("good") as watched:
        await wait_ready(watched)
        assert watched.shard.pid is not None
        killed_at = trio.current_time()
        os.kill(watched.shard.pid, signal.SIGKILL)
        await wait_ready(watched, 2)

    died, back = watched.heard(RunnerDied)[0], watched.heard(RunnerBack)[1]
    assert (died.report.kind, died.report.signal, died.next) == (ExitKind.SIGNAL, 9, "back at once")
    assert died.report.ended_at - killed_at < 0.25
    assert died.report.describe().endswith("was killed by SIGKILL (not sent by the host; out of memory?)")
    assert back.after is not None


async def test_killed_before_its_hello() -> None:
    """A2: no plugin is blamed."""
    async with running("be_silent") as watched:
        await watched.shard.state.wait_value(ShardState.HELLO)
        assert watched.shard.pid is not None
        os.kill(watched.shard.pid, signal.SIGKILL)
        report = await first_death(watched)

    assert (report.state, report.kind, report.loading) == (ShardState.HELLO, ExitKind.SIGNAL, "")


async def test_killed_while_loading() -> None:
    """A4, F3: the plugin is named, its last words carry its name, and the third runner works without it."""
    async with running("hello", "die_loading_one", "load", "work") as watched:
        await wait_ready(watched)
        assert watched.shard.loaded == ("test.two",)

    assert [report.loading for report in watched.deaths[:2]] == ["test.one", "test.one"]
    assert "SIGSEGV while it loaded test.one" in watched.deaths[0].describe()
    assert watched.deaths[0].stderr_tail == "test.one is about to crash\n"
    assert ("test.one", "test.one is about to crash") in lines(watched)
    (record,) = watched.heard(PluginNotLoaded)
    assert (record.plugin_id, record.blocked) == ("test.one", True)


async def test_hanging_while_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    """T7: the same for a plugin whose import never ends."""
    monkeypatch.setattr("rookery.supervisor.arrival.LOAD_GRACE", 0.1)
    async with running("hello", "hang_loading_one", "load", "work") as watched:
        await wait_ready(watched)

    assert [report.kind for report in watched.deaths[:2]] == [ExitKind.LOAD_TIMEOUT] * 2
    assert watched.shard.incarnation == 3


async def test_killed_in_the_middle_of_a_request() -> None:
    """A10: whoever waits is told at once, and the report counts it."""
    async with running("good_after_the_first", "load", "die_when_asked") as watched:
        await wait_ready(watched)
        assert watched.shard.link is not None
        asked = trio.current_time()
        with pytest.raises(ConnectionLost):
            await watched.shard.link.call(PLUGIN_INVOKE_TOOL, plugin_id="test.one")
        took = trio.current_time() - asked
        await watched.wait_deaths(1)

    assert took < 0.5
    assert watched.deaths[0].in_flight == 1


async def test_half_an_answer_is_none() -> None:
    """A12, B3: an answer that was cut off is not an answer, and a clean exit code does not make it one."""
    async with running("good_after_the_first", "load", "half_an_answer") as watched:
        await wait_ready(watched)
        assert watched.shard.link is not None
        with pytest.raises(ConnectionLost):
            await watched.shard.link.call(PLUGIN_INVOKE_TOOL, plugin_id="test.one")
        await wait_ready(watched, 2)

    assert (watched.deaths[0].kind, watched.deaths[0].code) == (ExitKind.EXITED, 0)
    assert not watched.deaths[0].planned


# --- odd ends -------------------------------------------------------------------------------------------------


async def test_exiting_by_itself() -> None:
    """B: the code is reported, and the last words are."""
    async with running("good_after_the_first", "load", "exit_by_itself") as watched:
        report = await first_death(watched)

    assert (report.kind, report.code, report.stderr_tail) == (ExitKind.EXITED, 3, "that was all\n")
    assert ("", "that was all") in lines(watched)


async def test_never_saying_hello() -> None:
    """T7: killed in time; what it wrote before is not lost."""
    async with running("be_silent", timeouts=ShardTimeouts(hello=1.0)) as watched:
        report = await first_death(watched)

    assert report.kind is ExitKind.HELLO_TIMEOUT
    assert report.stderr_tail == "stuck before the hello\n"


async def test_a_bad_hello() -> None:
    """T6: refused with a reason, killed, and after the second time given up."""
    async with running("bad_hello") as watched:
        await watched.shard.state.wait_value(ShardState.FAILED)

    assert [report.kind for report in watched.deaths] == [ExitKind.REFUSED] * 2
    assert "sdk_version" in watched.deaths[0].reason


@pytest.mark.parametrize(
    "before", [["good_after_the_first", "load"], []], ids=["when ready", "instead of a hello"]
)
async def test_garbage(before: list[str]) -> None:
    """E3: refused before anything is allocated for it."""
    async with running(*before, "send_garbage") as watched:
        report = await first_death(watched)

    assert report.kind is ExitKind.PROTOCOL
    assert report.signal == 9


async def test_a_runner_that_stops_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """E19: what waits for it is bounded; above that it is killed."""
    monkeypatch.setattr("rookery.protocol.link.WRITE_BUFFER_BYTES", 1024 * 1024)
    failed = []
    async with running("good_after_the_first", "load", "stop_reading") as watched:
        await wait_ready(watched)
        assert watched.shard.link is not None
        link, sent = watched.shard.link, 0
        while not link.is_closed and sent < 100:
            link.send(
                PLUGIN_INVOKE_TOOL,
                {"x": "x" * 65536},
                plugin_id="test.one",
                deadline=trio.current_time() + 60,
                on_done=failed.append,
            )
            sent += 1
            await trio.lowlevel.checkpoint()
        report = await first_death(watched)

    assert report.kind is ExitKind.STUCK
    assert report.in_flight == len(failed) == sent


async def test_a_closed_socket_and_a_life_after_it() -> None:
    """E23: an end of file is no death; the process is made to go."""
    async with running("good_after_the_first", "load", "close_its_socket") as watched:
        report = await first_death(watched)

    assert (report.kind, report.signal) == (ExitKind.STUCK, 9)


async def test_a_grandchild_that_keeps_the_socket() -> None:
    """E24: the death is seen although nobody ever sees an end of file, and the group is swept."""
    async with running("good_after_the_first", "load", "leave_a_grandchild", "work") as watched:
        await wait_ready(watched)
        assert watched.shard.pid is not None
        os.kill(watched.shard.pid, signal.SIGKILL)
        report = await first_death(watched)
        await wait_ready(watched, 2)

    assert report.signal == 9


async def test_an_interpreter_that_is_not_there() -> None:
    """T4: given up at once, with the path, and no descriptor is left."""
    async with running(command=("/nowhere/python",)) as watched:
        await watched.shard.state.wait_value(ShardState.FAILED)

    (report,) = watched.deaths
    assert (report.kind, report.pid) == (ExitKind.SPAWN_FAILED, None)
    assert "/nowhere/python" in report.describe()


# --- refusing to go -------------------------------------------------------------------------------------------


async def test_an_orderly_stop() -> None:
    """It acknowledges, exits with 0, and no signal was needed."""
    async with running("good") as watched:
        await wait_ready(watched)
        watched.shard.request_stop()
        await watched.shard.state.wait_value(STOPPED)

    (report,) = watched.deaths
    assert (report.planned, report.kind, report.code) == (True, ExitKind.STOPPED, 0)


async def test_ignoring_requests_and_sigterm() -> None:
    """B14: the ladder ends with SIGKILL, within its budget."""
    async with running("hello", "load", "ignore_sigterm", "be_deaf") as watched:
        await wait_ready(watched)
        asked = trio.current_time()
        watched.shard.request_stop()
        await watched.shard.state.wait_value(STOPPED)
        took = trio.current_time() - asked

    assert watched.deaths[0].signal == 9
    assert took < QUICK.drain + QUICK.term_grace + QUICK.kill_wait
    assert watched.states.endswith("draining stopping killing reaping stopped")


async def test_a_stopped_process_leaves() -> None:
    """C1: SIGSTOP does not keep a runner from being stopped."""
    async with running("hello", "load", "stop_itself", "work") as watched:
        await wait_ready(watched)
        watched.shard.request_stop()
        await watched.shard.state.wait_value(STOPPED)

    assert watched.deaths[0].planned


async def test_a_cancelled_host_leaves_nothing() -> None:
    """The fixture that looks for processes and descriptors is the assertion; the runner would live on by itself."""
    watched = Watched(
        runner_command=(sys.executable, STANDIN, "hello", "load", "ignore_sigterm", "stop_reading")
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watched.shard.run)
        await wait_ready(watched)
        nursery.cancel_scope.cancel()

    assert watched.shard.state.value is STOPPED
    assert watched.deaths[0].signal == 9


# --- output and the terminal ----------------------------------------------------------------------------------


async def test_a_runner_of_another_make_can_print_without_end(caplog: pytest.LogCaptureFixture) -> None:
    """D10: one that does not read its own output is read by the host, or its pipe would fill and stop it.

    What is too much at once is counted, so that every line is accounted for.
    """
    with caplog.at_level(logging.INFO, "rookery"):
        async with running("foreign_hello", "print_much", "load", "work") as watched:
            await wait_ready(watched)

    texts = [text for _, text in lines(watched)]
    printed = [text for text in texts if "talkative" in text]
    dropped = [
        int(found[1]) for text in texts if (found := re.match(r"(\d+) lines? of shard .* dropped", text))
    ]
    assert printed[0] == "line 0 of a very talkative runner"
    assert len(printed) + sum(dropped) == 20_000
    assert caplog.records[0].name == "rookery.shard.games"


async def test_the_terminal_is_handed_over_by_number() -> None:
    """The runner gets copies of the terminal's descriptors, and is told their numbers; the host keeps its own only."""
    read_end, write_end = os.pipe()
    program = (
        "import runpy, sys, os\n"
        f"sys.path.insert(0, {str(Path(STANDIN).parent)!r})\n"
        "import standin_runner as s\n"
        "r = s.Standin(int(sys.argv[sys.argv.index('--link-fd') + 1]))\n"
        "a = r.ask('runner.hello', {'runner_id': 'x', 'sdk_version': '2', 'session_token': ''})\n"
        "os.write(a['assignment']['terminal']['stdout'], b'hello terminal')\n"
        "r.assigned = []\n"
        "s.load(r)\ns.work(r)\n"
    )
    try:
        async with running(
            command=(sys.executable, "-c", program), terminal={"stdout": write_end}
        ) as watched:
            await wait_ready(watched)
            assert os.read(read_end, 100) == b"hello terminal"
    finally:
        os.close(read_end)
        os.close(write_end)


async def test_secrets_of_the_host_stay_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child gets the environment without what was meant for the host, or for another runner."""
    monkeypatch.setenv("ROOKERY_TOKEN", "secret")
    monkeypatch.setenv("MAIBOT_SESSION_TOKEN", "secret")
    program = "import os, sys; sys.stderr.write(repr(sorted(n for n in os.environ if 'TOKEN' in n or n == 'TMPDIR')))"

    async with running(command=(sys.executable, "-S", "-c", program)) as watched:
        report = await first_death(watched)

    assert report.stderr_tail == "['TMPDIR']"
