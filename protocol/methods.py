"""Who may call which method, with what, for what answer, and how long it may take: THE table."""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs

from . import payloads as p
from .limits import HANDSHAKE_TIMEOUT, INVOKE_TIMEOUT, LIFECYCLE_TIMEOUT, RELOAD_TIMEOUT, SHUTDOWN_TIMEOUT
from .names import Side

if TYPE_CHECKING:
    from collections.abc import Mapping

RUNNER_HELLO = "runner.hello"
PLUGIN_BOOTSTRAP = "plugin.bootstrap"
PLUGIN_REGISTER_COMPONENTS = "plugin.register_components"
PLUGIN_REGISTER_PLUGIN = "plugin.register_plugin"
PLUGIN_UNREGISTER = "plugin.unregister"
RUNNER_READY = "runner.ready"
CAP_CALL = "cap.call"
UPDATE_GATEWAY_STATE = "host.update_message_gateway_state"
ROUTE_MESSAGE = "host.route_message"
RUNNER_LOG_BATCH = "runner.log_batch"
RUNNER_LOADING = "runner.loading"
RUNNER_STARTED = "runner.started"
RUNNER_EXTEND = "runner.extend"
RUNNER_EXCHANGE = "runner.exchange"

PLUGIN_INVOKE_COMMAND = "plugin.invoke_command"
PLUGIN_INVOKE_ACTION = "plugin.invoke_action"
PLUGIN_INVOKE_TOOL = "plugin.invoke_tool"
PLUGIN_INVOKE_API = "plugin.invoke_api"
PLUGIN_INVOKE_MESSAGE_GATEWAY = "plugin.invoke_message_gateway"
PLUGIN_INVOKE_LLM_PROVIDER = "plugin.invoke_llm_provider"
PLUGIN_EMIT_EVENT = "plugin.emit_event"
PLUGIN_INVOKE_HOOK = "plugin.invoke_hook"
PLUGIN_HEALTH = "plugin.health"
PLUGIN_PREPARE_SHUTDOWN = "plugin.prepare_shutdown"
PLUGIN_SHUTDOWN = "plugin.shutdown"
PLUGIN_CONFIG_UPDATED = "plugin.config_updated"
PLUGIN_INSPECT_CONFIG = "plugin.inspect_config"
PLUGIN_VALIDATE_CONFIG = "plugin.validate_config"
PLUGIN_RELOAD = "plugin.reload"
PLUGIN_RELOAD_BATCH = "plugin.reload_batch"
PLUGIN_UNLOAD_BATCH = "plugin.unload_batch"
PLUGIN_CANCEL = "plugin.cancel"
PLUGIN_RECALL = "plugin.recall"
PLUGIN_RUN_SEGMENT = "plugin.run_segment"


SILENCE: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        PLUGIN_EMIT_EVENT: {
            "success": True,
            "continue_processing": True,
            "modified_message": None,
            "custom_result": None,
        },
        PLUGIN_INVOKE_HOOK: {
            "success": True,
            "action": "continue",
            "modified_kwargs": None,
            "custom_result": None,
            "error_message": "",
        },
    }
)
"""What a handler answers that has nothing to say: it lets the event or the arguments pass as they are."""


class Kind(Enum):
    REQUEST = "request"
    BROADCAST = "broadcast"


@attrs.frozen
class Method:
    """One row of the table."""

    name: str
    caller: Side
    """The side that may send it; from the other side it is refused with ``E_METHOD_NOT_ALLOWED``."""
    request: type
    answer: type | None
    """``None`` for a broadcast, which nobody answers."""
    timeout: float
    """Seconds the caller waits when nobody names another time; 0 for a broadcast."""
    names_plugin: bool = True
    """True when the envelope has to name the plugin that acts or is meant."""

    @property
    def kind(self) -> Kind:
        return Kind.BROADCAST if self.answer is None else Kind.REQUEST


def _table(*rows: Method) -> Mapping[str, Method]:
    return MappingProxyType({row.name: row for row in rows})


_RUNNER, _HOST = Side.RUNNER, Side.HOST

METHODS: Mapping[str, Method] = _table(
    Method(RUNNER_HELLO, _RUNNER, p.Hello, p.HelloAnswer, HANDSHAKE_TIMEOUT, names_plugin=False),
    Method(PLUGIN_BOOTSTRAP, _RUNNER, p.Bootstrap, p.BootstrapAnswer, LIFECYCLE_TIMEOUT),
    Method(PLUGIN_REGISTER_COMPONENTS, _RUNNER, p.RegisterComponents, p.RegisterAnswer, LIFECYCLE_TIMEOUT),
    Method(PLUGIN_REGISTER_PLUGIN, _RUNNER, p.RegisterComponents, p.RegisterAnswer, LIFECYCLE_TIMEOUT),
    Method(PLUGIN_UNREGISTER, _RUNNER, p.Unregister, p.UnregisterAnswer, LIFECYCLE_TIMEOUT),
    Method(RUNNER_READY, _RUNNER, p.RunnerReady, p.Accepted, LIFECYCLE_TIMEOUT, names_plugin=False),
    Method(CAP_CALL, _RUNNER, p.CapabilityCall, p.CapabilityAnswer, INVOKE_TIMEOUT),
    Method(UPDATE_GATEWAY_STATE, _RUNNER, p.GatewayState, p.GatewayStateAnswer, INVOKE_TIMEOUT),
    Method(ROUTE_MESSAGE, _RUNNER, p.RouteMessage, p.RouteMessageAnswer, INVOKE_TIMEOUT),
    Method(RUNNER_LOG_BATCH, _RUNNER, p.LogBatch, None, 0.0, names_plugin=False),
    Method(RUNNER_LOADING, _RUNNER, p.Loading, None, 0.0, names_plugin=False),
    Method(RUNNER_STARTED, _RUNNER, p.Started, None, 0.0, names_plugin=False),
    Method(RUNNER_EXTEND, _RUNNER, p.Extend, None, 0.0, names_plugin=False),
    Method(RUNNER_EXCHANGE, _RUNNER, p.Exchange, None, 0.0, names_plugin=False),
    Method(PLUGIN_INVOKE_COMMAND, _HOST, p.Invocation, p.InvocationAnswer, INVOKE_TIMEOUT),
    Method(PLUGIN_INVOKE_ACTION, _HOST, p.Invocation, p.InvocationAnswer, INVOKE_TIMEOUT),
    Method(PLUGIN_INVOKE_TOOL, _HOST, p.Invocation, p.InvocationAnswer, INVOKE_TIMEOUT),
    Method(PLUGIN_INVOKE_API, _HOST, p.Invocation, p.InvocationAnswer, INVOKE_TIMEOUT),
    Method(PLUGIN_INVOKE_MESSAGE_GATEWAY, _HOST, p.Invocation, p.InvocationAnswer, INVOKE_TIMEOUT),
    Method(PLUGIN_INVOKE_LLM_PROVIDER, _HOST, p.LLMInvocation, p.InvocationAnswer, INVOKE_TIMEOUT),
    Method(PLUGIN_EMIT_EVENT, _HOST, p.Invocation, p.EventAnswer, INVOKE_TIMEOUT),
    Method(PLUGIN_INVOKE_HOOK, _HOST, p.Invocation, p.HookAnswer, INVOKE_TIMEOUT),
    Method(PLUGIN_RUN_SEGMENT, _HOST, p.Segment, p.SegmentAnswer, INVOKE_TIMEOUT, names_plugin=False),
    Method(PLUGIN_HEALTH, _HOST, p.Empty, p.HealthAnswer, INVOKE_TIMEOUT, names_plugin=False),
    Method(PLUGIN_PREPARE_SHUTDOWN, _HOST, p.Shutdown, p.Acknowledged, SHUTDOWN_TIMEOUT, names_plugin=False),
    Method(PLUGIN_SHUTDOWN, _HOST, p.Shutdown, p.Acknowledged, SHUTDOWN_TIMEOUT, names_plugin=False),
    Method(PLUGIN_CONFIG_UPDATED, _HOST, p.ConfigUpdated, p.Acknowledged, LIFECYCLE_TIMEOUT),
    Method(PLUGIN_INSPECT_CONFIG, _HOST, p.InspectConfig, p.InspectConfigAnswer, LIFECYCLE_TIMEOUT),
    Method(PLUGIN_VALIDATE_CONFIG, _HOST, p.ValidateConfig, p.ValidateConfigAnswer, LIFECYCLE_TIMEOUT),
    Method(PLUGIN_RELOAD, _HOST, p.Reload, p.ReloadAnswer, RELOAD_TIMEOUT),
    Method(PLUGIN_RELOAD_BATCH, _HOST, p.ReloadBatch, p.ReloadAnswer, RELOAD_TIMEOUT, names_plugin=False),
    Method(PLUGIN_UNLOAD_BATCH, _HOST, p.UnloadBatch, p.UnloadAnswer, RELOAD_TIMEOUT, names_plugin=False),
    Method(PLUGIN_CANCEL, _HOST, p.Cancel, None, 0.0, names_plugin=False),
    Method(PLUGIN_RECALL, _HOST, p.Recall, None, 0.0, names_plugin=False),
)
