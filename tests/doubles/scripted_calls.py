"""Runners that keep their page and an account of what they have begun, and calls that wait for them."""

from __future__ import annotations

from typing import Any

from rookery.protocol import PLUGIN_INVOKE_TOOL
from rookery.protocol import page as layout
from tests.doubles.scripted_runner import ScriptedRunner, work
from tests.doubles.shards import Watched

ACCOUNTABLE = ["assignment", "loading", "logs", "beats", "started", "cancel", "recall"]

STACKS = (
    "Current thread 0x00007f1234567890 (most recent call first):\n"
    '  File "/plugins/one/plugin.py", line 12 in spin\n'
    '  File "/lib/trio/_core/_run.py", line 2000 in run\n'
)
"""What a runner writes that is asked where it is."""


async def accountable(runner: ScriptedRunner) -> None:
    """The script of a runner that keeps its page and an account, and answers only what it is asked of itself."""
    runner.features = ACCOUNTABLE
    runner.write_page(layout.PID_AT, runner.pid)
    runner.answer = lambda request: (
        None if request.method.name == PLUGIN_INVOKE_TOOL else runner.answer_politely(request)
    )
    await work(runner)


async def silent(runner: ScriptedRunner) -> None:
    """The script of a runner that says where it is when it is asked, and beats only when the test does it."""
    runner.stacks = STACKS
    runner.write_page(layout.LOOP_BEATS_AT, 1)
    await accountable(runner)


def ask(watched: Watched, told: list[tuple[int, Any]], count: int, *, deadline: float = 1e9) -> list[int]:
    """Send calls; what becomes of each is put into `told`, with its number and the time."""
    link = watched.shard.link
    assert link is not None

    def send() -> int:
        numbers: list[int] = []
        numbers.append(
            link.send(
                PLUGIN_INVOKE_TOOL,
                {},
                plugin_id="test.one",
                deadline=deadline,
                on_done=lambda outcome: told.append((numbers[0], outcome)),
            )
        )
        return numbers[0]

    return [send() for _ in range(count)]
