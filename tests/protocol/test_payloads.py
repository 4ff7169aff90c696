"""Payloads: the defaults of protocol 1.0.0, which fields are required, and a path for every wrong type."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.protocol import BadPayload, payloads, structure, unstructure

_COMPONENT = {"name": "n", "component_type": "TOOL"}
_ENTRY = {"timestamp_ms": 1, "level": 20, "logger_name": "l", "message": "m"}

# class: (required fields with a value, optional fields with their default)
FACTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "Hello": ({"runner_id": "r", "sdk_version": "1", "session_token": "t"}, {"features": [], "pid": 0}),
    "HelloAnswer": (
        {"accepted": True},
        {"host_version": "", "reason": "", "features": [], "assignment": None},
    ),
    "Assignment": (
        {"shard": "s", "incarnation": 1},
        {
            "plugins": [],
            "external_plugins": {},
            "blocked": {},
            "plugin_load_timeout": 20.0,
            "thread_limit": 8,
            "terminal": {},
            "command_prefix": "!",
            "log_level": 20,
            "without": [],
            "max_frame_bytes": 16 * 1024 * 1024,
            "max_containers": 131_072,
        },
    ),
    "AssignedPlugin": ({"plugin_id": "a.b"}, {"path": "", "config": {}, "data_dir": "", "enabled": True}),
    "Bootstrap": (
        {"plugin_id": "a.b"},
        {"plugin_version": "1.0.0", "plugin_type": "extension", "capabilities_required": []},
    ),
    "BootstrapAnswer": ({"accepted": True}, {"plugin_id": ""}),
    "RegisterComponents": (
        {"plugin_id": "a.b"},
        {
            "plugin_version": "1.0.0",
            "plugin_type": "extension",
            "components": [],
            "llm_providers": [],
            "capabilities_required": [],
            "dependencies": [],
            "config_reload_subscriptions": [],
            "default_config": {},
            "config_schema": {},
        },
    ),
    "ComponentDeclaration": (
        _COMPONENT,
        {"plugin_id": "", "chat_scope": "all", "allowed_session": [], "metadata": {}},
    ),
    "LLMProviderDeclaration": (
        {"client_type": "c"},
        {"name": "", "description": "", "version": "1.0.0", "metadata": {}},
    ),
    "RegisterAnswer": (
        {"accepted": True},
        {
            "plugin_id": "",
            "registered_components": 0,
            "registered_apis": 0,
            "llm_providers": 0,
            "message_gateways": 0,
        },
    ),
    "Started": ({}, {"request_ids": []}),
    "Cancel": ({}, {"request_ids": []}),
    "Recall": ({}, {"request_ids": []}),
    "Segment": (
        {"method": "plugin.emit_event"},
        {
            "args": b"",
            "plugins": [],
            "components": [],
            "timeouts_ms": [],
            "group": 0,
            "in_turn": False,
            "ordering_key": "",
            "sent_at": 0.0,
        },
    ),
    "SegmentAnswer": ({}, {"speaking": []}),
    "Exchange": ({"plugin_id": "a.b", "step": "trial"}, {}),
    "Extend": ({"seconds": 1.5}, {}),
    "Unregister": ({"plugin_id": "a.b"}, {"reason": "manual"}),
    "UnregisterAnswer": (
        {"accepted": True},
        {
            "plugin_id": "",
            "reason": "",
            "removed_components": 0,
            "removed_apis": 0,
            "removed_llm_providers": 0,
            "removed_registration": False,
        },
    ),
    "RunnerReady": (
        {},
        {"loaded_plugins": [], "failed_plugins": [], "failed_plugin_reasons": {}, "inactive_plugins": []},
    ),
    "Accepted": ({}, {"accepted": True}),
    "Acknowledged": ({}, {"acknowledged": True}),
    "Empty": ({}, {}),
    "CapabilityCall": ({"capability": "send.text"}, {"args": {}, "within": 0}),
    "CapabilityAnswer": ({}, {"success": True, "result": None}),
    "GatewayState": (
        {"gateway_name": "g", "ready": True},
        {"platform": "", "account_id": "", "scope": "", "metadata": {}},
    ),
    "GatewayStateAnswer": ({"accepted": True}, {"ready": False, "route_key": {}}),
    "RouteMessage": (
        {"gateway_name": "g", "message": {}},
        {"route_metadata": {}, "external_message_id": "", "dedupe_key": ""},
    ),
    "RouteMessageAnswer": ({"accepted": True}, {"route_key": {}}),
    "LogBatch": ({"entries": [_ENTRY]}, {}),
    "LogEntry": (_ENTRY, {"exception_text": "", "log_color_in_hex": None}),
    "Loading": ({"plugin_id": ""}, {"phase": ""}),
    "Invocation": ({"component_name": "c"}, {"args": {}, "ordering_key": ""}),
    "InvocationAnswer": ({"success": True}, {"result": None}),
    "LLMInvocation": ({"client_type": "c", "operation": "response"}, {"request": {}}),
    "EventAnswer": (
        {},
        {"success": True, "continue_processing": True, "modified_message": None, "custom_result": None},
    ),
    "HookAnswer": (
        {},
        {
            "success": True,
            "action": "continue",
            "modified_kwargs": None,
            "custom_result": None,
            "error_message": "",
        },
    ),
    "HealthAnswer": ({"healthy": True}, {"loaded_plugins": [], "uptime_ms": 0}),
    "Shutdown": ({}, {"reason": "normal", "drain_timeout_ms": 5000}),
    "Reload": ({"plugin_id": "a.b"}, {"reason": "manual", "external_available_plugins": {}}),
    "ReloadBatch": ({}, {"plugin_ids": [], "reason": "manual", "external_available_plugins": {}}),
    "ReloadAnswer": (
        {"success": True},
        {
            "requested_plugin_id": "",
            "requested_plugin_ids": [],
            "reloaded_plugins": [],
            "unloaded_plugins": [],
            "inactive_plugins": [],
            "failed_plugins": {},
        },
    ),
    "UnloadBatch": ({}, {"plugin_ids": [], "reason": "manual"}),
    "UnloadAnswer": (
        {"success": True},
        {"requested_plugin_ids": [], "unloaded_plugins": [], "failed_plugins": {}},
    ),
    "ConfigUpdated": (
        {"plugin_id": "a.b", "config_version": "1"},
        {"config_scope": "self", "config_data": {}, "if_changed": False},
    ),
    "InspectConfig": ({}, {"config_data": {}, "use_provided_config": False}),
    "InspectConfigAnswer": (
        {"success": True},
        {
            "default_config": {},
            "config_schema": {},
            "normalized_config": {},
            "changed": False,
            "enabled": True,
        },
    ),
    "ValidateConfig": ({}, {"config_data": {}}),
    "ValidateConfigAnswer": ({"success": True}, {"normalized_config": {}, "changed": False}),
}
REQUIRED = [(name, field) for name, (required, _) in FACTS.items() for field in required]
OPTIONAL = [(name, field) for name, (_, optional) in FACTS.items() for field in optional]
FREE = {"result", "custom_result"}  # what a component gave: anything

_WRONG = [None, True, 7, 7.5, "text", b"bytes", [object], {"map": object}]


def _kind(name: str) -> Any:
    return getattr(payloads, name)


def test_every_payload_is_in_the_table_of_this_file() -> None:
    """A new one brings its facts along."""
    assert set(FACTS) == set(payloads.__all__)


@pytest.mark.parametrize("name", FACTS)
def test_the_required_fields_alone_give_all_defaults(name: str) -> None:
    """And back again every field is written out."""
    required, optional = FACTS[name]

    plain = unstructure(structure(required, _kind(name)))

    assert {key: plain[key] for key in optional} == optional
    assert set(plain) == {*required, *optional}


@pytest.mark.parametrize("name", FACTS)
def test_payloads_survive_being_plain(name: str) -> None:
    """Typed, plain, typed."""
    value = structure(FACTS[name][0], _kind(name))

    assert structure(unstructure(value), _kind(name)) == value


@pytest.mark.parametrize("name", FACTS)
def test_unknown_keys_are_ignored(name: str) -> None:
    """A newer peer may say more."""
    required, _ = FACTS[name]

    assert structure({**required, "from_the_future": {"x": [1]}}, _kind(name)) == structure(
        required, _kind(name)
    )


@pytest.mark.parametrize(("name", "field"), REQUIRED)
def test_a_missing_field_is_named(name: str, field: str) -> None:
    """As required."""
    required = {key: value for key, value in FACTS[name][0].items() if key != field}

    with pytest.raises(BadPayload) as caught:
        structure(required, _kind(name))

    assert str(caught.value) == f"{field}: is required and missing"


@pytest.mark.parametrize(("name", "field"), [pair for pair in REQUIRED + OPTIONAL if pair[1] not in FREE])
def test_a_value_of_a_wrong_type_is_named(name: str, field: str) -> None:
    """Every type that is not the field's own: no number becomes a text, no text a list of letters."""
    required, optional = FACTS[name]
    declared = {**required, **optional}[field]

    for wrong in _WRONG:
        if _is_like(wrong, declared, field):
            continue
        with pytest.raises(BadPayload) as caught:
            structure({**required, field: wrong}, _kind(name))
        assert caught.value.path == field
        assert "must be" in caught.value.message


def _is_like(wrong: object, declared: object, field: str) -> bool:
    """True when the wrong value happens to be right for a field with this value or default."""
    if declared is None:  # optional: null or its other type
        other = {"log_color_in_hex": str}.get(field, dict)
        return wrong is None or type(wrong) is other
    if type(declared) is float:
        return type(wrong) in (float, int)
    return type(wrong) is type(declared)
