"""What may a host application ask of its plugins, and what may it know of them?

The methods here are the supervisor's own: ``Supervisor`` has each of them as an attribute. They stand apart from the life of
shards, which is its file. Each takes whatever shard its plugin lives in now, and waits for one that is being replaced as the
deployment says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from rookery.protocol import (
    METHODS,
    PLUGIN_INVOKE_API,
    PLUGIN_INVOKE_LLM_PROVIDER,
    PLUGIN_INVOKE_MESSAGE_GATEWAY,
    Invocation,
    Side,
)

from .api_calls import told
from .fate import DispatchFailed, Fate
from .load_status import LoadState, failure_reasons, load_statuses
from .platform.departure import Sending

if TYPE_CHECKING:
    from rookery.protocol import MessageMap

    from .actions import ActionDescription, Execute
    from .component import Component
    from .events import EventResult
    from .hook_spec import HookSpec
    from .hooks import HookResult
    from .platform.outbound import Receipt
    from .supervisor import Supervisor

TIMEOUT_MS = 30_000
"""Of the calls whose time is told in milliseconds."""


@attrs.frozen(kw_only=True)
class PluginAnswer:
    """What a plugin answered to one call."""

    method: str
    plugin_id: str
    component_name: str
    payload: dict[str, Any]
    """As it came; ``success`` is false when the plugin's code raised."""

    @property
    def success(self) -> bool:
        return self.payload.get("success") is not False

    @property
    def result(self) -> Any:
        return self.payload.get("result")


class Surface:
    """The library surface of one deployment."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._parts = supervisor.parts

    # --- calling -----------------------------------------------------------------------------------------------

    async def dispatch_event(
        self,
        event_type: str,
        message: MessageMap | None = None,
        extra_args: dict[str, Any] | None = None,
        *,
        key: str | None = None,
    ) -> EventResult:
        """Show an event to its handlers over all shards; see ``Events.dispatch``.

        The result says more than ``continues, message = await supervisor.dispatch_event(…)`` takes of it.
        """
        return await self._parts.events.dispatch(event_type, message, extra_args, key=key)

    async def invoke_hook(self, name: str, /, **kwargs: Any) -> HookResult:
        """Fire a hook over all shards; see ``Hooks.invoke``."""
        return await self._parts.hooks.invoke(name, **kwargs)

    async def dispatch_hook(self, stage: str, /, **kwargs: Any) -> dict[str, Any]:
        """Ask the handlers of a stage, which is the older kind of hook; return the arguments as they left them."""
        return await self._parts.stages.dispatch(stage, **kwargs)

    async def invoke(
        self,
        plugin_id: str,
        component: str,
        args: dict[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> Any:
        """Call one component by name and return its result.

        Args:
            timeout: Seconds; ``None`` takes the component's own.

        Raises:
            DispatchFailed: There is none, it raised, or it could not be asked in time.
        """
        found = self._parts.registry.component(plugin_id, component)
        method = found.invoke_method if found else None
        if found is None or method is None:
            raise DispatchFailed(
                Fate.REFUSED,
                f"{plugin_id} has no component {component!r} that can be called by its name; a command, an action, a"
                " tool, an API or a gateway can",
            )
        answer = await self._parts.dispatcher.call(found, method, args or {}, timeout=timeout)
        return _result_of(answer)

    async def invoke_plugin(
        self,
        method: str,
        plugin_id: str,
        component_name: str,
        args: dict[str, Any] | None = None,
        timeout_ms: int = TIMEOUT_MS,
    ) -> PluginAnswer:
        """Call a component by a method of the protocol, e.g. ``plugin.invoke_tool``; the answer is as it came.

        Raises:
            DispatchFailed: There is no such component or method, or it could not be asked in time.
        """
        row = METHODS.get(method)
        if row is None or row.caller is not Side.HOST or row.request is not Invocation:
            known = ", ".join(sorted(each.name for each in METHODS.values() if each.request is Invocation))
            raise DispatchFailed(Fate.REFUSED, f"{method!r} calls no component; there are {known}")
        found = self._component(plugin_id, component_name)
        payload = await self._parts.dispatcher.call(found, method, args or {}, timeout=timeout_ms / 1000)
        return PluginAnswer(
            method=method, plugin_id=plugin_id, component_name=component_name, payload=payload
        )

    async def invoke_message_gateway(
        self,
        plugin_id: str,
        component_name: str,
        args: dict[str, Any] | None = None,
        timeout_ms: int = TIMEOUT_MS,
    ) -> PluginAnswer:
        """Call a gateway itself: no route, no hooks, no receipt."""
        return await self.invoke_plugin(
            PLUGIN_INVOKE_MESSAGE_GATEWAY, plugin_id, component_name, args, timeout_ms
        )

    async def invoke_api(
        self,
        name: str,
        args: dict[str, Any] | None = None,
        *,
        version: str = "",
        timeout: float | None = None,
    ) -> Any:
        """Call an API of a plugin, public or not, and return its result.

        Args:
            name: ``plugin.id.api`` or ``api``, either with ``@version`` behind it.
            timeout: Seconds; ``None`` takes the API's own.

        Raises:
            ApiRefused: There is none, or it is off.
            DispatchFailed: It raised, or could not be asked in time.
        """
        offered = self._parts.apis.find(name, version, None)
        answer = await self._parts.dispatcher.call(
            offered.component, PLUGIN_INVOKE_API, told(offered, args or {}), timeout=timeout
        )
        return _result_of(answer)

    async def invoke_llm_provider(
        self,
        plugin_id: str,
        client_type: str,
        operation: str,
        request: dict[str, Any] | None = None,
        timeout_ms: int = TIMEOUT_MS,
    ) -> PluginAnswer:
        """Ask a plugin that serves a kind of language model; the request is passed on as it is.

        Raises:
            DispatchFailed: It does not serve it, or could not be asked in time.
        """
        provider = self._parts.providers.find(client_type)
        if provider is None or provider.plugin_id != plugin_id:
            raise DispatchFailed(Fate.REFUSED, f"{plugin_id} does not serve the client type {client_type!r}")
        told_of = {"client_type": client_type, "operation": operation, "request": request or {}}
        payload = await self._parts.dispatcher.call(
            provider, PLUGIN_INVOKE_LLM_PROVIDER, told_of, timeout=timeout_ms / 1000
        )
        return PluginAnswer(
            method=PLUGIN_INVOKE_LLM_PROVIDER,
            plugin_id=plugin_id,
            component_name=client_type,
            payload=payload,
        )

    async def send_message(self, message: MessageMap, *, timeout: float | None = None) -> Receipt:
        """Send a message through the gateway that its route names."""
        return await self._parts.outbound.send(message, timeout=timeout)

    async def send_message_to_external(
        self, message: MessageMap, *, enabled_only: bool = True, save_to_db: bool = True
    ) -> bool:
        """The same for whoever only asks whether it went out. The message gets the id that the platform has given it.

        Args:
            enabled_only: False uses a gateway that is switched off as well.
            save_to_db: Whether the store keeps it.
        """
        sending = Sending(storage_message=save_to_db, enabled_only=enabled_only)
        receipt = await self._parts.outbound.send(message, sending=sending)
        if receipt.sent and receipt.external_id:
            message["message_id"] = receipt.external_id
        return receipt.sent

    # --- offering and switching --------------------------------------------------------------------------------

    def register_hook(self, spec: HookSpec) -> None:
        """Make a hook of the application known. Only plugins that load later can register for it: say it first."""
        self._parts.hooks.specs.add(spec)

    def register_action(self, info: ActionDescription, execute: Execute) -> bool:
        """Add an action of the application to those of its plugins; False when it has one of this name."""
        return self._parts.actions.register(info, execute)

    def set_enabled(self, full_name: str, enabled: bool, session_id: str | None = None) -> bool:
        """Switch a component on or off, for good, everywhere or in one session; False when there is none."""
        return self._parts.registry.set_enabled(full_name, enabled, session_id)

    def set_plugin_enabled(self, plugin_id: str, enabled: bool, session_id: str | None = None) -> int:
        """The same for everything that a plugin offers; how many components that are."""
        return self._parts.registry.set_plugin_enabled(plugin_id, enabled, session_id)

    # --- knowing -----------------------------------------------------------------------------------------------

    @property
    def is_loading(self) -> bool:
        """Whether a shard is on its way to serve its plugins."""
        return any(each.state is LoadState.LOADING for each in load_statuses(self._supervisor).values())

    def get_loaded_plugin_ids(self) -> tuple[str, ...]:
        """Plugins that are there, sorted."""
        statuses = load_statuses(self._supervisor)
        return tuple(sorted(each for each, found in statuses.items() if found.state is LoadState.SUCCESS))

    def get_loaded_plugin_versions(self) -> dict[str, str]:
        """The version of each of them."""
        found = {each: self._parts.registry.registration(each) for each in self.get_loaded_plugin_ids()}
        return {plugin_id: "" if known is None else known.version for plugin_id, known in found.items()}

    def get_plugin_load_statuses(self) -> dict[str, str]:
        """Of each plugin: ``success``, ``failed``, ``inactive`` or ``loading``."""
        return {each: found.state.value for each, found in load_statuses(self._supervisor).items()}

    def get_plugin_load_failure_reasons(self) -> dict[str, str]:
        """Why each plugin is not there that ought to be, and why newer code of one that is was not taken."""
        return failure_reasons(self._supervisor)

    # --- inside ------------------------------------------------------------------------------------------------

    def _component(self, plugin_id: str, name: str) -> Component:
        found = self._parts.registry.component(plugin_id, name)
        if found is None:
            raise DispatchFailed(Fate.REFUSED, f"{plugin_id} has no component {name!r}")
        return found


def _result_of(answer: dict[str, Any]) -> Any:
    if answer.get("success") is False:
        raise DispatchFailed(Fate.HANDLER_ERROR, str(answer.get("result")), maybe_executed=True)
    return answer.get("result")
