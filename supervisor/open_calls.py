"""How many calls are open, and when are none?"""

from __future__ import annotations

import trio


class OpenCalls:
    """A count with somebody who waits for it to be nothing.

    Attributes:
        count: One more for each call, or several that were made as one, that has begun and not ended.
    """

    def __init__(self) -> None:
        self.count = 0
        self._idle: trio.Event | None = None
        """Of those who wait, when somebody does."""

    def note_closed(self) -> None:
        """One of them has ended."""
        self.count -= 1
        if not self.count and self._idle is not None:
            self._idle.set()
            self._idle = None

    async def wait_idle(self) -> None:
        """Return when no call is open."""
        while self.count:
            if self._idle is None:
                self._idle = trio.Event()
            await self._idle.wait()
