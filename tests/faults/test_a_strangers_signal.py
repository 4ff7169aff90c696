"""A: a stranger sends a runner SIGTERM. What runs may end or is cut off; what waits in it has not begun, and is not lost."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from rookery.protocol import PLUGIN_INVOKE_TOOL
from rookery.supervisor import Supervisor
from rookery.supervisor.call import Outcome
from rookery.supervisor.exit_report import ExitKind
from rookery.supervisor.fate import DispatchFailed, Fate
from rookery.supervisor.observers import RunnerDied
from tests.whole.host import PATIENCE, Deployment

pytestmark = pytest.mark.slow

WORKER = """
@tool("wait")
async def wait(self, number: int):
    with open(f"{self.ctx.data_dir}/ran", "a") as file:
        file.write(f"{number}\\n")
    if number == 0:
        await trio.sleep_forever()
    return number
"""

CALLS = 4


@pytest.fixture
async def deployment(tmp_path: Path, state_dir: Path) -> AsyncIterator[Deployment]:
    """Two shards; the one next door lives through the test with its first runner."""
    made = Deployment(tmp_path, state_dir)
    made.plugin("games", "worker", WORKER)
    made.plugin("other", "bystander", WORKER)
    yield made
    (bystander,) = [died.report for died in made.told(RunnerDied) if died.report.shard == "other"]
    assert (bystander.planned, bystander.incarnation) == (True, 1)


async def test_what_waits_in_a_runner_that_leaves_goes_to_the_next(
    deployment: Deployment, state_dir: Path
) -> None:
    """Calls of one key: the first runs and is cut off, the others run once each in the next runner, in their order."""
    ends: dict[int, Outcome] = {}

    async with deployment.run() as supervisor:
        _call_all(supervisor, ends)
        while not _ran(state_dir):
            await trio.sleep(0.01)  # a real process on the real clock
        pid = supervisor.shards["games"].pid
        assert pid is not None
        os.kill(pid, signal.SIGTERM)
        with trio.fail_after(PATIENCE):
            while len(ends) < CALLS:
                await trio.sleep(0.01)

    first = ends[0]
    assert isinstance(first, DispatchFailed)
    assert (first.fate, first.maybe_executed) == (Fate.SHUTTING_DOWN, True)
    assert [isinstance(ends[number], dict) for number in range(1, CALLS)] == [True] * (CALLS - 1), ends
    assert _ran(state_dir) == [0, 1, 2, 3]
    died = next(record.report for record in deployment.told(RunnerDied) if record.report.shard == "games")
    assert (died.kind, died.code, died.planned) == (ExitKind.EXITED, 0, False)


def _call_all(supervisor: Supervisor, ends: dict[int, Outcome]) -> None:
    dispatcher = supervisor.parts.dispatcher
    component = supervisor.parts.registry.component("test.worker", "wait")
    assert component is not None
    for number in range(CALLS):

        def settled(outcome: Outcome, number: int = number) -> None:
            ends[number] = outcome

        deadline = trio.current_time() + PATIENCE
        args = {"number": number}
        dispatcher.submit(component, PLUGIN_INVOKE_TOOL, args, settled, deadline=deadline, key="chat")


def _ran(state_dir: Path) -> list[int]:
    (found,) = list(state_dir.rglob("ran")) or [None]
    return [] if found is None else [int(line) for line in found.read_text().split()]
