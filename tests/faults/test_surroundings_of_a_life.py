"""A, B, C, D, F: real runners that die with their last word said, are held, grow, print what no terminal should see, or whose
host stands still."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from rookery.supervisor import Supervisor
from rookery.supervisor.exit_report import ExitKind
from rookery.supervisor.fate import DispatchFailed, Fate
from rookery.supervisor.observers import LogWritten, RunnerDied, RunnerSuspect, ShardMoved
from rookery.supervisor.shard import Shard
from rookery.supervisor.shard_state import ShardState, is_path
from tests.whole.host import Deployment

pytestmark = pytest.mark.slow

ODD = r"""
@tool("greet")
async def greet(self):
    return "hello"

@tool("pid")
async def pid(self):
    import os
    return os.getpid()

@tool("last_words")
async def last_words(self):
    import os, threading, time
    threading.Thread(target=lambda: (time.sleep(0.05), os._exit(0)), daemon=True).start()
    return "said"

@tool("leave_with")
async def leave_with(self, code: int):
    import os
    os._exit(code)

@tool("sleep")
async def sleep(self):
    import time
    time.sleep(3600)

@tool("wait_for_a_lock")
async def wait_for_a_lock(self):
    import threading
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()

@tool("balloon")
async def balloon(self):
    kept = []
    while True:
        kept.append(b"x" * (8 << 20))
        await trio.sleep(0.01)

@tool("leak")
async def leak(self):
    kept = getattr(self, "kept", None)
    if kept is None:
        kept = self.kept = []
    kept.append(b"x" * (4 << 20))
    return len(kept)

@tool("scream")
async def scream(self):
    import os
    os.write(1, b"x" * 100_000 + b"\n")
    os.write(1, b"\x00\x1b[31mred\x1b[0m\xff\xfe\n")
    os.write(1, b"no newline at the end \r\x07")
"""

CHAIN = """
@hook("chat.command.before_execute")
async def chain(self, matched_groups, **kwargs):
    return HookOutcome(changes={"matched_groups": {**matched_groups, self.ctx.plugin_id: "seen"}})
"""

DYING = """
@hook("chat.command.before_execute")
async def chain(self, **kwargs):
    import os
    os._exit(9)
"""

UNREADY = """
@tool("greet")
async def greet(self):
    return "hello"

async def on_unload(self):
    import os
    os._exit(9)
"""

SHORT = "[shard.health]\nbeat_timeout = 1.5\nack_timeout = 1.5\nhang_timeout = 3.0\n"


@pytest.fixture
async def deployment(tmp_path: Path, state_dir: Path) -> AsyncIterator[Deployment]:
    """Two shards. The moves of each are a path of the table; the one next door lives with its first runner."""
    made = Deployment(tmp_path, state_dir)
    made.plugin("games", "odd", ODD)
    made.plugin("other", "bystander", ODD)
    yield made
    for name in {moved.shard for moved in made.told(ShardMoved)}:
        moves = [moved for moved in made.told(ShardMoved) if moved.shard == name]
        assert is_path([(moved.old, moved.new, moved.transition) for moved in moves]), name
    ends = [died.report for died in made.told(RunnerDied) if died.report.shard == "other"]
    assert [(end.planned, end.incarnation) for end in ends] == [(True, 1)]


async def call(supervisor: Supervisor, component: str, timeout: float = 20.0, **args: object) -> object:
    return await supervisor.invoke("test.odd", component, dict(args), timeout=timeout)


def unplanned(deployment: Deployment) -> list[RunnerDied]:
    return [died for died in deployment.told(RunnerDied) if not died.report.planned]


async def test_what_was_said_before_the_end_counts(deployment: Deployment) -> None:
    """A13: the answer is out, then the process is gone with a clean code; its caller has the answer, and the end is a death."""
    async with deployment.run() as supervisor:
        assert await call(supervisor, "last_words") == "said"
        died = await deployment.wait_told(RunnerDied)
        assert await call(supervisor, "greet") == "hello"

    assert (died.report.kind, died.report.code, died.report.planned) == (ExitKind.EXITED, 0, False)


async def test_a_death_in_the_middle_of_an_orderly_restart_counts_for_nothing(deployment: Deployment) -> None:
    """A14: it was to leave and left, if not in the best of ways; the next one is there at once."""
    deployment.plugin("leaving", "unready", UNREADY)
    async with deployment.run() as supervisor:
        supervisor.restart_shard("leaving")
        died = await deployment.wait_told(RunnerDied)
        assert await supervisor.invoke("test.unready", "greet", timeout=20.0) == "hello"
        (leaving,) = [shard for shard in supervisor.status().shards if shard.name == "leaving"]

    assert (died.report.planned, died.report.code) == (True, 9)
    assert (leaving.failures, leaving.counted) == (0, 0)


async def test_orders_are_heard_while_a_shard_waits(deployment: Deployment) -> None:
    """A16, A24: in its pause between two deaths a stop stops it at once and a start starts it at once."""
    deployment.shard_more = "[shard.restart]\nbackoff_base = 30.0\nbackoff_max = 60.0\n"
    async with deployment.run() as supervisor:
        shard = supervisor.shards["games"]
        await kill_and_wait(shard, ShardState.READY)  # the first death is followed at once

        await kill_and_wait(shard, ShardState.BACKOFF)
        with trio.fail_after(10):  # the pause is fifteen seconds at least
            supervisor.start_shard("games")
            await shard.state.wait_value(ShardState.READY)
        await kill_and_wait(shard, ShardState.READY)
        await kill_and_wait(shard, ShardState.BACKOFF)
        with trio.fail_after(10):
            supervisor.stop_shard("games")
            await shard.state.wait_value(ShardState.STOPPED)
        supervisor.start_shard("games")
        await shard.state.wait_value(ShardState.READY)

        assert await call(supervisor, "greet") == "hello"


async def kill_and_wait(shard: Shard, state: ShardState) -> None:
    incarnation, pid = shard.incarnation, shard.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    with trio.fail_after(10):
        while not (shard.state.value is state and (shard.incarnation > incarnation or shard.pid is None)):
            await shard.state.wait_transition()


@pytest.mark.parametrize("seed", range(3))
async def test_any_orders_and_kills_end_in_what_was_wanted_last(deployment: Deployment, seed: int) -> None:
    """A23: starts, stops, restarts and kills at random moments; then it is started, and works."""
    chance = random.Random(seed)
    deployment.shard_more = "[shard.restart]\nburst_limit = 100\nbackoff_base = 0.05\nbackoff_max = 0.1\n"
    async with deployment.run() as supervisor:
        shard = supervisor.shards["games"]
        for _ in range(30):
            order = chance.choice(("start", "stop", "restart", "kill"))
            if order == "kill":
                if shard.pid is not None:
                    os.kill(shard.pid, signal.SIGKILL)
            else:
                getattr(supervisor, f"{order}_shard")("games")
            await trio.sleep(chance.random() * 0.1)  # when an order comes is what varies
        supervisor.start_shard("games")
        with trio.fail_after(20):
            await shard.state.wait_value(ShardState.READY)
        assert await call(supervisor, "greet") == "hello"


@pytest.mark.parametrize(("code", "state"), [(75, ShardState.READY), (78, ShardState.FAILED)])
async def test_an_exit_code_is_heard(deployment: Deployment, code: int, state: ShardState) -> None:
    """B7: one that says that it would happen again gives the shard up at once, also when a plugin said it; others do not."""
    async with deployment.run() as supervisor:
        with pytest.raises(DispatchFailed) as failed:
            await call(supervisor, "leave_with", code=code)
        died = await deployment.wait_told(RunnerDied)
        with trio.fail_after(20):
            await supervisor.shards["games"].state.wait_value(state)

    assert failed.value.fate is Fate.RUNNER_LOST
    assert (died.report.kind, died.report.code) == (ExitKind.EXITED, code)


@pytest.mark.parametrize("how", ["sleep", "wait_for_a_lock"])
async def test_a_loop_that_sleeps_is_named_and_replaced(deployment: Deployment, how: str) -> None:
    """C5: in the kernel or before a lock, its loop is gone and its interpreter is not; the place is told."""
    deployment.shard_more = SHORT
    async with deployment.run() as supervisor:
        with pytest.raises(DispatchFailed) as failed:
            await call(supervisor, how)
        assert await call(supervisor, "greet") == "hello"

    (suspect,) = deployment.told(RunnerSuspect)
    assert suspect.place is not None
    assert (suspect.place.plugin_id, suspect.place.function) == ("test.odd", how)
    assert failed.value.fate is Fate.HUNG
    assert [died.report.kind for died in unplanned(deployment)] == [ExitKind.HANG]


def stand_still(seconds: float) -> None:
    """Nothing else runs in this process meanwhile."""
    time.sleep(seconds)


async def test_a_host_that_stands_still_kills_nobody(deployment: Deployment) -> None:
    """C13, G2: its loop does nothing for longer than any limit; the runners beat meanwhile, and nobody is suspect."""
    deployment.shard_more = SHORT
    async with deployment.run() as supervisor:
        for _ in range(2):
            stand_still(4.0)
            assert await call(supervisor, "greet") == "hello"
            await trio.sleep(1.5)  # the watch looks once a second

    assert deployment.told(RunnerSuspect) == []
    assert unplanned(deployment) == []


PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17


async def test_a_debugger_may_hold_a_runner(deployment: Deployment) -> None:
    """C15: it is suspect for as long as it is held, never killed, and goes on when it is let go."""
    deployment.shard_more = SHORT
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    async with deployment.run() as supervisor:
        pid = await call(supervisor, "pid")
        assert isinstance(pid, int)
        if libc.ptrace(PTRACE_SEIZE, pid, None, None) != 0:
            pytest.skip(f"this system lets nobody trace a child: {os.strerror(ctypes.get_errno())}")
        libc.ptrace(PTRACE_INTERRUPT, pid, None, None)
        await deployment.wait_told(RunnerSuspect)
        await trio.sleep(5.0)  # longer than any limit
        still = supervisor.shards["games"].pid
        libc.ptrace(PTRACE_DETACH, pid, None, None)
        assert await call(supervisor, "greet") == "hello"

    assert still == pid
    assert unplanned(deployment) == []


async def test_memory_without_end_is_ended(deployment: Deployment) -> None:
    """D2: seen within a look, killed, named; the next runner answers."""
    deployment.tables["games"] = '[shard.limits]\nrss_soft = "0"\nrss_hard = "200M"\n'
    async with deployment.run() as supervisor:
        with pytest.raises(DispatchFailed) as failed:
            await call(supervisor, "balloon")
        died = await deployment.wait_told(RunnerDied)
        assert await call(supervisor, "greet") == "hello"

    assert failed.value.fate is Fate.RUNNER_LOST
    assert died.report.kind is ExitKind.OUT_OF_MEMORY
    assert "rss_hard is 200 MiB" in died.report.describe()


async def test_a_slow_leak_costs_no_call(deployment: Deployment) -> None:
    """D3: at the soft limit the runner is replaced in order, under load, and every call is answered."""
    deployment.tables["games"] = '[shard.limits]\nrss_soft = "120M"\nrss_hard = "1G"\n'
    answers = []
    async with deployment.run() as supervisor:
        with trio.fail_after(20):
            while not deployment.told(RunnerDied):
                answers.append(await call(supervisor, "leak"))
                await trio.sleep(0.05)  # the watch looks once a second, and the leak is a slow one
        assert await call(supervisor, "greet") == "hello"

    assert [type(answer) for answer in answers] == [int] * len(answers)
    assert unplanned(deployment) == []


async def test_what_would_touch_a_terminal_does_not_come_through(deployment: Deployment) -> None:
    """D11: a line of 100,000 bytes, NULs, escapes and broken text: cut, escaped, under the plugin's name."""
    async with deployment.run() as supervisor:
        await call(supervisor, "scream")
        await deployment.wait_told(LogWritten, lambda line: "no newline at the end" in line.text)

    lines = [line.text for line in deployment.told(LogWritten) if line.plugin_id == "test.odd"]
    assert any("red" in line for line in lines)
    assert max(map(len, lines)) < 10_000
    assert all(character.isprintable() for line in lines for character in line)


async def test_a_chain_goes_on_behind_one_that_dies(deployment: Deployment) -> None:
    """F9: the second of three takes its runner along; the first ran once, the third sees what the first left."""
    deployment.plugin("games", "a_first", CHAIN)
    deployment.plugin("middle", "b_dying", DYING)
    deployment.plugin("games", "c_last", CHAIN)
    async with deployment.run() as supervisor:
        result = await supervisor.invoke_hook(
            "chat.command.before_execute", message={}, command_name="x", plugin_id="y", matched_groups={}
        )
        died = await deployment.wait_told(RunnerDied)

    assert result.kwargs["matched_groups"] == {"test.a_first": "seen", "test.c_last": "seen"}
    assert (len(result.skipped), len(result.errors), result.aborted) == (1, 1, False)
    assert died.report.shard == "middle"
