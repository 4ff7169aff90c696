"""How does a hook ask its handlers, and what becomes of the arguments?

Blocking handlers run one after the other in the total order; each sees what the one before left. What a handler returns
*updates* the arguments it names, and keys that it leaves out stay. Observers get the final arguments, all at once, each
its own copy, and can change nothing. An abort ends the flow and is seen by no observer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import trio

from rookery.protocol import PLUGIN_INVOKE_HOOK

from .component import ErrorPolicy, HookHandler, HookMode
from .fate import DispatchFailed, Fate
from .hook_specs import HookSpec, HookSpecs, Unavailable

if TYPE_CHECKING:
    from .call import Outcome
    from .dispatch import Dispatcher
    from .registry import Registry


@attrs.frozen(kw_only=True)
class HookResult:
    """How a hook went."""

    hook_name: str
    kwargs: dict[str, Any]
    """The arguments as the last handler left them."""
    aborted: bool = False
    stopped_by: str | None = None
    """The full name of the handler that aborted, or whose failure did."""
    custom_results: tuple[Any, ...] = ()
    errors: tuple[str, ...] = ()
    """One line a failure or a thing that was not allowed, with the handler's name."""
    skipped: tuple[str, ...] = ()
    """Handlers that could not be asked and were passed over."""


@attrs.define(kw_only=True)
class _Flow:
    """A hook on its way."""

    spec: HookSpec
    kwargs: dict[str, Any]
    stopped_by: str | None = None
    custom_results: list[Any] = attrs.Factory(list)
    errors: list[str] = attrs.Factory(list)
    skipped: list[str] = attrs.Factory(list)

    def result(self) -> HookResult:
        return HookResult(
            hook_name=self.spec.name,
            kwargs=self.kwargs,
            aborted=self.stopped_by is not None,
            stopped_by=self.stopped_by,
            custom_results=tuple(self.custom_results),
            errors=tuple(self.errors),
            skipped=tuple(self.skipped),
        )


class Hooks:
    """Fires hooks.

    Args:
        timeout: Seconds for a handler when neither it nor the hook names a time.
    """

    def __init__(
        self, registry: Registry, dispatcher: Dispatcher, specs: HookSpecs, *, timeout: float = 30.0
    ) -> None:
        self._registry = registry
        self._dispatcher = dispatcher
        self._timeout = timeout
        self.specs = specs

    def has_handlers(self, name: str) -> bool:
        """Whether firing this hook would ask anybody."""
        return bool(self._registry.hook_handlers(name))

    async def invoke(self, name: str, /, **kwargs: Any) -> HookResult:
        """Ask every handler of a hook in order. A checkpoint only where there are blocking handlers.

        A handler that fails, or cannot be asked, never raises here: its error policy and the hook's
        ``on_unavailable`` say what it means.
        """
        flow = _Flow(spec=self.specs.get(name), kwargs=kwargs)
        handlers = self._registry.hook_handlers(name)
        for handler in handlers:
            if handler.mode is HookMode.OBSERVE or not handler.enabled:
                continue
            await self._ask(handler, flow)
            if flow.stopped_by is not None:
                return flow.result()
        for handler in handlers:
            if handler.mode is HookMode.OBSERVE and handler.enabled:
                self._show(handler, flow)
        return flow.result()

    async def _ask(self, handler: HookHandler, flow: _Flow) -> None:
        spec = flow.spec
        if spec.on_unavailable is not Unavailable.WAIT and not self._dispatcher.is_open(handler.shard):
            failure = DispatchFailed(Fate.UNAVAILABLE, f'shard "{handler.shard}" is not up')
            return self._unavailable(handler, flow, failure)
        args = {"hook_name": spec.name, **flow.kwargs}
        try:
            answer = await self._dispatcher.call(
                handler, PLUGIN_INVOKE_HOOK, args, timeout=self._seconds(handler, spec)
            )
        except DispatchFailed as failure:
            if failure.is_loss or failure.fate is Fate.TIMEOUT:
                return self._unavailable(handler, flow, failure)
            return self._failed(handler, flow, str(failure))
        if answer.get("custom_result") is not None:
            flow.custom_results.append(answer["custom_result"])
        if answer.get("success") is False:
            return self._failed(handler, flow, str(answer.get("error_message") or "it failed"))
        self._merge(handler, flow, answer.get("modified_kwargs"))
        if str(answer.get("action", "continue")).lower() == "abort":
            self._abort(handler, flow)
        return None

    def _show(self, handler: HookHandler, flow: _Flow) -> None:
        # Encoding makes the copy: every observer decodes its own.
        deadline = trio.current_time() + self._seconds(handler, flow.spec)
        args = {"hook_name": flow.spec.name, **flow.kwargs}
        self._dispatcher.submit(handler, PLUGIN_INVOKE_HOOK, args, _ignore, deadline=deadline)

    def _merge(self, handler: HookHandler, flow: _Flow, changes: Any) -> None:
        if type(changes) is not dict or not changes:
            return
        changes.pop("hook_name", None)
        if not flow.spec.allow_mutation:
            flow.errors.append(f"{handler.full_name} may not change the arguments of {flow.spec.name}")
            return
        for name in sorted(changes.keys() & flow.spec.read_only):
            flow.errors.append(f"{handler.full_name} may not change {name!r} of {flow.spec.name}")
        allowed = {name: value for name, value in changes.items() if name not in flow.spec.read_only}
        flow.kwargs = {**flow.kwargs, **allowed}

    def _abort(self, handler: HookHandler, flow: _Flow) -> None:
        if flow.spec.allow_abort:
            flow.stopped_by = handler.full_name
        else:
            flow.errors.append(f"{handler.full_name} may not abort {flow.spec.name}")

    def _failed(self, handler: HookHandler, flow: _Flow, reason: str) -> None:
        flow.errors.append(f"{handler.full_name}: {reason}")
        if handler.error_policy is ErrorPolicy.ABORT and flow.spec.allow_abort:
            flow.stopped_by = handler.full_name

    def _unavailable(self, handler: HookHandler, flow: _Flow, failure: DispatchFailed) -> None:
        flow.errors.append(f"{handler.full_name}: {failure}")
        flow.skipped.append(handler.full_name)
        closed = flow.spec.on_unavailable is Unavailable.ABORT or handler.error_policy is ErrorPolicy.ABORT
        if closed and flow.spec.allow_abort:
            flow.stopped_by = handler.full_name

    def _seconds(self, handler: HookHandler, spec: HookSpec) -> float:
        return handler.timeout or spec.default_timeout or self._timeout


def _ignore(_: Outcome) -> None:
    """An observer's failure is counted by the dispatcher and changes nothing."""
