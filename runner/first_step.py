"""How is a handler begun without a task of its own, and how does it get one if it needs it?

Its coroutine is driven by hand until it returns, or asks trio for something for the first time. Until then trio knows
nothing of it; from then on the task that has begun it is the handler's, and what it asks for is passed on to trio as if that
task had always awaited it.
"""

from __future__ import annotations

import inspect
from functools import partial
from types import CoroutineType, coroutine
from typing import TYPE_CHECKING, Any

from rookery.protocol import page as layout

from .answers import SILENT
from .border import current_plugin
from .crumbs import CRUMBS, MAX_REQUEST, current_crumb
from .forks import FORKS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator
    from contextvars import Context

    from .components import Component
    from .invoke import Invoker
    from .loaded import LoadedPlugin


class Suspended:
    """A coroutine that was begun by hand and has asked trio for something."""

    __slots__ = ("trap", "work")

    def __init__(self, work: Coroutine[Any, Any, Any], trap: Any) -> None:
        self.work = work
        self.trap = trap


class Begun:
    """A handler that goes on after its first step: what it is still to do, in the context in which it began."""

    __slots__ = ("context", "work")

    def __init__(self, context: Context, work: Awaitable[dict[str, Any]]) -> None:
        self.context = context
        self.work = work


def step(
    invoker: Invoker,
    plugin: LoadedPlugin,
    component: Component,
    args: dict[str, Any],
    arguments: dict[str, Any],
    request_id: int,
    context: Context,
) -> dict[str, Any] | Begun:
    """Make the first step of a handler in this task: its answer, or what is left to do.

    Whoever gets the latter gives the context to this task and awaits the work in it.

    Args:
        context: The handler's own.
    """
    crumb = CRUMBS.head_of(plugin.plugin_id, layout.Phase.CALL) | request_id & MAX_REQUEST
    context.run(current_plugin.set, plugin.plugin_id)
    try:
        made = context.run(begin_marked, component.handler, arguments, crumb)
    except BaseException as error:  # whatever it is: it is the handler's
        CRUMBS.note_none()
        return invoker.fail(component, plugin, error)
    CRUMBS.note_none()
    return after_step(invoker, plugin, component, args, made, context)


def begin_marked(handler: Callable[..., Any], arguments: dict[str, Any], crumb: int) -> Any:
    """Make the first step of a handler in this context, which has its plugin's name: what it returned, or ``Suspended``. It
    raises what that raises, and leaves its crumb."""
    current_crumb.set(crumb)
    CRUMBS.note(crumb)
    result = handler(**arguments)
    if result is None:
        return None
    if type(result) is CoroutineType:
        try:
            return Suspended(result, result.send(None))
        except StopIteration as ended:
            return ended.value
    # A plain function may hand out something to await: a partial, or a wrapper without functools.wraps.
    return first_step(_awaiting(result)) if inspect.isawaitable(result) else result


def after_step(
    invoker: Invoker,
    plugin: LoadedPlugin,
    component: Component,
    args: dict[str, Any],
    made: Any,
    context: Context,
) -> dict[str, Any] | Begun:
    """What a handler answers whose first step was made, or what is left to do."""
    if type(made) is Suspended:
        FORKS.end_child()
        return Begun(context, invoker.work(component, plugin, args, {}, handler=partial(resume, made)))
    invoker.end_step(plugin.plugin_id)
    if made is None and component.type in SILENT:
        return SILENT[component.type]  # as most handlers do
    now = invoker.answer_now(component, plugin, args, made)
    if now is not None:
        return now
    # A text, to be sent first.
    answer = first_step(invoker.answer_with(component, plugin, args, made))
    return Begun(context, resume(answer)) if type(answer) is Suspended else answer


def first_step(work: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine returns, if it does so at once."""
    try:
        return Suspended(work, work.send(None))
    except StopIteration as ended:
        return ended.value


async def _awaiting(something: Awaitable[Any]) -> Any:
    return await something


@coroutine
def resume(suspended: Suspended) -> Generator[Any, Any, Any]:
    """Go on with it, in the task that has begun it."""
    work, trap = suspended.work, suspended.trap
    while True:
        try:
            value = yield trap
        except BaseException as error:
            step: Callable[[Any], Any] = work.throw
            given: Any = error
        else:
            step, given = work.send, value
        try:
            trap = step(given)
        except StopIteration as ended:
            return ended.value
