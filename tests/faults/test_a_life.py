"""A, B, C, D: real runners that are killed at each step of their life, or whose plugins do odd things. Nobody next door notices."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from rookery.supervisor import Supervisor
from rookery.supervisor.exit_report import ExitKind
from rookery.supervisor.fate import DispatchFailed, Fate
from rookery.supervisor.observers import RunnerDied, ShardMoved
from rookery.supervisor.shard_state import ShardState
from tests.whole.host import Deployment

pytestmark = pytest.mark.slow

ODD = """
@tool("greet")
async def greet(self):
    return "hello"

@tool("die_at_once")
async def die_at_once(self):
    import os
    os.kill(os.getpid(), 9)

@tool("die_when_done")
async def die_when_done(self, path: str):
    import os
    try:
        open(path, "w").close()
        return "done"
    finally:
        os.kill(os.getpid(), 9)

@tool("become_another")
async def become_another(self):
    import os
    os.execv("/bin/sleep", ["sleep", "3600"])

@tool("leave_a_thread")
async def leave_a_thread(self):
    import threading, time
    threading.Thread(target=time.sleep, args=(3600,)).start()

@tool("walk_away")
async def walk_away(self):
    import os
    os.chdir("/")

@tool("close_its_outputs")
async def close_its_outputs(self):
    import os
    os.close(1)
    os.close(2)

@tool("match")
async def match(self):
    import re
    re.match("(a+)+$", "a" * 50 + "b")

@tool("never_end")
async def never_end(self):
    await trio.sleep_forever()

@tool("crowd")
async def crowd(self):
    async def step():
        for _ in range(20):
            await trio.lowlevel.checkpoint()
    async with trio.open_nursery() as nursery:
        for _ in range(3000):
            nursery.start_soon(step)
    return "all"
"""

SHORT = "[shard.health]\nbeat_timeout = 1.5\nack_timeout = 1.5\nhang_timeout = 3.0\n"


@pytest.fixture
async def deployment(tmp_path: Path, state_dir: Path) -> AsyncIterator[Deployment]:
    """Two shards; the one next door lives through every test with its first runner."""
    made = Deployment(tmp_path, state_dir)
    made.plugin("games", "odd", ODD)
    made.plugin("other", "bystander", ODD)
    yield made
    (bystander,) = [died.report for died in made.told(RunnerDied) if died.report.shard == "other"]
    assert (bystander.planned, bystander.incarnation) == (True, 1)


async def call(supervisor: Supervisor, component: str, timeout: float = 20.0, **args: object) -> object:
    return await supervisor.invoke("test.odd", component, dict(args), timeout=timeout)


@pytest.mark.parametrize("state", [ShardState.LOADING, ShardState.READY])
async def test_killed_at_a_step_of_its_start(deployment: Deployment, state: ShardState) -> None:
    """A3, A5: at once when it gets there, before anything is sent. No plugin is blamed; the next one answers."""
    killed: list[int] = []

    def kill(record: object) -> None:
        if isinstance(record, ShardMoved) and (record.shard, record.new) == ("games", state) and not killed:
            pid = holder[0].shards["games"].pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    holder: list[Supervisor] = []
    async with deployment.run() as supervisor:
        holder.append(supervisor)
        supervisor.parts.observers.add(kill)
        supervisor.restart_shard("games")
        died = await deployment.wait_told(RunnerDied, lambda died: not died.report.planned)
        assert await call(supervisor, "greet") == "hello"

    assert (died.report.pid, died.report.signal, died.report.in_flight) == (killed[0], signal.SIGKILL, 0)
    assert died.culprit == ""


async def test_killed_while_it_leaves(deployment: Deployment) -> None:
    """A15: it was to end and ended; nothing is counted, nobody starts it again."""

    def kill(record: object) -> None:
        if isinstance(record, ShardMoved) and (record.shard, record.new) == ("games", ShardState.STOPPING):
            pid = supervisor.shards["games"].pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)

    async with deployment.run() as supervisor:
        supervisor.parts.observers.add(kill)
        supervisor.stop_shard("games")
        with trio.fail_after(20):
            await supervisor.shards["games"].state.wait_value(ShardState.STOPPED)
        restarts = supervisor.shards["games"].restarts

    (died,) = [died for died in deployment.told(RunnerDied) if died.report.shard == "games"]
    assert died.report.planned
    assert restarts == 0


async def test_killed_before_or_after_a_handlers_work(deployment: Deployment, tmp_path: Path) -> None:
    """A9, A11: it may have run, and that is said; what it had done is done."""
    done = tmp_path / "done"
    failures = []
    async with deployment.run() as supervisor:
        for component, args in (("die_at_once", {}), ("die_when_done", {"path": str(done)})):
            with pytest.raises(DispatchFailed) as failed:
                await call(supervisor, component, **args)
            failures.append((failed.value.fate, failed.value.maybe_executed))
        assert await call(supervisor, "greet") == "hello"

    assert failures == [(Fate.RUNNER_LOST, True)] * 2
    assert done.exists()


async def test_another_program_in_its_place_is_ended(deployment: Deployment) -> None:
    """B8: the process lives, and is no runner any more. Its caller is told, and the next runner answers."""
    deployment.shard_more = SHORT
    async with deployment.run() as supervisor:
        with pytest.raises(DispatchFailed) as failed:
            await call(supervisor, "become_another")
        assert await call(supervisor, "greet") == "hello"

    assert failed.value.maybe_executed


async def test_a_thread_does_not_keep_a_runner(deployment: Deployment) -> None:
    """B11: it is asked, then killed, within the budget of its stop; that was planned."""
    async with deployment.run() as supervisor:
        await call(supervisor, "leave_a_thread")
        supervisor.restart_shard("games")
        died = await deployment.wait_told(RunnerDied)
        assert await call(supervisor, "greet") == "hello"

    assert died.report.planned


async def test_a_runner_may_walk_away(deployment: Deployment) -> None:
    """B15: its connection is a descriptor and no path."""
    async with deployment.run() as supervisor:
        await call(supervisor, "walk_away")

        assert await call(supervisor, "greet") == "hello"

    assert all(died.report.planned for died in deployment.told(RunnerDied))


async def test_a_runner_without_outputs_lives(deployment: Deployment) -> None:
    """D12: a plugin has closed both; what is printed then is lost, and nothing else."""
    async with deployment.run() as supervisor:
        await call(supervisor, "close_its_outputs")

        assert await call(supervisor, "greet") == "hello"

    assert all(died.report.planned for died in deployment.told(RunnerDied))


async def test_a_plugin_that_holds_the_interpreter_is_named(deployment: Deployment) -> None:
    """C4: no thread of it beats any more; it is killed for a hang, and the plugin is known by what it worked on."""
    deployment.shard_more = SHORT
    async with deployment.run() as supervisor:
        with pytest.raises(DispatchFailed) as failed:
            await call(supervisor, "match")
        died = await deployment.wait_told(RunnerDied)
        assert await call(supervisor, "greet") == "hello"

    assert failed.value.fate is Fate.HUNG
    assert died.report.kind is ExitKind.HANG
    assert "test.odd" in died.report.describe()


async def test_a_handler_that_never_ends_costs_its_own_call(deployment: Deployment) -> None:
    """C6, C11: its deadline ends it, and nothing else happens."""
    async with deployment.run() as supervisor:
        with pytest.raises(DispatchFailed) as failed:
            await call(supervisor, "never_end", timeout=0.3)
        assert await call(supervisor, "greet") == "hello"

    assert failed.value.fate is Fate.TIMEOUT
    assert all(died.report.planned for died in deployment.told(RunnerDied))


async def test_a_crowd_of_tasks_is_slow_and_alive(deployment: Deployment) -> None:
    """C17: beats are late and come; nobody is killed for work."""
    deployment.shard_more = SHORT
    async with deployment.run() as supervisor:
        assert await call(supervisor, "crowd") == "all"

    assert all(died.report.planned for died in deployment.told(RunnerDied))
