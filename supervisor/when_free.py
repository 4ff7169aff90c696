"""How is a runner asked for something that it does not do while it loads or unloads plugins?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from rookery.protocol import ErrorCode, RemoteError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

FREE_WAIT = 60.0
FREE_PERIOD = 0.05
"""Seconds for which, and after which, a runner is asked again that is just loading or unloading plugins."""


async def when_free(call: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    """Ask a runner for something that it does not do while it loads or unloads plugins, until it can.

    Raises:
        RookeryError: As of the call; it is not asked for ever.
    """
    end = trio.current_time() + FREE_WAIT
    while True:
        try:
            return await call()
        except RemoteError as error:
            if error.code is not ErrorCode.E_RELOAD_IN_PROGRESS or trio.current_time() >= end:
                raise
        await trio.sleep(FREE_PERIOD)
