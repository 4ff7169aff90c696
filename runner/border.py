"""How is plugin code run: whose is it, what is it doing, and what becomes of whatever it raises?

This is the border to somebody else's code. Everything that crosses it, ``SystemExit`` and ``KeyboardInterrupt`` too, becomes
a ``PluginFailed``; only the cancellation of trio passes.
"""

from __future__ import annotations

import functools
import inspect
import logging
from contextvars import ContextVar
from types import CoroutineType
from typing import TYPE_CHECKING, Any

import trio

from rookery.protocol import RookeryError
from rookery.protocol import page as layout

from .crumbs import CRUMBS
from .failure import explain, traceback_text
from .forks import FORKS
from .worker_threads import run_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

current_plugin: ContextVar[str] = ContextVar("current_plugin", default="")
"""The id of the plugin whose code runs; "" outside of all."""

plugin_threads: trio.lowlevel.RunVar[trio.CapacityLimiter | None] = trio.lowlevel.RunVar(
    "plugin threads", default=None
)


class PluginFailed(RookeryError):
    """Plugin code raised something, or returned what it may not.

    Attributes:
        reason: One line: ``ValueError: boom (plugin.py line 12, in roll)``.
        traceback_text: The traceback from the plugin's first line on; "" when nothing was raised.
    """

    def __init__(self, reason: str, traceback_text: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.traceback_text = traceback_text


def call_guarded(
    plugin_id: str, func: Callable[..., Any], *args: Any, phase: layout.Phase | None = None
) -> Any:
    """Call plugin code here and now.

    Args:
        phase: What kind of code it is, for whoever asks what ended this process; to be told in the loop only. ``None`` for
            code that runs on behalf of other plugin code, which has been told.

    Raises:
        PluginFailed: It raised, anything at all.
    """
    previous = current_plugin.get()
    current_plugin.set(plugin_id)
    crumb = None if phase is None else CRUMBS.enter(plugin_id, phase)
    try:
        return func(*args)
    except BaseException as error:
        raise PluginFailed(explain(error), traceback_text(error)) from error
    finally:
        if crumb is not None:
            FORKS.end_child()  # not where a child logs: that formats by way of here
            CRUMBS.leave(crumb)
        current_plugin.set(previous)


async def run_guarded(
    plugin_id: str, func: Callable[..., Any], *args: Any, phase: layout.Phase = layout.Phase.TASK
) -> Any:
    """Run plugin code: a coroutine function is awaited, a plain one runs in a thread of the bounded pool.

    Cancelled, it leaves at once; a plain function then goes on in its thread, and keeps its place in the pool, until it
    returns.

    Args:
        phase: What kind of code it is, for whoever asks what ended this process.

    Raises:
        PluginFailed: It raised, anything but the cancellation of trio.
    """
    call = functools.partial(func, *args) if args else func
    is_async = inspect.iscoroutinefunction(func)
    crumb = CRUMBS.enter(plugin_id, phase)
    try:
        return await run_marked(plugin_id, call, is_async=is_async, limiter=plugin_threads.get())
    finally:
        CRUMBS.leave(crumb)


async def run_marked(
    plugin_id: str,
    call: Callable[[], Any],
    *,
    is_async: bool,
    limiter: Any,
) -> Any:
    previous = current_plugin.get()
    current_plugin.set(plugin_id)
    try:
        if is_async:
            return await call()
        # A plain function may hand out a coroutine: a partial, or a wrapper without functools.wraps.
        result = await run_in_thread(call, limiter)
        return await result if inspect.isawaitable(result) else result
    except trio.Cancelled:
        raise
    except BaseException as error:
        if isinstance(error, BaseExceptionGroup) and error.split(trio.Cancelled)[1] is None:
            raise
        raise PluginFailed(explain(error), traceback_text(error)) from error
    finally:
        FORKS.end_child()
        current_plugin.set(previous)


async def run_inline(plugin_id: str, handler: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """A coroutine function, or a plain one that says of itself that it is quick."""
    previous = current_plugin.get()
    current_plugin.set(plugin_id)
    try:
        result = handler(**arguments)
        if type(result) is CoroutineType or inspect.isawaitable(result):
            result = await result
        return result
    except trio.Cancelled:
        raise
    except BaseException as error:
        if isinstance(error, BaseExceptionGroup) and error.split(trio.Cancelled)[1] is None:
            raise
        raise PluginFailed(explain(error), traceback_text(error)) from error
    finally:
        FORKS.end_child()
        current_plugin.set(previous)


def plugin_logger(plugin_id: str) -> logging.Logger:
    """The logger whose lines carry this plugin's name."""
    return logging.getLogger(f"plugin.{plugin_id}")


def log_failure(plugin_id: str, what: str, failure: PluginFailed) -> None:
    """Write a failure into the log of its plugin, with the traceback."""
    plugin_logger(plugin_id).error("%s failed: %s", what, failure.reason, exc_info=failure.__cause__)
