"""How does a test wait for something that a thread brings about, with an end to its patience?"""

from __future__ import annotations

from collections.abc import Callable

import trio


async def wait_until(condition: Callable[[], bool], *, timeout: float = 10.0) -> None:
    """Look again and again: what comes out of a thread has no event to wait for."""
    with trio.fail_after(timeout):
        while not condition():
            await trio.sleep(0.002)
