"""How does a runner give its plugins a running asyncio loop, and how does a trio task wait for an asyncio one?

The loop is a real one, and the runner is its guest: trio's scheduler runs as callbacks of the loop, in the same thread. Code
written for asyncio so finds everything as in a plain asyncio program, for the whole life of the process, and trio code runs
as ever. Both alternatives lost: a loop in a thread of its own moves handlers away from the runner's thread and costs two
wake-ups a call; trio-asyncio emulates the loop, at 0.4 of its speed, and does not run on newer interpreters.

When the host loop ends, its guest would fall silent without a word. So the loop ends only when the guest has.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import weakref
from collections.abc import Coroutine, Generator
from typing import TYPE_CHECKING, Any, TypeVar, cast

import trio

from rookery.protocol import page as layout

from .border import current_plugin, plugin_logger
from .crumbs import CRUMBS, current_crumb
from .forks import FORKS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_T = TypeVar("_T")

LEFT_OVER_GRACE = 0.5
"""Seconds that asyncio tasks of plugins may take to end when the runner is done."""

_log = logging.getLogger("rookery.runner")


class _Steps(Coroutine[Any, Any, Any]):
    """A coroutine of a plugin whose steps are told as the loop takes them: whose they are is known when one ends the process.

    What would end the loop itself, as it would in a plain asyncio program, is an ordinary failure of its task here: the loop is
    not this plugin's alone.

    Args:
        crumb: What is told; 0 is nothing.
    """

    __slots__ = ("_crumb", "_work")

    def __init__(self, work: Coroutine[Any, Any, Any], crumb: int) -> None:
        self._work = work
        self._crumb = crumb

    def send(self, value: Any) -> Any:
        CRUMBS.note(self._crumb)
        try:
            return self._work.send(value)
        except (SystemExit, KeyboardInterrupt) as error:
            raise _as_failure(error) from None
        finally:
            FORKS.end_child()
            CRUMBS.note_none()

    def throw(self, *error: Any) -> Any:
        CRUMBS.note(self._crumb)
        try:
            return self._work.throw(*error)
        except (SystemExit, KeyboardInterrupt) as raised:
            raise _as_failure(raised) from None
        finally:
            FORKS.end_child()
            CRUMBS.note_none()

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._work.__await__()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._work, name)  # what a debugger and a stack dump of the task look for


def _as_failure(error: BaseException) -> RuntimeError:
    told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return RuntimeError(told).with_traceback(error.__traceback__)


class _Guest:
    """The loop of this process, and the tasks that plugins have started on it."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.tasks: weakref.WeakKeyDictionary[asyncio.Future[Any], str] = weakref.WeakKeyDictionary()
        """Every task that is not done, with the id of the plugin that started it."""

    def make_background_task(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        **options: Any,
    ) -> asyncio.Task[Any]:
        """The loop's task factory: as usual, but it is known whose the task is."""
        plugin_id = current_plugin.get()
        crumb = CRUMBS.head_of(plugin_id, layout.Phase.TASK) if plugin_id else 0
        return self.make_task(loop, work, crumb, **options)

    def make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        crumb: int,
        **options: Any,
    ) -> asyncio.Task[Any]:
        """A task, with what is told while it has the CPU; 0 tells nothing."""
        steps = cast("Coroutine[Any, Any, Any]", work)
        plugin_id = current_plugin.get()
        if crumb or plugin_id:
            steps = _Steps(steps, crumb)
        task: asyncio.Task[Any] = asyncio.Task(steps, loop=loop, **options)
        if plugin_id:
            self.tasks[task] = plugin_id
        return task

    def note_failure(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The loop's exception handler: what nobody awaited is a line in its plugin's log and ends nothing."""
        task = context.get("task") or context.get("future")
        plugin_id = self.tasks.get(task, "") if task is not None else ""
        logger = plugin_logger(plugin_id) if plugin_id else _log
        logger.error("asyncio: %s", context.get("message", "a failure"), exc_info=context.get("exception"))


_GUEST = _Guest()


def has_asyncio() -> bool:
    """Whether this runner has an asyncio loop for its plugins."""
    return _GUEST.loop is not None


def run_as_guest(main: Callable[..., Awaitable[_T]], *args: Any) -> _T:
    """What ``trio.run`` does, as the guest of an asyncio loop of its own.

    Returns what ``main`` returns and raises what it raises. What plugins left running on the loop is cancelled then.
    """
    loop = asyncio.new_event_loop()
    loop.set_task_factory(_GUEST.make_background_task)
    loop.set_exception_handler(_GUEST.note_failure)
    asyncio.set_event_loop(loop)
    _GUEST.loop = loop
    try:
        result = loop.run_until_complete(_be_host(loop, main, args))
        loop.run_until_complete(_end_what_is_left(loop))
        return result
    finally:
        _GUEST.loop = None
        asyncio.set_event_loop(None)
        loop.close()


async def _be_host(
    loop: asyncio.AbstractEventLoop, main: Callable[..., Awaitable[_T]], args: tuple[Any, ...]
) -> _T:
    ended: asyncio.Future[Any] = loop.create_future()
    trio.lowlevel.start_guest_run(
        main,
        *args,
        run_sync_soon_threadsafe=loop.call_soon_threadsafe,
        run_sync_soon_not_threadsafe=loop.call_soon,
        done_callback=ended.set_result,
        # Whoever wants signals of the loop sets the wake-up descriptor; trio's own receivers find it taken and use theirs.
        host_uses_signal_set_wakeup_fd=True,
    )
    result: _T = (await ended).unwrap()
    return result


async def _end_what_is_left(loop: asyncio.AbstractEventLoop) -> None:
    left = [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task(loop)]
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=LEFT_OVER_GRACE)


async def in_asyncio(work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Run an asyncio coroutine function as a task of the loop, and wait for it in trio.

    A cancel of trio cancels the asyncio task, and is over when that has ended: a task that turns the cancellation into a
    result has its result. What it raises is raised here.
    """
    assert _GUEST.loop is not None, "this runner has no asyncio loop"
    task: asyncio.Task[_T] = _GUEST.make_task(_GUEST.loop, work(), current_crumb.get())
    waiting = trio.lowlevel.current_task()
    raise_cancel: Callable[[], Any] | None = None

    def end(_: asyncio.Task[_T]) -> None:
        trio.lowlevel.reschedule(waiting)

    def cancel(raise_it: Callable[[], Any]) -> trio.lowlevel.Abort:
        nonlocal raise_cancel
        raise_cancel = raise_it
        task.cancel()
        return trio.lowlevel.Abort.FAILED  # it has to end first

    task.add_done_callback(end, context=_NO_PLUGIN)
    await trio.lowlevel.wait_task_rescheduled(cancel)
    if raise_cancel is not None and task.cancelled():
        raise_cancel()
    if task.cancelled():
        raise RuntimeError("the asyncio task of this handler was cancelled by its plugin")
    return task.result()


_NO_PLUGIN = contextvars.Context()
"""The callbacks are the runner's own."""


async def end_tasks_of(plugin_id: str, grace: float) -> int:
    """Cancel what a plugin has left running on the loop; how many tasks go on all the same ``grace`` seconds later."""
    left = [task for task, owner in list(_GUEST.tasks.items()) if owner == plugin_id and not task.done()]
    if not left or _GUEST.loop is None:
        return 0
    for task in left:
        task.cancel()

    async def wait() -> int:
        return len((await asyncio.wait(left, timeout=grace))[1])

    owner = current_plugin.get()
    current_plugin.set("")  # this task is ours, and not to be waited for by itself
    try:
        with trio.CancelScope(shield=True) as bounded:
            bounded.deadline = trio.current_time() + 2 * grace
            still = await in_asyncio(wait)
    finally:
        current_plugin.set(owner)
    return still
