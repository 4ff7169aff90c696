"""How does a bot that is an asyncio program embed a deployment in its own process?

The tree runs as a guest of the program's loop: trio's scheduler runs in callbacks of the loop, in the same thread. A thread
with a loop of its own was the alternative; it has two wake-ups a call, and every object would have to be handed over.

A guest whose host loop ends falls silent without a word, so leaving the block waits until the tree has stopped; and when the
tree ends by itself, the block is cancelled and what ended the tree is raised from it.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import trio

from .tree import open_supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from .platform.inbound import Inbound
    from .settings import Settings
    from .supervisor import Supervisor

_T = TypeVar("_T")


class AsyncioSupervisor:
    """A running deployment, as an asyncio program reaches it.

    Attributes:
        supervisor: The deployment itself. Its plain methods and attributes may be used from the loop's thread as they are;
            its coroutine functions are called through ``call``.
    """

    def __init__(
        self, supervisor: Supervisor, nursery: trio.Nursery, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.supervisor = supervisor
        self._nursery = nursery
        self._loop = loop

    async def call(
        self,
        function: Callable[..., Awaitable[_T]],
        /,
        *args: Any,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> _T:
        """Await one of the deployment's coroutine functions from asyncio.

        ``await bot.call(bot.supervisor.dispatch_event, "on_message", message)``. A cancel of the asyncio task cancels what
        was called, and is over when that has ended.

        Args:
            timeout: Seconds, handed on; ``None`` hands nothing on.

        Raises:
            asyncio.CancelledError: The deployment stops.
        """
        if timeout is not None:
            kwargs["timeout"] = timeout
        answered: asyncio.Future[_T] = self._loop.create_future()
        if self._nursery.cancel_scope.cancel_called:
            raise asyncio.CancelledError("the deployment has stopped")
        scope = trio.CancelScope()
        self._nursery.start_soon(_answer, partial(function, *args, **kwargs), answered, scope)
        try:
            return await asyncio.shield(answered)
        except asyncio.CancelledError:
            scope.cancel()
            await asyncio.wait([answered])
            raise


async def _answer(
    work: Callable[[], Awaitable[_T]], answered: asyncio.Future[_T], scope: trio.CancelScope
) -> None:
    """Run something for the program; whatever comes of it is the program's."""
    try:
        with scope:
            result = await work()
            answered.set_result(result)
    except Exception as error:  # it belongs to who called, not to the tree
        answered.set_exception(error)
    finally:
        if not answered.done():
            answered.cancel()


@asynccontextmanager
async def open_supervisor_in_asyncio(
    settings: Settings,
    *,
    process: Callable[[Inbound], Awaitable[None]] | None = None,
    **options: Any,
) -> AsyncIterator[AsyncioSupervisor]:
    """Run a deployment inside of an asyncio program for as long as the block runs.

    Args:
        process: An asyncio coroutine function that is called with each message from outside, in place of the default
            pipeline.
        options: As of ``open_supervisor``.

    Raises:
        ConfigError, UsageError: As of ``open_supervisor``.
        BaseExceptionGroup: The tree ended by itself; the block was cancelled.
    """
    loop = asyncio.get_running_loop()
    guest = _Guest(loop, asyncio.current_task(loop))
    if process is not None:
        options["process"] = partial(_in_asyncio, loop, process)
    guest.start(settings, options)
    try:
        yield await guest.wait_started()
    except asyncio.CancelledError:
        if not guest.is_cancelling:
            raise
    finally:
        await guest.stop()
    guest.raise_end()


class _Guest:
    """The tree within one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any] | None) -> None:
        assert task is not None, "there is a task inside of a coroutine"
        self.is_cancelling = False
        """The block was cancelled by the end of the tree."""
        self._loop = loop
        self._task = task
        self._started: asyncio.Future[AsyncioSupervisor] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()
        self._outcome: Any = None
        self._stop = trio.Event()
        self._supervisor: Supervisor | None = None

    def start(self, settings: Settings, options: dict[str, Any]) -> None:
        trio.lowlevel.start_guest_run(
            partial(self._run, settings, options),
            run_sync_soon_threadsafe=self._loop.call_soon_threadsafe,
            run_sync_soon_not_threadsafe=self._loop.call_soon,
            done_callback=self._note_end,
            host_uses_signal_set_wakeup_fd=True,
        )

    async def _run(self, settings: Settings, options: dict[str, Any]) -> None:
        async with open_supervisor(settings, **options) as supervisor:
            self._supervisor = supervisor
            async with trio.open_nursery() as calls:
                if not self._started.done():
                    self._started.set_result(AsyncioSupervisor(supervisor, calls, self._loop))
                await self._stop.wait()
                calls.cancel_scope.cancel()

    async def wait_started(self) -> AsyncioSupervisor:
        """The deployment, when its runners are being started.

        Raises:
            asyncio.CancelledError: It could not be started; ``raise_end`` says why.
        """
        either: list[asyncio.Future[Any]] = [self._started, self._ended]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if self._ended.done():
            self.is_cancelling = True
            raise asyncio.CancelledError
        return self._started.result()

    async def stop(self) -> None:
        """Stop in order. A cancel meanwhile stops by force, and is raised when everything has ended."""
        cancelled = False
        self._stop.set()
        while not self._ended.done():
            try:
                await asyncio.wait([self._ended])
            except asyncio.CancelledError:
                cancelled = True
                if self._supervisor is not None:
                    self._supervisor.request_stop(force=True)
        if self.is_cancelling and self._task.cancelling():
            self._task.uncancel()
        if cancelled:
            raise asyncio.CancelledError

    def raise_end(self) -> None:
        """Raise what the tree ended with, if anything."""
        self._outcome.unwrap()

    def _note_end(self, outcome: Any) -> None:
        self._outcome = outcome
        self._ended.set_result(None)
        if self._started.done() and not self._stop.is_set():
            self.is_cancelling = True
            self._task.cancel("the deployment has ended")


async def _in_asyncio(
    loop: asyncio.AbstractEventLoop, process: Callable[[Inbound], Awaitable[None]], inbound: Inbound
) -> None:
    """Run the program's own coroutine as a task of its loop; cancelled, it is cancelled and waited for."""
    task = loop.create_task(_awaiting(process(inbound)))
    waiting = trio.lowlevel.current_task()
    raise_cancel: Callable[[], Any] | None = None

    def cancel(raise_it: Callable[[], Any]) -> trio.lowlevel.Abort:
        nonlocal raise_cancel
        raise_cancel = raise_it
        task.cancel()
        return trio.lowlevel.Abort.FAILED

    task.add_done_callback(lambda _: trio.lowlevel.reschedule(waiting))
    await trio.lowlevel.wait_task_rescheduled(cancel)
    if raise_cancel is not None and task.cancelled():
        raise_cancel()
    if task.cancelled():
        return  # the program has let this message go: that is its own affair
    task.result()


async def _awaiting(work: Awaitable[_T]) -> _T:
    return await work
