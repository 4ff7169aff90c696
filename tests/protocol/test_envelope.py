"""The nine fields: their defaults, their types, and what is said when one is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.protocol import Envelope, MessageType, RemoteProtocolError, envelope_from_map
from rookery.protocol.limits import MAX_NAME_CHARS

SMALLEST = {"request_id": 3, "message_type": "request"}


def test_missing_fields_have_the_defaults_of_the_protocol() -> None:
    """Only the id and the type are required."""
    assert envelope_from_map(SMALLEST) == Envelope(
        request_id=3,
        message_type=MessageType.REQUEST,
        method="",
        plugin_id="",
        payload={},
        error=None,
        timeout_ms=30_000,
        timestamp_ms=0,
        protocol_version="1.0.0",
    )


def test_unknown_fields_are_ignored() -> None:
    """A newer peer may say more."""
    assert envelope_from_map({**SMALLEST, "trace": [1, 2]}) == envelope_from_map(SMALLEST)


def test_every_field_is_taken() -> None:
    """None is mixed up with another."""
    envelope = envelope_from_map(
        {
            "protocol_version": "1.7",
            "request_id": 9,
            "message_type": "response",
            "method": "cap.call",
            "plugin_id": "a.b",
            "timestamp_ms": 17,
            "timeout_ms": 5,
            "payload": {"x": 1},
            "error": {"code": "E_TIMEOUT"},
        }
    )

    assert envelope == Envelope(
        9, MessageType.RESPONSE, "cap.call", "a.b", {"x": 1}, {"code": "E_TIMEOUT"}, 5, 17, "1.7"
    )


def test_the_map_has_nine_keys_in_the_order_of_the_original() -> None:
    """Byte for byte what an original peer would have sent."""
    assert list(Envelope(1, MessageType.BROADCAST).to_map()) == [
        "protocol_version",
        "request_id",
        "message_type",
        "method",
        "plugin_id",
        "timestamp_ms",
        "timeout_ms",
        "payload",
        "error",
    ]


@pytest.mark.parametrize("kind", ["request", "response", "broadcast"])
def test_a_map_makes_the_envelope_it_came_from(kind: str) -> None:
    """In all three kinds."""
    envelope = Envelope(1, MessageType(kind), "m", "p.q", {"a": None}, None, 1, 2)

    assert envelope_from_map(envelope.to_map()) == envelope


@pytest.mark.parametrize("empty", [None, {}], ids=["null", "an empty map"])
def test_an_empty_error_is_none(empty: object) -> None:
    """Only a map with something in it makes an answer an error."""
    assert envelope_from_map({**SMALLEST, "error": empty}).error is None


def test_a_null_payload_is_an_empty_one() -> None:
    """Some peers write it so."""
    assert envelope_from_map({**SMALLEST, "payload": None}).payload == {}


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("request_id", None, "must be an integer, got None"),
        ("request_id", "3", "must be an integer, got '3'"),
        ("request_id", 3.0, "must be an integer, got 3.0"),
        ("request_id", True, "must be an integer, got True"),
        ("message_type", None, "must be one of request, response, broadcast, got None"),
        ("message_type", "event", "must be one of request, response, broadcast, got 'event'"),
        ("message_type", ["request"], "must be one of request, response, broadcast, got ['request']"),
        ("method", None, "must be a text, got None"),
        ("method", b"cap.call", "must be a text, got b'cap.call'"),
        ("plugin_id", 5, "must be a text, got 5"),
        ("protocol_version", 1, "must be a text, got 1"),
        ("timeout_ms", "30000", "must be an integer, got '30000'"),
        ("timeout_ms", 1.5, "must be an integer, got 1.5"),
        ("timeout_ms", False, "must be an integer, got False"),
        ("timestamp_ms", None, "must be an integer, got None"),
        ("payload", [1], "must be a map, got [1]"),
        ("payload", "", "must be a map, got ''"),
        ("error", "E_TIMEOUT", "must be a map or null, got 'E_TIMEOUT'"),
        ("error", 0, "must be a map or null, got 0"),
    ],
)
def test_a_wrong_type_is_named_with_its_field(field: str, value: object, expected: str) -> None:
    """What was given and what was expected."""
    with pytest.raises(RemoteProtocolError) as caught:
        envelope_from_map({**SMALLEST, field: value})

    assert caught.value.reason == f"envelope field {field!r} {expected}"


@pytest.mark.parametrize("field", ["request_id", "message_type"])
def test_a_missing_required_field_is_named(field: str) -> None:
    """The id and the type have no defaults."""
    with pytest.raises(RemoteProtocolError, match=f"'{field}'"):
        envelope_from_map({name: value for name, value in SMALLEST.items() if name != field})


@pytest.mark.parametrize("field", ["method", "plugin_id"])
def test_a_name_without_end_is_refused(field: str) -> None:
    """An answer repeats both names: a refusal has to fit into a frame that the request just filled."""
    longest = "x" * MAX_NAME_CHARS

    assert envelope_from_map({**SMALLEST, field: longest}).to_map()[field] == longest
    with pytest.raises(RemoteProtocolError, match="at most 1024 characters"):
        envelope_from_map({**SMALLEST, field: longest + "x"})


def test_a_wrong_value_of_any_depth_is_named_shortly() -> None:
    """Even where repr gives up."""
    deep: list[Any] = []
    for _ in range(1_000):
        deep = [deep]

    with pytest.raises(RemoteProtocolError) as caught:
        envelope_from_map({**SMALLEST, "request_id": deep})

    assert len(caught.value.reason) < 200
