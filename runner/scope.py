"""Where do the tasks and the running calls of one plugin live, so that they end with it and with nothing else?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from .border import PluginFailed, log_failure, run_guarded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class PluginScope:
    """The nursery of one plugin, from before its ``on_load`` until after its ``on_unload``.

    Args:
        on_step_end: Told the plugin's id when one of its tasks has ended.
    """

    def __init__(self, plugin_id: str, on_step_end: Callable[[str], None]) -> None:
        self.plugin_id = plugin_id
        self.in_flight = 0
        """Calls of the host that are being run."""
        self._on_step_end = on_step_end
        self._cancel = trio.CancelScope()
        self._nursery: trio.Nursery | None = None
        self._idle = trio.Event()
        self._ended = trio.Event()
        self._guests: dict[trio.CancelScope, None] = {}
        """Around calls that run in tasks of nobody's in particular."""
        self._guests_gone = trio.Event()
        self.is_open = False
        """False before it runs, and from the moment it is closed."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Hold the nursery open until ``close``. A task of its own, started by whoever loads the plugin."""
        try:
            with self._cancel:
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    self.is_open = True
                    task_status.started()
                    await trio.sleep_forever()
        finally:
            self._nursery = None
            self.is_open = False
            self._ended.set()

    def start_task(self, func: Callable[..., Any], *args: Any, name: str | None = None) -> None:
        """Run plugin code in the background. Its failure goes into the plugin's log and ends nothing else.

        Raises:
            RuntimeError: The plugin has been unloaded.
        """
        if self._nursery is None:
            raise RuntimeError(f"{self.plugin_id} has been unloaded: it cannot start tasks any more")
        shown_name = name or getattr(func, "__qualname__", None) or repr(func)
        self._nursery.start_soon(
            self._run_task, func, args, shown_name, name=f"{self.plugin_id}: {shown_name}"
        )

    def start_call(self, func: Callable[..., Awaitable[None]], *args: Any) -> bool:
        """Run our own code for a call of the host; False when the plugin goes. It ends with the plugin at the latest."""
        if self._nursery is None:
            return False
        try:
            self._nursery.start_soon(self._run_call, func, args, name=f"{self.plugin_id}: call")
        except RuntimeError:
            return False  # it is closed, and has not gone yet
        self.in_flight += 1
        return True

    def admit(self, scope: trio.CancelScope) -> None:
        """A call goes on inside of this, in a task that is not the plugin's; ``let_go`` when it has ended."""
        self._guests[scope] = None
        self.in_flight += 1

    def let_go(self, scope: trio.CancelScope) -> None:
        """That call has ended."""
        del self._guests[scope]
        self._end_call()
        if not self._guests:
            self._guests_gone.set()

    async def wait_idle(self) -> None:
        """Wait until no call is being run."""
        while self.in_flight:
            self._idle = trio.Event()
            await self._idle.wait()

    async def close(self, grace: float) -> bool:
        """Cancel everything; False when something of the plugin has not ended ``grace`` seconds later."""
        self.is_open = False
        self._cancel.cancel()
        for scope in list(self._guests):
            scope.cancel()
        with trio.move_on_after(grace, shield=True):
            await self._ended.wait()
            while self._guests:
                self._guests_gone = trio.Event()
                await self._guests_gone.wait()
        return self._ended.is_set() and not self._guests

    async def _run_call(self, func: Callable[..., Awaitable[None]], args: tuple[Any, ...]) -> None:
        try:
            await func(*args)
        finally:
            self._end_call()

    def _end_call(self) -> None:
        self.in_flight -= 1
        if not self.in_flight:
            self._idle.set()

    async def _run_task(self, func: Callable[..., Any], args: tuple[Any, ...], name: str) -> None:
        try:
            await run_guarded(self.plugin_id, func, *args)
        except PluginFailed as failure:
            log_failure(self.plugin_id, f"the task {name!r}", failure)
        finally:
            self._on_step_end(self.plugin_id)
