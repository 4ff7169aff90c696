"""When is it looked after calls that do not end? Once a second, and only while there are any."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

PERIOD = 1.0
"""Seconds between two rounds."""


class Rounds:
    """Goes round while there is somebody to be looked after, and sleeps, without a timer, while there is nobody.

    Args:
        look: One round.
        is_needed: Whether there has to be another one.
    """

    def __init__(self, look: Callable[[], None], is_needed: Callable[[], bool]) -> None:
        self._look = look
        self._is_needed = is_needed
        self._work = trio.Event()
        self.is_resting = True
        """``begin`` has to be called when there is somebody again."""

    def begin(self) -> None:
        """There may be somebody. Costs nothing while it goes round."""
        if self.is_resting:
            self.is_resting = False
            self._work.set()

    async def run(self) -> None:
        """Go round until cancelled."""
        while True:
            await self._work.wait()
            self._work = trio.Event()
            while True:
                await trio.sleep(PERIOD)
                self._look()
                if not self._is_needed():
                    break
            self.is_resting = True
