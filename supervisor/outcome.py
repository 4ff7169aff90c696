"""Why does a host end that nobody has asked to: a group that cannot be helped, or a job that is done?"""

from __future__ import annotations

import trio


class Outcome:
    """Something that is decided once and waited for."""

    def __init__(self) -> None:
        self.reason = ""
        """"" until it is decided."""
        self._decided = trio.Event()

    def decide(self, reason: str) -> None:
        """The first reason counts."""
        if not self._decided.is_set():
            self.reason = reason
            self._decided.set()

    async def wait(self) -> str:
        """The reason, when it is decided."""
        await self._decided.wait()
        return self.reason
