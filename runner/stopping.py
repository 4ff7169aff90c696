"""Has this runner been asked to stop, how long may it take, and who waits for it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from .leave import CLEAN

if TYPE_CHECKING:
    from collections.abc import Callable


class Stopping:
    """The one decision to stop. It is taken once; later askers wait for the same end."""

    def __init__(self) -> None:
        self.deadline = float("inf")
        """When everything has to be unloaded, on trio's clock."""
        self.code = CLEAN
        """What the process says with its exit."""
        self._event = trio.Event()
        self._on_done: list[Callable[[], None]] = []
        self._loading: trio.CancelScope | None = None

    @property
    def has_begun(self) -> bool:
        return self._event.is_set()

    def begin(
        self, grace: float, on_done: Callable[[], None] | None = None, *, code: int | None = None
    ) -> None:
        """Stop within ``grace`` seconds; whoever gives the shortest time gets it.

        Args:
            code: The exit code, if it is not the usual one.
        """
        if code is not None:
            self.code = code
        self.deadline = min(self.deadline, trio.current_time() + grace)
        if on_done is not None:
            self._on_done.append(on_done)
        self._event.set()
        if self._loading is not None:
            self._loading.cancel()

    async def wait(self) -> None:
        await self._event.wait()

    def interrupts(self, scope: trio.CancelScope) -> trio.CancelScope:
        """The scope is cancelled when the stop begins."""
        self._loading = scope
        if self.has_begun:
            scope.cancel()
        return scope

    def finish(self) -> None:
        """Everything is unloaded: tell who waits."""
        for on_done in self._on_done:
            on_done()
        self._on_done.clear()
