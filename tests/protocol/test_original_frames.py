"""What an original runner says, read and said back: the shapes of its frames, with names and texts made up.

Each row repeats keys, types and quirks of a frame that a runner of the original kind sends in protocol 1.0.0. The
quirks are why they are here: answers that leave out fields, a command's result that is a list, dates as extensions,
a map with keys that are numbers, and fields that nobody knows.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import attrs
import msgpack
import pytest

from rookery.protocol import (
    METHODS,
    CapabilityCall,
    EventAnswer,
    HealthAnswer,
    Hello,
    HookAnswer,
    InvocationAnswer,
    LogBatch,
    MessageType,
    RegisterComponents,
    RouteMessage,
    RunnerReady,
    decode_envelope,
    encode_envelope,
    structure,
    unstructure,
)

MESSAGE = {
    "message_id": "m0",
    "timestamp": "1.0",
    "platform": "probe",
    "message_info": {"user_info": {"user_id": "u1", "user_nickname": "U"}, "additional_config": {}},
    "raw_message": [{"type": "text", "data": "hello"}],
}


@attrs.frozen
class Frame:
    """One frame of an original runner."""

    kind: str
    method: str
    payload: dict[str, Any]
    typed: type
    plugin_id: str = "probe.demo"
    timeout_ms: int = 30_000

    def to_map(self) -> dict[str, Any]:
        return {
            "protocol_version": "1.0.0",
            "request_id": 3,
            "message_type": self.kind,
            "method": self.method,
            "plugin_id": self.plugin_id,
            "timestamp_ms": 1_795_462_705_330,
            "timeout_ms": self.timeout_ms,
            "payload": self.payload,
            "error": None,
        }


FRAMES = [
    pytest.param(
        Frame(
            "request",
            "runner.hello",
            {
                "runner_id": "00000000-0000-4000-8000-000000000000",
                "sdk_version": "2.16.0",
                "session_token": "f" * 64,
            },
            Hello,
            plugin_id="",
        ),
        id="a hello without features",
    ),
    pytest.param(
        Frame(
            "request",
            "plugin.register_components",
            {
                "plugin_id": "probe.demo",
                "plugin_version": "1.0.0",
                "plugin_type": "extension",
                "components": [
                    {
                        "name": "t_b",
                        "component_type": "TOOL",
                        "plugin_id": "probe.demo",
                        "chat_scope": "all",
                        "allowed_session": [],
                        "metadata": {
                            "description": "t",
                            "enabled": True,
                            "platforms": [],
                            "parameters": [],
                            "parameters_raw": {},
                            "invoke_method": "plugin.invoke_tool",
                            "handler_name": "t",
                        },
                    }
                ],
                "llm_providers": [],
                "capabilities_required": [],
                "dependencies": [],
                "config_reload_subscriptions": [],
                "default_config": {},
                "config_schema": {},
            },
            RegisterComponents,
            timeout_ms=10_000,
        ),
        id="a registration",
    ),
    pytest.param(
        Frame(
            "request",
            "runner.ready",
            {
                "loaded_plugins": ["probe.demo"],
                "failed_plugins": ["oneword"],
                "failed_plugin_reasons": {"oneword": "字段 id 校验失败"},
                "inactive_plugins": ["probe.off"],
            },
            RunnerReady,
            plugin_id="",
        ),
        id="ready, with a plugin that failed and whose id is none",
    ),
    pytest.param(
        Frame(
            "request",
            "cap.call",
            {"capability": "config.get", "args": {"key": "bot.nickname", "default": "x"}},
            CapabilityCall,
        ),
        id="a capability call",
    ),
    pytest.param(
        Frame(
            "request",
            "host.route_message",
            {
                "gateway_name": "gw",
                "message": MESSAGE,
                "route_metadata": {},
                "external_message_id": "m0",
                "dedupe_key": "k0",
            },
            RouteMessage,
        ),
        id="a message from outside",
    ),
    pytest.param(
        Frame(
            "response",
            "plugin.emit_event",
            {"success": True, "continue_processing": True},
            EventAnswer,
        ),
        id="an event answer that leaves out what it does not say",
    ),
    pytest.param(
        Frame(
            "response",
            "plugin.invoke_hook",
            {"success": False, "action": "continue", "error_message": "'stream_id'"},
            HookAnswer,
        ),
        id="a hook answer of a handler that raised",
    ),
    pytest.param(
        Frame(
            "response",
            "plugin.invoke_command",
            {"success": True, "result": [True, "pong", 2]},
            InvocationAnswer,
        ),
        id="a command's result is the list of a tuple",
    ),
    pytest.param(
        Frame(
            "response",
            "plugin.invoke_tool",
            {
                "success": True,
                "result": {
                    "at": datetime(2026, 8, 22, tzinfo=UTC),
                    "on": date(2026, 8, 22),
                    "raw": b"\x00\xff",
                },
            },
            InvocationAnswer,
        ),
        id="dates are extensions",
    ),
    pytest.param(
        Frame(
            "response",
            "plugin.health",
            {"healthy": True, "loaded_plugins": ["probe.demo"], "uptime_ms": 204},
            HealthAnswer,
            plugin_id="",
        ),
        id="health",
    ),
    pytest.param(
        Frame(
            "broadcast",
            "runner.log_batch",
            {
                "entries": [
                    {
                        "timestamp_ms": 1_795_462_710_548,
                        "level": 10,
                        "logger_name": "runner.main",
                        "message": "收到 shutdown 信号",
                        "exception_text": "",
                        "log_color_in_hex": None,
                    }
                ]
            },
            LogBatch,
            plugin_id="",
        ),
        id="a log batch",
    ),
]


def _packed(data: dict[str, Any]) -> bytes:
    # As the original packs: dates by a default, in the order of its nine keys.
    def pack_date(value: Any) -> msgpack.ExtType:
        return msgpack.ExtType(42 if isinstance(value, datetime) else 43, value.isoformat().encode())

    packed: bytes = msgpack.packb(data, default=pack_date, use_bin_type=True)
    return packed


@pytest.mark.parametrize("frame", FRAMES)
def test_an_original_frame_is_read_and_said_back_byte_for_byte(frame: Frame) -> None:
    """Nothing is lost, added or put into another order."""
    body = _packed(frame.to_map())

    envelope = decode_envelope(body)

    assert envelope.defect == ""
    assert envelope.to_map() == frame.to_map()
    assert encode_envelope(envelope) == body


@pytest.mark.parametrize("frame", FRAMES)
def test_an_original_payload_has_its_methods_shape(frame: Frame) -> None:
    """Missing fields get their defaults, and what was said stays."""
    row = METHODS[frame.method]

    typed = structure(frame.payload, frame.typed)

    assert frame.typed is (row.answer if frame.kind == MessageType.RESPONSE else row.request)
    assert unstructure(typed).items() >= frame.payload.items()


def test_an_unknown_field_of_the_envelope_is_ignored() -> None:
    """Peers of another mind may say more."""
    data = Frame("request", "plugin.health", {}, HealthAnswer).to_map()

    envelope = decode_envelope(_packed(data | {"unknown_field": 1}))

    assert envelope.to_map() == data


def test_an_answer_with_numbers_for_keys_is_read_with_its_defect() -> None:
    """The original runner sends what a plugin returned; its caller has to hear of it."""
    data = Frame(
        "response", "plugin.invoke_tool", {"success": True, "result": {1: "a", 2: "b"}}, InvocationAnswer
    )

    envelope = decode_envelope(_packed(data.to_map()))

    assert (envelope.request_id, envelope.message_type) == (3, MessageType.RESPONSE)
    assert envelope.defect == "a map in it has keys that are not text"
