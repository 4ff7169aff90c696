"""How is one component run for one request: its arguments, its deadline, and its answer?

A call costs one cancel scope and no nursery: the textbook way, a task a call, was measured at several times the cost of
the rest.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Protocol

import trio

from rookery.protocol import (
    PLUGIN_EMIT_EVENT,
    PLUGIN_INVOKE_ACTION,
    PLUGIN_INVOKE_API,
    PLUGIN_INVOKE_COMMAND,
    PLUGIN_INVOKE_HOOK,
    PLUGIN_INVOKE_LLM_PROVIDER,
    PLUGIN_INVOKE_MESSAGE_GATEWAY,
    PLUGIN_INVOKE_TOOL,
    BadPayload,
    CannotEncode,
    ComponentType,
    ErrorCode,
    FrameTooLarge,
    Invocation,
    RookeryError,
    check_sendable,
    shown,
    structure,
)
from rookery.protocol import page as layout

from .answers import ANSWERS, SILENT, failed_answer, plain_value
from .border import PluginFailed, call_guarded, log_failure, plugin_threads, run_inline, run_marked
from .calls import NOT_STARTED, Calls, refuse_unwanted
from .crumbs import CRUMBS
from .failure import explain, traceback_text
from .forks import FORKS
from .page import open_own_page
from .provider import choose_provider

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sized

    from rookery.protocol import Method

    from .calls import Run
    from .components import Component
    from .loaded import LoadedPlugin

RUNS: dict[str, tuple[ComponentType, ...]] = {
    PLUGIN_INVOKE_COMMAND: (ComponentType.COMMAND,),
    PLUGIN_INVOKE_ACTION: (ComponentType.ACTION,),
    # An original host registers actions as tools and calls them either way.
    PLUGIN_INVOKE_TOOL: (ComponentType.TOOL, ComponentType.ACTION),
    PLUGIN_INVOKE_API: (ComponentType.API,),
    PLUGIN_INVOKE_MESSAGE_GATEWAY: (ComponentType.MESSAGE_GATEWAY,),
    PLUGIN_INVOKE_LLM_PROVIDER: (ComponentType.LLM_PROVIDER,),
    PLUGIN_EMIT_EVENT: (ComponentType.EVENT_HANDLER,),
    PLUGIN_INVOKE_HOOK: (ComponentType.HOOK_HANDLER,),
}
"""Which types of component each method runs."""


class Asked(Protocol):
    """A request as the invoker needs it; ``rookery.protocol.Request`` is one."""

    method: Method
    request_id: int
    plugin_id: str
    payload: dict[str, Any]
    timeout_ms: int
    received_at: float

    def answer(self, payload: dict[str, Any]) -> None: ...

    def refuse(self, code: ErrorCode, message: str, details: dict[str, Any] | None = None) -> None: ...

    def refuse_bad_payload(self, error: BadPayload) -> None: ...


class _Place:
    """A place in the pool of threads for one call, which begins when it has the place. What trio calls a limiter, and ``Places``
    of ``worker_threads``."""

    def __init__(self, limiter: trio.CapacityLimiter, calls: Calls, run: Run) -> None:
        self._limiter = limiter
        self._calls = calls
        self._run = run

    def acquire_on_behalf_of_nowait(self, borrower: Any) -> None:
        self._limiter.acquire_on_behalf_of_nowait(borrower)
        self._run.has_thread = True
        self._calls.begin(self._run)

    async def acquire_on_behalf_of(self, borrower: Any) -> None:
        await self._limiter.acquire_on_behalf_of(borrower)
        try:
            await trio.lowlevel.checkpoint_if_cancelled()
        except trio.Cancelled:  # of a call that waited for this: it is not to begin any more
            self._limiter.release_on_behalf_of(borrower)
            raise
        self._run.has_thread = True
        self._calls.begin(self._run)

    def release_on_behalf_of(self, borrower: Any) -> None:
        self._limiter.release_on_behalf_of(borrower)
        self._calls.end_thread(self._run)


class Invoker:
    """Runs one component for one request, and answers it. Made inside of trio.

    Args:
        limiter: How many plain functions may run at once, over all plugins.
        on_step_end: Told the plugin's id whenever its code has ended, before the answer is sent. It must not raise.
        on_failure: Told every failure of a component; the default writes it into the plugin's log.
        calls: Where the calls that run are kept; the default is seen by nobody.
        host_merges: Whether the host keeps the arguments of a hook that a handler does not name; else it is told them all,
            with what the handler has done to them in place.
    """

    def __init__(
        self,
        limiter: trio.CapacityLimiter,
        on_step_end: Callable[[str], None],
        on_failure: Callable[[str, str, PluginFailed], None] | None = None,
        *,
        calls: Calls | None = None,
        host_merges: bool = False,
    ) -> None:
        self._host_merges = host_merges
        self.open_lines: tuple[Sized, Sized] = (), ()
        """Plugins that have printed and not finished, on both streams; the end of their step ends what they print."""
        self._limiter = limiter
        self._on_step_end = on_step_end
        self._calls = calls or Calls(open_own_page(None))
        self._on_failure = on_failure or log_failure
        plugin_threads.set(limiter)

    async def answer(self, request: Asked, plugin: LoadedPlugin) -> None:
        """Run the component that a request names and answer it, exactly once.

        It raises nothing but ``trio.Cancelled``, and has refused the request then.
        """
        if self._calls.refuses(request):
            return
        try:
            component, args = _find(request, plugin)
            arguments = component.binding.bind(args)
        except BadPayload as error:
            request.refuse_bad_payload(error)
            return
        except _NotOffered as error:
            request.refuse(ErrorCode.E_METHOD_NOT_ALLOWED, str(error))
            return
        deadline = deadline_of(request)
        scope = trio.CancelScope(deadline=deadline)
        run = self._calls.enter(request, scope)
        if component.is_inline:
            self._calls.begin(run)
        crumb = CRUMBS.enter(plugin.plugin_id, layout.Phase.CALL, request.request_id)
        try:
            with scope:
                answer = await self.work(component, plugin, args, arguments, run)
            if not scope.cancel_called:
                self.deliver(request, plugin, component, answer)
            elif not run.is_given_up:
                # Asked for instead of caught: a handler may turn the cancellation into an error of its own.
                self._refuse_cancelled(run, plugin, component, deadline - request.received_at)
        except BaseException:  # cancelled from outside, alone or in a group
            if not run.is_given_up:
                text = f"{plugin.plugin_id} is being unloaded"
                request.refuse(ErrorCode.E_SHUTTING_DOWN, text, None if run.has_begun else NOT_STARTED)
            raise
        finally:
            CRUMBS.leave(crumb)
            self._calls.end(run)

    def _refuse_cancelled(self, run: Run, plugin: LoadedPlugin, component: Component, limit: float) -> None:
        request = run.request
        if run.unwanted is not None:
            if run.has_begun:
                request.refuse(ErrorCode.E_TIMEOUT, "cancelled by the host")
            else:
                refuse_unwanted(request, run.unwanted)
            return
        if run.has_begun:
            text, details = f"did not end within {limit:g} s and was cancelled", None
        else:
            text, details = f"found no free thread within {limit:g} s", NOT_STARTED
        self._on_failure(plugin.plugin_id, component.name, PluginFailed(text))
        request.refuse(ErrorCode.E_TIMEOUT, f"{component.name} of {plugin.plugin_id} {text}", details)

    async def conclude(
        self,
        request: Asked,
        plugin: LoadedPlugin,
        component: Component,
        scope: trio.CancelScope,
        work: Awaitable[dict[str, Any]],
        is_leaving: Callable[[], bool],
        *,
        noted: tuple[int | None] | None = None,
    ) -> None:
        """Await the rest of what has begun in a task that was nobody's in particular, and answer for it, exactly once.

        Args:
            scope: Around everything.
            is_leaving: Whether the plugin is being unloaded.
            noted: The slot of its own where it was noted as begun, if it was; ``None`` notes it now.
        """
        scope.deadline = deadline_of(request)
        run = self._calls.enter(request, scope)
        if noted is None:
            self._calls.begin(run)
        else:
            run.has_begun, [run.slot] = True, noted
        try:
            answer = await work
            if not scope.cancel_called or (is_leaving() and run.unwanted is None and not run.is_given_up):
                self.deliver(request, plugin, component, answer)  # cancelled with its plugin, and ended well
            elif not run.is_given_up:
                self._refuse_cancelled(run, plugin, component, scope.deadline - request.received_at)
        except BaseException:
            if run.is_given_up:
                pass
            elif scope.cancel_called and not is_leaving():
                self._refuse_cancelled(run, plugin, component, scope.deadline - request.received_at)
            else:
                request.refuse(ErrorCode.E_SHUTTING_DOWN, f"{plugin.plugin_id} is being unloaded")
            raise
        finally:
            CRUMBS.leave(0)
            self._calls.end(run)

    def runs(self, method: str, component: Component) -> bool:
        """Whether a method runs components of this type."""
        return component.type in RUNS[method]

    async def work(
        self,
        component: Component,
        plugin: LoadedPlugin,
        args: dict[str, Any],
        arguments: dict[str, Any],
        run: Run | None = None,
        *,
        handler: Callable[..., Any] | None = None,
    ) -> dict[str, Any]:
        """What the component answers, whatever happens in it.

        Args:
            run: Where it is seen that the call begins; not needed for what runs on the loop.
            handler: The rest of the component's, when its first step was made elsewhere.
        """
        plugin_id = plugin.plugin_id
        try:
            try:
                if component.is_inline:
                    result = await run_inline(plugin_id, handler or component.handler, arguments)
                else:
                    assert run is not None
                    call = functools.partial(component.handler, **arguments)
                    place = _Place(self._limiter, self._calls, run)
                    result = await run_marked(plugin_id, call, is_async=False, limiter=place)
            finally:
                self._on_step_end(plugin_id)
        except PluginFailed as failure:
            return self._failed(component, plugin_id, failure)
        if result is None and component.answer is None and component.type in SILENT:
            return SILENT[component.type]  # as most handlers do
        return await self.answer_with(component, plugin, args, result)

    def answer_now(
        self, component: Component, plugin: LoadedPlugin, args: dict[str, Any], result: Any
    ) -> dict[str, Any] | None:
        """What a component answers that has returned this; ``None`` when a text has to be sent first."""
        if self._host_merges and component.type is ComponentType.HOOK_HANDLER:
            args = {}
        try:
            answer = ANSWERS[component.type](component, args, result)
        except RookeryError as error:
            failure = error if isinstance(error, PluginFailed) else PluginFailed(str(error))
            return self._failed(component, plugin.plugin_id, failure)
        return answer.payload if answer.reply is None else None

    async def answer_with(
        self, component: Component, plugin: LoadedPlugin, args: dict[str, Any], result: Any
    ) -> dict[str, Any]:
        """What a component answers that has returned this; a text is sent first."""
        if self._host_merges and component.type is ComponentType.HOOK_HANDLER:
            args = {}
        try:
            answer = (component.answer or ANSWERS[component.type])(component, args, result)
            if answer.reply is not None:
                await answer.reply.send(plugin)
            return answer.payload
        except RookeryError as error:
            failure = error if isinstance(error, PluginFailed) else PluginFailed(str(error))
            return self._failed(component, plugin.plugin_id, failure)

    def end_step(self, plugin_id: str) -> None:
        """Code of a plugin has come back that was run elsewhere."""
        if FORKS.is_child:
            FORKS.end_child()
        self._on_step_end(plugin_id)

    def fail(self, component: Component, plugin: LoadedPlugin, error: BaseException) -> dict[str, Any]:
        """What a component answers that was run elsewhere and has raised this."""
        self.end_step(plugin.plugin_id)
        failure = PluginFailed(explain(error), traceback_text(error))
        failure.__cause__ = error
        return self._failed(component, plugin.plugin_id, failure)

    def _failed(self, component: Component, plugin_id: str, failure: PluginFailed) -> dict[str, Any]:
        self._on_failure(plugin_id, component.name, failure)
        return failed_answer(component.type, failure.reason)

    def deliver(
        self, request: Asked, plugin: LoadedPlugin, component: Component, answer: dict[str, Any]
    ) -> None:
        """Send an answer, or say why it cannot be sent."""
        try:
            # Guarded, because packing walks the plugin's own objects, which another thread of it may change meanwhile.
            call_guarded(plugin.plugin_id, _pack, request, answer)
        except PluginFailed as failure:
            self._refuse_undelivered(request, plugin, component, failure)

    def deliver_inside(
        self, request: Asked, plugin: LoadedPlugin, component: Component, answer: dict[str, Any]
    ) -> None:
        """The same in a context of the handler's own."""
        try:
            _pack(request, answer)
        except BaseException as error:
            failure = PluginFailed(explain(error), traceback_text(error))
            failure.__cause__ = error
            self._refuse_undelivered(request, plugin, component, failure)

    def _refuse_undelivered(
        self, request: Asked, plugin: LoadedPlugin, component: Component, failure: PluginFailed
    ) -> None:
        cause = failure.__cause__
        kind = "ResultTooLarge" if isinstance(cause, FrameTooLarge) else "ResultUnencodable"
        reason = cause.reason if isinstance(cause, (CannotEncode, FrameTooLarge)) else failure.reason
        text = f"the result of {component.name} cannot be sent: {reason}"
        self._on_failure(plugin.plugin_id, component.name, PluginFailed(text))
        details = {"kind": kind, "plugin_id": plugin.plugin_id, "component_name": component.name}
        request.refuse(ErrorCode.E_UNKNOWN, text, details)


def deadline_of(request: Asked) -> float:
    """When a request has to be answered, on trio's clock; one without a limit has its method's own."""
    return request.received_at + (request.timeout_ms / 1000 or request.method.timeout)


def _pack(request: Asked, answer: dict[str, Any]) -> None:
    try:
        check_sendable(answer)
        request.answer(answer)
    except CannotEncode:
        # Worth a second look only now: a set becomes a list, a Message its map.
        plain = plain_value(answer)
        check_sendable(plain)
        request.answer(plain)


class _NotOffered(RookeryError):
    """The plugin has no such component, or one that is called by another method."""


def _find(request: Asked, plugin: LoadedPlugin) -> tuple[Component, dict[str, Any]]:
    payload = request.payload
    name, args = payload.get("component_name"), payload.get("args")
    method = request.method.name
    if method == PLUGIN_INVOKE_LLM_PROVIDER:
        found = choose_provider(plugin.plugin_id, plugin.providers, payload)
        if isinstance(found, str):
            raise _NotOffered(found)
        return found
    if type(name) is not str or type(args) is not dict:
        # Not as usual: the slow way knows every rule and names the mistake.
        invocation = structure(payload, Invocation)
        name, args = invocation.component_name, invocation.args
    component = plugin.components.get(name)
    if component is None:
        offered = ", ".join(plugin.components) or "nothing"
        raise _NotOffered(f"{plugin.plugin_id} has no component {shown(name)}; it offers {offered}")
    if component.type not in RUNS[method]:
        raise _NotOffered(
            f"{method} does not run {name!r} of {plugin.plugin_id}: it is a {component.type.value}"
        )
    return component, args
