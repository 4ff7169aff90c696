"""How is a handler begun without a task of its own, and how does it get one if it needs it?

Its coroutine is driven by hand until it returns, or asks trio for something for the first time. Until then trio knows
nothing of it; from then on the task that has begun it is the handler's, and what it asks for is passed on to trio as if that
task had always awaited it.
"""

from __future__ import annotations

import inspect
from types import CoroutineType, coroutine
from typing import TYPE_CHECKING, Any

from rookery.protocol import page as layout

from .border import current_plugin
from .crumbs import CRUMBS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator

    from .components import Component


class Suspended:
    """A coroutine that was begun by hand and has asked trio for something."""

    __slots__ = ("trap", "work")

    def __init__(self, work: Coroutine[Any, Any, Any], trap: Any) -> None:
        self.work = work
        self.trap = trap


def begin(component: Component, arguments: dict[str, Any], plugin_id: str, request_id: int) -> Any:
    """Make the first step of a handler in this context: what it returned, or ``Suspended``. It raises what that raises."""
    current_plugin.set(plugin_id)
    CRUMBS.enter(plugin_id, layout.Phase.CALL, request_id)
    result = component.handler(**arguments)
    if type(result) is CoroutineType:
        return first_step(result)
    # A plain function may hand out something to await: a partial, or a wrapper without functools.wraps.
    return first_step(_awaiting(result)) if inspect.isawaitable(result) else result


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
