"""What has become of a process that a test knows by its number: it sleeps, or it is gone."""

from __future__ import annotations

import trio

from rookery.supervisor.process_look import look_at

PATIENCE = 20.0
"""Seconds after which a test gives a real process up."""


async def wait_gone(pid: int) -> None:
    """Dead, and reaped."""
    await _wait_state(pid, "")


async def wait_asleep(pid: int) -> None:
    """It lives and waits. One that has just said something may still be on its way there."""
    await _wait_state(pid, "S")


async def _wait_state(pid: int, state: str) -> None:
    with trio.fail_after(PATIENCE):
        while look_at(pid).state != state:
            await trio.sleep(0.005)  # a real process on the real clock
