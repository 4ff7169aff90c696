"""Is a runner well that keeps no shared page: asked by ``plugin.health`` from time to time, as protocol 1.0.0 has it?

An original runner answers on the loop that its plugins run on, so the answer says that the loop lives, and which plugins are
still there. A reload that fails may lose one of them, and nothing but this tells it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from rookery.protocol import (
    PLUGIN_HEALTH,
    BadPayload,
    HealthAnswer,
    RequestTimedOut,
    RookeryError,
    structure,
)

from .exit_report import ExitKind
from .shard_state import WORKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .live_runner import LiveRunner
    from .shard import Shard

LEAST_TIMEOUT = 1.0
"""Seconds that an answer may take at least, however often it is asked."""

RECHECK_TIMEOUT = 5.0
"""Seconds for the second question, which tells a runner that hangs from a host that was late itself."""

LOST = "the runner has it no more: a reload of it failed, and an original runner cannot bring the older version back"


async def check_up(shard: Shard, runner: LiveRunner, condemn: Callable[[ExitKind, str], None]) -> None:
    """Ask until cancelled; a runner that does not answer, or says that it is not well, is condemned."""
    interval = shard.settings.health.interval
    while True:
        with trio.move_on_after(interval):
            await runner.arrival.changed.wait()
        runner.arrival.changed = trio.Event()
        if shard.state.value not in WORKING or shard.is_paused:
            continue
        try:
            found = await _ask(runner, max(interval, LEAST_TIMEOUT))
        except RequestTimedOut:
            if shard.state.value in WORKING and not shard.is_paused:
                condemn(ExitKind.HANG, "it did not answer when it was asked for its health, twice")
            continue
        except BadPayload as error:
            condemn(ExitKind.PROTOCOL, f"its health cannot be used: {error}")
            continue
        except RookeryError:
            continue  # it refuses to say, which shows that it lives; or it has gone, which others see
        if not found.healthy:
            condemn(ExitKind.STUCK, "it says that it is not healthy")
        elif shard.state.value in WORKING:
            _take_loaded(shard, found.loaded_plugins)


async def _ask(runner: LiveRunner, timeout: float) -> HealthAnswer:
    try:
        answer = await runner.link.call(PLUGIN_HEALTH, timeout=timeout)
    except RequestTimedOut:
        answer = await runner.link.call(PLUGIN_HEALTH, timeout=min(timeout, RECHECK_TIMEOUT))
    return structure(answer, HealthAnswer)


def _take_loaded(shard: Shard, loaded: list[str]) -> None:
    """What it has now, among the plugins of its shard."""
    for plugin_id in shard.loaded:
        if plugin_id not in loaded:
            shard.failed[plugin_id] = LOST
    now = tuple(dict.fromkeys(each for each in loaded if each in shard.plugins))
    for plugin_id in now:
        shard.failed.pop(plugin_id, None)
    shard.loaded = now
