"""Who answers what the host asks: each method of protocol 1.0.0 that a host may call, once?"""

from __future__ import annotations

import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from rookery.protocol import (
    PLUGIN_CANCEL,
    PLUGIN_CONFIG_UPDATED,
    PLUGIN_HEALTH,
    PLUGIN_INSPECT_CONFIG,
    PLUGIN_PREPARE_SHUTDOWN,
    PLUGIN_RECALL,
    PLUGIN_RELOAD,
    PLUGIN_RELOAD_BATCH,
    PLUGIN_RUN_SEGMENT,
    PLUGIN_SHUTDOWN,
    PLUGIN_UNLOAD_BATCH,
    PLUGIN_VALIDATE_CONFIG,
    Acknowledged,
    BadPayload,
    Cancel,
    CannotEncode,
    ConfigUpdated,
    ErrorCode,
    FrameTooLarge,
    HealthAnswer,
    InspectConfig,
    Recall,
    Reload,
    ReloadBatch,
    Shutdown,
    UnloadBatch,
    ValidateConfig,
    structure,
    unstructure,
)

from .at_once import AtOnce
from .calls import NOT_STARTED, Calls, Unwanted, refuse_late, refuse_unwanted
from .config_requests import (
    ConfigRefused,
    inspect_config,
    tell_host_config,
    update_config,
    validate_config,
)
from .invoke import deadline_of
from .lanes import Lanes
from .loader import module_name_of, purge_modules
from .logs import RUNNER_LOGGER
from .parking import Parking
from .roster import NotLoaded
from .segments import Segments

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Container, Sequence

    from rookery.protocol import Method, Request

    from .invoke import Invoker
    from .loaded import LoadedPlugin
    from .reload import Reloader
    from .roster import Roster
    from .stopping import Stopping

_log = logging.getLogger(RUNNER_LOGGER)

DRAIN_SHARE = 0.9
"""Of the host's patience: the answer has to be there before it is over."""


class Desk:
    """Answers the host.

    Attributes:
        is_at_once: False runs every call in a task of its own. Nothing else changes, which is what tests compare.

    Args:
        calls: The calls that run.
        owed: The ids of requests that are not answered.
        nursery: Where answers that take time are worked out; the desk lives shorter.
    """

    is_at_once = True

    def __init__(
        self,
        roster: Roster,
        invoker: Invoker,
        reloader: Reloader,
        stopping: Stopping,
        nursery: trio.Nursery,
        *,
        calls: Calls,
        owed: Container[int],
    ) -> None:
        self._roster = roster
        self._invoker = invoker
        self._calls = calls
        self._owed = owed
        self._reloader = reloader
        self._stopping = stopping
        self._nursery = nursery
        self._early: dict[int, trio.CancelScope] = {}
        """Calls that wait for the ``on_load`` of their plugin."""
        self._parking = Parking(roster.away, nursery, self._take_call)
        self._lanes = Lanes(
            roster.scopes, self._answer_in_turn, refuse=self._refuse_unknown, park=self._parking.park
        )
        self._segments = Segments(
            roster, invoker, calls, nursery,
            take=self._admit, take_call=self._take_alone, is_busy=self._is_busy, hold=self._lanes.hold,
        )  # fmt: skip
        self._at_once = AtOnce(roster, invoker, calls, self._lanes, self._parking, self._segments)
        self.on_lasting: Callable[[], None] = _note_nothing
        """Called when something taken here is not answered at once: somebody has to look after it."""
        self._is_draining = False
        self._started_at = trio.current_time()
        self._others: dict[str, Callable[[Request], Awaitable[None]]] = {
            PLUGIN_PREPARE_SHUTDOWN: self._drain,
            PLUGIN_CONFIG_UPDATED: self._update_config,
            PLUGIN_INSPECT_CONFIG: self._inspect_config,
            PLUGIN_VALIDATE_CONFIG: self._validate_config,
            PLUGIN_RELOAD: partial(self._change_plugins, self._reload),
            PLUGIN_RELOAD_BATCH: partial(self._change_plugins, self._reload_batch),
            PLUGIN_UNLOAD_BATCH: partial(self._change_plugins, self._unload_batch),
        }

    def take(self, request: Request) -> None:
        """See to it that a request is answered; called by the link, synchronously."""
        if request.method.name == PLUGIN_RUN_SEGMENT:
            self._segments.note_taken(request)
        self._take(request)

    def take_here(self, request: Request, scope: trio.CancelScope) -> Awaitable[None] | None:
        """The same where the task may be the request's from then on: what is left to do in it."""
        is_usual = self.is_at_once and not self._is_draining and not self._stopping.has_begun
        made = self._at_once.take(request, scope, is_usual=is_usual)
        if made is False:
            self._take(request)
        if request.link.session.owed:
            self.on_lasting()
        return made or None

    def _take(self, request: Request) -> None:
        method = request.method.name
        if method == PLUGIN_HEALTH:
            request.answer(unstructure(self._health()))
        elif method == PLUGIN_SHUTDOWN:
            self._shut_down(request)
        elif method in self._others:
            self._nursery.start_soon(self._work_on, request, self._others[method], name=method)
        else:
            self._take_call(request)

    def _is_busy(self, plugin_id: str, key: str) -> bool:
        return (plugin_id, key) in self._lanes or self._parking.holds(plugin_id)

    def hear(self, method: Method, plugin_id: str, payload: dict[str, Any]) -> None:
        """The host wants calls back, or does not want them any more; called by the link, synchronously."""
        try:
            if method.name == PLUGIN_CANCEL:
                told = self._segments.expand(structure(payload, Cancel).request_ids)
                self._calls.cancel(told)
                self._drop(told, Unwanted.CANCELLED)
            elif method.name == PLUGIN_RECALL:
                self._drop(self._segments.expand(structure(payload, Recall).request_ids), Unwanted.RECALLED)
        except BadPayload as error:
            _log.warning("the host sent a %s that cannot be used: %s", method.name, error)

    def _drop(self, request_ids: Sequence[int], unwanted: Unwanted) -> None:
        """Refuse what has not begun, at once or when its turn comes."""
        wanted = set(request_ids)
        for request in (*self._lanes.take_out(wanted), *self._parking.take_out(wanted)):
            refuse_unwanted(request, unwanted)
        self._segments.drop(request_ids, unwanted)
        self._calls.drop([each for each in request_ids if each in self._owed], unwanted)
        for request_id in wanted & self._early.keys():
            self._early[request_id].cancel()

    def look(self) -> None:
        """Once a second: nobody waits for an answer because a handler does not end."""
        for request in self._calls.give_up(self._owed):
            self._lanes.pass_by(request)
        for request in (*self._parking.take_late(), *self._lanes.take_late()):
            refuse_late(request)

    def end(self) -> None:
        """This process is about to end, whatever still goes on in it."""
        self._segments.end()
        self._calls.give_up_all()
        for request in (
            *self._lanes.take_all(),
            *self._parking.take_all(),
        ):  # behind a handler that does not end
            request.refuse(ErrorCode.E_SHUTTING_DOWN, "this runner ends", NOT_STARTED)

    # --- calls of components -----------------------------------------------------------------------------------

    def _take_call(self, request: Request) -> None:
        if self._is_draining or self._stopping.has_begun:
            request.refuse(ErrorCode.E_SHUTTING_DOWN, "this runner is shutting down", NOT_STARTED)
        else:
            self._admit(request)

    def _admit(self, request: Request) -> None:
        """Take a call that may have waited behind a segment since before this runner began to leave."""
        key = request.payload.get("ordering_key")
        if key and type(key) is str and self._segments.is_behind(request, key):
            return
        if request.method.name == PLUGIN_RUN_SEGMENT:
            self._segments.take(request)
        else:
            self._take_alone(request)

    def _take_alone(self, request: Request) -> None:
        plugin_id = request.plugin_id
        if self._parking.park(request):
            return
        key = request.payload.get("ordering_key")
        if key and type(key) is str:
            self._lanes.take(request, key)
            return
        scope = self._roster.scopes.get(plugin_id)
        plugin = self._roster.loaded.get(plugin_id)
        started = self._roster.starting.get(plugin_id)
        if (
            scope is not None
            and plugin is not None
            and scope.start_call(self._invoker.answer, request, plugin)
        ):
            return
        # The host may call a plugin from the moment it has registered; its on_load comes first.
        if scope is None or started is None or not scope.start_call(self._answer_later, request, started):
            self._refuse_unknown(request)

    async def _answer_in_turn(self, request: Request) -> None:
        plugin = self._roster.loaded.get(request.plugin_id)
        started = self._roster.starting.get(request.plugin_id)
        if trio.current_time() >= deadline_of(request):
            refuse_late(request)
        elif plugin is not None:
            await self._invoker.answer(request, plugin)
        elif started is not None:
            await self._answer_later(request, started)
        else:
            self._refuse_unknown(request)

    async def _answer_later(self, request: Request, started: trio.Event) -> None:
        plugin: LoadedPlugin | None = None
        try:
            with trio.CancelScope(deadline=deadline_of(request)) as scope:
                self._early[request.request_id] = scope
                await started.wait()
                plugin = self._roster.loaded.get(request.plugin_id)
        finally:
            del self._early[request.request_id]
            if plugin is None and not self._calls.refuses(request):
                if scope.cancel_called:
                    refuse_late(request)
                else:
                    self._refuse_unknown(request)
        if plugin is not None:
            await self._invoker.answer(request, plugin)

    def _refuse_unknown(self, request: Request) -> None:
        """Its plugin is not here: it waits if that is to be again, or is refused."""
        if self._parking.park(request):
            return
        if self._stopping.has_begun:  # it waited here for its turn, and the plugin went first
            request.refuse(ErrorCode.E_SHUTTING_DOWN, "this runner is shutting down", NOT_STARTED)
            return
        request.refuse(
            ErrorCode.E_PLUGIN_NOT_FOUND, f"the plugin {request.plugin_id!r:.100} is not loaded here"
        )

    # --- everything else ---------------------------------------------------------------------------------------

    async def _work_on(self, request: Request, work: Callable[[Request], Awaitable[None]]) -> None:
        try:
            await work(request)
        except BadPayload as error:
            request.refuse_bad_payload(error)
        except ConfigRefused as error:
            request.refuse(error.code, str(error))
        except (CannotEncode, FrameTooLarge) as error:
            request.refuse(ErrorCode.E_UNKNOWN, f"the answer cannot be sent: {error}")
        finally:
            if not request.answered:
                request.refuse(ErrorCode.E_SHUTTING_DOWN, "this runner is shutting down")

    def _health(self) -> HealthAnswer:
        uptime = trio.current_time() - self._started_at
        return HealthAnswer(
            healthy=True, loaded_plugins=list(self._roster.loaded), uptime_ms=int(uptime * 1000)
        )

    async def _drain(self, request: Request) -> None:
        told = structure(request.payload, Shutdown)
        self._is_draining = True
        budget_ms = min(told.drain_timeout_ms, request.timeout_ms)
        with trio.CancelScope(deadline=request.received_at + DRAIN_SHARE * budget_ms / 1000):
            await self._roster.wait_idle()
        request.answer(unstructure(Acknowledged()))

    def _shut_down(self, request: Request) -> None:
        try:
            told = structure(request.payload, Shutdown)
        except BadPayload as error:
            request.refuse_bad_payload(error)
            return
        budget_ms = min(told.drain_timeout_ms, request.timeout_ms)
        self._stopping.begin(
            max(0.0, DRAIN_SHARE * budget_ms / 1000), lambda: request.answer(unstructure(Acknowledged()))
        )

    async def _update_config(self, request: Request) -> None:
        told = structure(request.payload, ConfigUpdated)
        plugin = self._roster.loaded.get(told.plugin_id)
        timeout = request.timeout_ms / 1000
        if told.config_scope != "self":
            if plugin is not None:
                await tell_host_config(plugin, told, timeout=timeout)
        else:
            if plugin is not None:
                await update_config(plugin, told.config_data, timeout=timeout, if_changed=told.if_changed)
            self._roster.configs[told.plugin_id] = told.config_data  # newer code of it is made with this
        request.answer(unstructure(Acknowledged()))

    async def _inspect_config(self, request: Request) -> None:
        told = structure(request.payload, InspectConfig)
        async with self._looking_at(request) as plugin:
            answer = inspect_config(plugin, told)
        request.answer(unstructure(answer))

    async def _validate_config(self, request: Request) -> None:
        told = structure(request.payload, ValidateConfig)
        async with self._looking_at(request) as plugin:
            answer = validate_config(plugin, told.config_data)
        request.answer(unstructure(answer))

    @contextlib.asynccontextmanager
    async def _looking_at(self, request: Request) -> AsyncIterator[LoadedPlugin]:
        """The plugin that a request names; one that is not loaded is made to be looked at, and goes away again."""
        plugin_id = request.plugin_id
        plugin = self._roster.loaded.get(plugin_id)
        if plugin is not None:
            yield plugin
            return
        if self._reloader.is_running or self._roster.is_loading:
            text = "plugins are being loaded or unloaded; ask again later"
            raise ConfigRefused(ErrorCode.E_RELOAD_IN_PROGRESS, text)
        with self._reloader.running():
            try:
                plugin = await self._reloader.make_to_look_at(plugin_id)
            except NotLoaded as error:
                raise ConfigRefused(ErrorCode.E_PLUGIN_NOT_FOUND, error.reason) from None
            try:
                yield plugin
            finally:
                purge_modules(module_name_of(plugin_id))

    async def _change_plugins(
        self, change: Callable[[dict[str, Any]], Awaitable[Any]], request: Request
    ) -> None:
        if self._stopping.has_begun or self._is_draining:
            request.refuse(ErrorCode.E_SHUTTING_DOWN, "this runner is shutting down")
        elif self._reloader.is_running or self._roster.is_loading:
            request.refuse(
                ErrorCode.E_RELOAD_IN_PROGRESS, "plugins are being loaded or unloaded; ask again later"
            )
        else:
            with self._reloader.running():
                answer = await change(request.payload)
            request.answer(unstructure(answer))

    async def _reload(self, payload: dict[str, Any]) -> Any:
        told = structure(payload, Reload)
        return await self._reloader.reload([told.plugin_id], told.reason, told.external_available_plugins)

    async def _reload_batch(self, payload: dict[str, Any]) -> Any:
        told = structure(payload, ReloadBatch)
        return await self._reloader.reload(told.plugin_ids, told.reason, told.external_available_plugins)

    async def _unload_batch(self, payload: dict[str, Any]) -> Any:
        told = structure(payload, UnloadBatch)
        return await self._reloader.unload(told.plugin_ids, told.reason)


def _note_nothing() -> None:
    """Until somebody looks after what lasts."""
