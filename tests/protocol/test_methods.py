"""THE table against the facts of protocol 1.0.0: who calls what, with what, and how long it may take."""

from __future__ import annotations

import attrs
import pytest

from rookery.protocol import METHODS, Kind, Method, Side, methods, payloads

# name: (request, answer, seconds, the envelope names a plugin). The first part is called by runners.
FROM_RUNNER = {
    "runner.hello": ("Hello", "HelloAnswer", 10, False),
    "plugin.bootstrap": ("Bootstrap", "BootstrapAnswer", 10, True),
    "plugin.register_components": ("RegisterComponents", "RegisterAnswer", 10, True),
    "plugin.register_plugin": ("RegisterComponents", "RegisterAnswer", 10, True),
    "plugin.unregister": ("Unregister", "UnregisterAnswer", 10, True),
    "runner.ready": ("RunnerReady", "Accepted", 10, False),
    "cap.call": ("CapabilityCall", "CapabilityAnswer", 30, True),
    "host.update_message_gateway_state": ("GatewayState", "GatewayStateAnswer", 30, True),
    "host.route_message": ("RouteMessage", "RouteMessageAnswer", 30, True),
    "runner.log_batch": ("LogBatch", None, 0, False),
}
FROM_HOST = {
    "plugin.invoke_command": ("Invocation", "InvocationAnswer", 30, True),
    "plugin.invoke_action": ("Invocation", "InvocationAnswer", 30, True),
    "plugin.invoke_tool": ("Invocation", "InvocationAnswer", 30, True),
    "plugin.invoke_message_gateway": ("Invocation", "InvocationAnswer", 30, True),
    "plugin.invoke_api": ("Invocation", "InvocationAnswer", 30, True),
    "plugin.invoke_llm_provider": ("LLMInvocation", "InvocationAnswer", 30, True),
    "plugin.emit_event": ("Invocation", "EventAnswer", 30, True),
    "plugin.invoke_hook": ("Invocation", "HookAnswer", 30, True),
    "plugin.health": ("Empty", "HealthAnswer", 30, False),
    "plugin.prepare_shutdown": ("Shutdown", "Acknowledged", 5, False),
    "plugin.shutdown": ("Shutdown", "Acknowledged", 5, False),
    "plugin.config_updated": ("ConfigUpdated", "Acknowledged", 10, True),
    "plugin.inspect_config": ("InspectConfig", "InspectConfigAnswer", 10, True),
    "plugin.validate_config": ("ValidateConfig", "ValidateConfigAnswer", 10, True),
    "plugin.reload": ("Reload", "ReloadAnswer", 30, True),
    "plugin.reload_batch": ("ReloadBatch", "ReloadAnswer", 30, False),
    "plugin.unload_batch": ("UnloadBatch", "UnloadAnswer", 30, False),
}
# What a runner of this project says beyond protocol 1.0.0, once the host has agreed to it.
BEYOND = {
    "runner.loading": ("Loading", None, 0, False),
    "runner.started": ("Started", None, 0, False),
    "runner.extend": ("Extend", None, 0, False),
    "runner.exchange": ("Exchange", None, 0, False),
}
# What a host of this project says beyond protocol 1.0.0, to a runner that has announced it.
TOLD = {
    "plugin.cancel": ("Cancel", None, 0, False),
    "plugin.recall": ("Recall", None, 0, False),
}
# What it asks such a runner.
ASKED = {
    "plugin.run_segment": ("Segment", "SegmentAnswer", 30, False),
}


@pytest.mark.parametrize(
    ("name", "caller"),
    [
        *((name, Side.RUNNER) for name in [*FROM_RUNNER, *BEYOND]),
        *((name, Side.HOST) for name in [*FROM_HOST, *TOLD, *ASKED]),
    ],
)
def test_a_method_is_as_the_protocol_has_it(name: str, caller: Side) -> None:
    """Caller, types, budget, and whether the envelope names a plugin."""
    request, answer, timeout, names_plugin = {**FROM_RUNNER, **BEYOND, **FROM_HOST, **TOLD, **ASKED}[name]
    row = METHODS[name]

    assert row.name == name
    assert row.caller is caller
    assert row.request is getattr(payloads, request)
    assert row.answer is (getattr(payloads, answer) if answer else None)
    assert row.timeout == timeout
    assert row.names_plugin is names_plugin


def test_there_are_no_other_methods() -> None:
    """Whatever is not in the table is refused, so the table is all there is."""
    assert set(METHODS) == {*FROM_RUNNER, *BEYOND, *FROM_HOST, *TOLD, *ASKED}


def test_in_protocol_1_0_0_only_the_log_is_a_broadcast() -> None:
    """Everything else that nobody answers is said to those who have announced that they know it."""
    broadcasts = {row.name for row in METHODS.values() if row.kind is Kind.BROADCAST}

    assert broadcasts == {"runner.log_batch", *BEYOND, *TOLD}


def test_every_method_has_a_constant() -> None:
    """Nobody writes a method's name a second time."""
    constants = {
        value for name, value in vars(methods).items() if name[0].isupper() and isinstance(value, str)
    }

    assert constants == set(METHODS)


@pytest.mark.parametrize("row", METHODS.values(), ids=lambda row: row.name)
def test_payloads_are_frozen_classes_with_named_fields(row: Method) -> None:
    """So that both ends can make them of plain maps."""
    for kind in filter(None, (row.request, row.answer)):
        assert attrs.has(kind)
        assert kind.__setattr__ is not object.__setattr__
        assert all(field.kw_only for field in attrs.fields(kind))


def test_the_table_cannot_be_changed() -> None:
    """It is one for all."""
    with pytest.raises(TypeError):
        METHODS["x"] = METHODS["cap.call"]  # type: ignore[index]
