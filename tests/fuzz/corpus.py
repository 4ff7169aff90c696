"""What does honest input look like: a value of every payload class and an envelope of every method, by the encoder."""

from __future__ import annotations

import types
from datetime import UTC, date, datetime
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs
import msgpack

from rookery.protocol import (
    METHODS,
    Envelope,
    ErrorCode,
    MessageType,
    build_message,
    encode_envelope,
    encode_value,
    payloads,
    unstructure,
)

CLASSES: tuple[type, ...] = tuple(getattr(payloads, name) for name in payloads.__all__)
"""Every payload class, in an order that does not change from run to run."""

FREE: dict[str, Any] = {
    "text": "häßlich 🦜",
    "numbers": [0, -1, 127, 128, 2**31, 2**63, 2**64 - 1, -(2**63), 1.5, float("inf"), float("nan"), -0.0],
    "nothing": None,
    "truth": [True, False],
    "raw": b"\x00\xff" * 20,
    "at": datetime(2026, 8, 22, 1, 2, 3, 456789, tzinfo=UTC),
    "on": date(2026, 8, 22),
    "kept": msgpack.ExtType(7, b"kept"),
    "stamp": msgpack.Timestamp(1, 2),
    "nested": {"list": [[], {}, [[["deep"]]]], "long": "x" * 300},
}
"""A free-form map with a value of every kind that can be sent."""

MESSAGE = build_message(
    message_id="m1",
    platform="probe",
    user_id="u1",
    user_name="U",
    text="hello",
    timestamp=1.5,
    group_id="g1",
    additional={"k": 1},
)


def example(kind: Any) -> Any:
    """A value of an annotation, with every field said and every list filled."""
    if attrs.has(kind):
        hints = get_type_hints(kind)
        return kind(**{field.name: example(hints[field.name]) for field in attrs.fields(kind)})
    if kind is Any:
        return FREE
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is list:
        return [example(arguments[0])] * 2
    if origin is dict:
        return FREE if arguments[1] is Any else {"key": example(arguments[1])}
    if origin in (Union, types.UnionType):
        return example(arguments[0])
    return {str: "text", bytes: b"\x81\xa1a\x01", int: 7, float: 1.5, bool: True}[kind]


def payload_bodies() -> list[bytes]:
    """A packed payload of each class, in the order of ``CLASSES``."""
    return [encode_value(unstructure(example(cls))) for cls in CLASSES]


def envelopes() -> list[Envelope]:
    """Each method's request and answer, and refusals."""
    made: list[Envelope] = []
    for number, row in enumerate(METHODS.values(), start=1):
        asked = MessageType.BROADCAST if row.answer is None else MessageType.REQUEST
        plugin_id = "probe.demo" if row.names_plugin else ""
        told = [(asked, row.request), (MessageType.RESPONSE, row.answer)]
        made += [
            Envelope(number, kind, row.name, plugin_id, unstructure(example(cls)))
            for kind, cls in told
            if cls is not None
        ]
    refusal = {"code": ErrorCode.E_TIMEOUT.value, "message": "too late", "details": FREE}
    made.append(Envelope(1, MessageType.RESPONSE, "plugin.health", payload={}, error=refusal))
    made.append(Envelope(2, MessageType.RESPONSE, "plugin.health", error={"code": 7}))
    return made


def envelope_bodies(*, compact: bool = False) -> list[bytes]:
    """Bodies of frames that hold these envelopes."""
    return [encode_envelope(envelope, compact=compact) for envelope in envelopes()]


def message_bodies() -> list[bytes]:
    """Packed message maps."""
    private = {**MESSAGE, "message_info": {**MESSAGE["message_info"], "group_info": None}}
    silent = {key: value for key, value in MESSAGE.items() if key != "processed_plain_text"}
    return [encode_value(message) for message in (MESSAGE, private, silent)]
