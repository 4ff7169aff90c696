"""How many calls are open, and when are none?"""

from __future__ import annotations

import trio


class OpenCalls:
    """A count with somebody who waits for it to be nothing."""

    def __init__(self) -> None:
        self.count = 0
        self._idle = trio.Event()

    def note_open(self) -> None:
        """A call, or several that were made as one, has begun."""
        self.count += 1
        if self.count == 1:
            self._idle = trio.Event()

    def note_closed(self) -> None:
        """It has ended."""
        self.count -= 1
        if not self.count:
            self._idle.set()

    async def wait_idle(self) -> None:
        """Return when no call is open."""
        while self.count:
            await self._idle.wait()
