"""How is a runner asked to finish what it has and to leave: drain, cancel, unload, within one budget?

What has not begun is called back and waits for the next runner. What runs may end. What still runs when its time is up is
cancelled and gets a moment for its cleaning up. Then the plugins are unloaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from rookery.protocol import (
    PLUGIN_CANCEL,
    PLUGIN_PREPARE_SHUTDOWN,
    PLUGIN_RECALL,
    PLUGIN_SHUTDOWN,
    Cancel,
    Recall,
    RookeryError,
    Shutdown,
    limits,
    unstructure,
)

if TYPE_CHECKING:
    from .live_runner import LiveRunner

LEAVE_SHARE = 0.25
"""The part of the drain budget that is kept for the plugins' own unloading."""

CANCEL_GRACE = 2.0
"""Seconds that cancelled calls have for their cleaning up."""

CANCEL_SHARE = 0.1
"""The same as a part of the budget: the smaller of the two counts."""


async def drain(runner: LiveRunner, budget: float) -> None:
    """Let it finish and leave by itself, within so many seconds; it may be there afterwards."""
    if budget <= 0:
        return
    features = runner.arrival.features
    end = trio.current_time() + budget
    leave = min(limits.SHUTDOWN_TIMEOUT, budget * LEAVE_SHARE)
    grace = min(CANCEL_GRACE, budget * CANCEL_SHARE) if "cancel" in features else 0.0
    with trio.move_on_at(end - leave - grace):
        if "recall" in features:
            _recall(runner)
        await _tell(runner, PLUGIN_PREPARE_SHUTDOWN, budget - leave - grace)
        await runner.ledger.wait_idle()
    if grace and (request_ids := list(runner.ledger.pending)):
        runner.link.broadcast(PLUGIN_CANCEL, unstructure(Cancel(request_ids=request_ids)))
        with trio.move_on_at(end - leave):
            await runner.ledger.wait_idle()
    with trio.move_on_at(min(end, trio.current_time() + limits.SHUTDOWN_TIMEOUT)):
        await _tell(runner, PLUGIN_SHUTDOWN, leave)
        await runner.dead.wait()


def _recall(runner: LiveRunner) -> None:
    request_ids = runner.ledger.waiting_calls(runner.read_started())
    if request_ids:
        runner.link.broadcast(PLUGIN_RECALL, unstructure(Recall(request_ids=request_ids)))


async def _tell(runner: LiveRunner, method: str, timeout: float) -> None:
    """Ask the runner for something that is good to have and not needed: the ladder goes on without it."""
    told = unstructure(Shutdown(reason="stop", drain_timeout_ms=int(timeout * 1000)))
    try:
        await runner.link.call(method, told, timeout=limits.SHUTDOWN_TIMEOUT)
    except RookeryError:
        pass  # refused, late, or gone; each ends the same way
