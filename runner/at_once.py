"""Which calls are run in the task that has read them, and what becomes of them there?

Most handlers end without waiting for anything. They need no task of their own, no cancel scope and no deadline, whose making
takes longer than all the rest of a call: a third of the runner's time for one. A handler that waits for something keeps the task
that has read its request, with everything that trio knows of it, and another one reads on.

Whatever is not as usual (a handler that needs a thread or has to wait for its turn, a request that has a mistake) goes the way of
``invoke.py``, and what is told there of answers, deadlines and cancelling holds here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import trio

from rookery.protocol import PLUGIN_INVOKE_LLM_PROVIDER, PLUGIN_RUN_SEGMENT, BadPayload

from .first_step import Begun, step
from .invoke import RUNS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rookery.protocol import Request

    from .calls import Calls
    from .components import Component
    from .invoke import Invoker
    from .lanes import Lanes
    from .loaded import LoadedPlugin
    from .parking import Parking
    from .roster import Roster
    from .scope import PluginScope
    from .segments import Segments

USUAL = RUNS.keys() - {PLUGIN_INVOKE_LLM_PROVIDER}
"""What may be run here: calls that name a component."""


class AtOnce:
    """Runs calls where they were read."""

    def __init__(
        self,
        roster: Roster,
        invoker: Invoker,
        calls: Calls,
        lanes: Lanes,
        parking: Parking,
        segments: Segments,
    ) -> None:
        self._loaded = roster.loaded
        self._scopes = roster.scopes
        self._invoker = invoker
        self._calls = calls
        self._lanes = lanes
        self._parking = parking
        self._segments = segments
        self._last_lane = ("", "")
        """Of the plugin and conversation whose call was the last that began here."""

    def take(
        self, request: Request, scope: trio.CancelScope, *, is_usual: bool
    ) -> Awaitable[None] | Literal[False] | None:
        """Answer a request, or hand out what is left to do for it; False when it is not one for here.

        Args:
            scope: Around the task, and what is left to do.
            is_usual: Whether calls are run at all.
        """
        method = request.method.name
        if method == PLUGIN_RUN_SEGMENT:
            self._segments.note_taken(request)
        if self._calls.refuses(request):
            return None
        if is_usual and method in USUAL:
            return self._run(request, scope)
        if is_usual and method == PLUGIN_RUN_SEGMENT:
            key = request.payload.get("ordering_key")
            if type(key) is str and not self._segments.holds(key):
                return self._segments.take_here(request, scope)
        return False

    def _run(self, request: Request, scope: trio.CancelScope) -> Awaitable[None] | Literal[False] | None:
        payload, plugin_id = request.payload, request.plugin_id
        plugin, plugin_scope = self._loaded.get(plugin_id), self._scopes.get(plugin_id)
        if plugin is None or plugin_scope is None or not plugin_scope.is_open:
            return False
        name, args, key = (
            payload.get("component_name"),
            payload.get("args"),
            payload.get("ordering_key") or "",
        )
        if type(name) is not str or type(args) is not dict or type(key) is not str:
            return False
        component = plugin.components.get(name)
        if component is None or not component.is_inline or component.type not in RUNS[request.method.name]:
            return False
        if self._parking.holds(plugin_id):
            return False
        if key and ((plugin_id, key) in self._lanes or self._segments.holds(key)):
            return False
        try:
            arguments = component.binding.bind(args)
        except BadPayload:
            return False
        if key:
            if self._last_lane == (plugin_id, key):
                request.link.flush_nowait()  # what has ended is not to be lost with the next
            self._last_lane = (plugin_id, key)
        slot = self._calls.note(None, request.request_id)
        context = trio.lowlevel.current_task().context.copy()
        made = step(self._invoker, plugin, component, args, arguments, request.request_id, context)
        if isinstance(made, Begun):
            plugin_scope.admit(scope)
            release = self._lanes.hold(plugin_id, key) if key else None
            return self._go_on(request, plugin, plugin_scope, component, scope, made, slot, release)
        context.run(self._invoker.deliver_inside, request, plugin, component, made)
        self._calls.free(slot)
        return None

    async def _go_on(
        self,
        request: Request,
        plugin: LoadedPlugin,
        plugin_scope: PluginScope,
        component: Component,
        scope: trio.CancelScope,
        begun: Begun,
        slot: int | None,
        release: Callable[[], None] | None,
    ) -> None:
        task = trio.lowlevel.current_task()
        task.context = begun.context
        task.name = f"{plugin.plugin_id}: call"
        try:
            await self._invoker.conclude(
                request, plugin, component, scope, begun.work, lambda: not plugin_scope.is_open, noted=(slot,)
            )
        finally:
            plugin_scope.let_go(scope)
            if release is not None:
                release()
