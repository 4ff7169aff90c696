"""How does a host see that this runner's loop and its interpreter still run? Each counts up once a second."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .page import OwnPage

PERIOD = 1.0
"""Seconds between two beats; the host suspects a runner after three without one."""


async def beat_loop(page: OwnPage, on_beat: Callable[[], None]) -> None:
    """Beat until cancelled.

    Args:
        on_beat: Called with each beat, for whatever else is to be looked at now and then.
    """
    while True:
        page.beat_loop()
        on_beat()
        await trio.sleep(PERIOD)


@contextmanager
def beating_thread(page: OwnPage) -> Iterator[None]:
    """A thread beats for as long as the block runs. It does not keep the process."""
    is_over = threading.Event()

    def beat() -> None:
        while not is_over.wait(PERIOD):
            page.beat_thread()

    thread = threading.Thread(target=beat, name="beats", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(PERIOD)
