"""Values and envelopes as bytes: what crosses the wire, what cannot, and how that is said."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum, IntEnum, StrEnum
from typing import Any

import msgpack
import pytest

from rookery.protocol import (
    CannotEncode,
    Envelope,
    MessageType,
    RemoteProtocolError,
    check_sendable,
    decode_envelope,
    decode_value,
    encode_envelope,
    encode_value,
)
from rookery.protocol.limits import MAX_DEPTH


class _Colour(Enum):
    RED = "red"
    NESTED = ("a", 1)
    HOPELESS = object()


class _Word(StrEnum):
    YES = "yes"


class _Number(IntEnum):
    TWO = 2


class _Angry:
    def __repr__(self) -> str:
        raise RuntimeError("no repr for you")


def _nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -(2**63),
        2**64 - 1,
        1.5,
        float("inf"),
        "",
        "häßlich 🦜",
        b"\x00\xff",
        [],
        [1, [2, ["x"]]],
        {},
        {"a": {"b": [None]}},
        datetime(2026, 8, 22, 1, 2, 3, 456789),
        datetime(2026, 8, 22, tzinfo=UTC),
        datetime(2026, 8, 22, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
        date(2026, 8, 22),
        msgpack.ExtType(7, b"kept"),
        msgpack.Timestamp(1, 2),
    ],
    ids=repr,
)
def test_values_survive_the_wire(value: object) -> None:
    """With their types."""
    back = decode_value(encode_value(value))

    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    ("value", "back"),
    [
        pytest.param((1, (2,)), [1, [2]], id="tuples become lists"),
        pytest.param(_Colour.RED, "red", id="an enum its value"),
        pytest.param(_Colour.NESTED, ["a", 1], id="an enum of a tuple a list"),
        pytest.param(_Word.YES, "yes", id="a text enum its text"),
        pytest.param(_Number.TWO, 2, id="a number enum its number"),
        pytest.param(bytearray(b"x"), b"x", id="a bytearray bytes"),
    ],
)
def test_values_that_arrive_as_something_simpler(value: object, back: object) -> None:
    """As the protocol has it."""
    assert decode_value(encode_value(value)) == back


def test_dates_are_extensions_with_iso_text() -> None:
    """Codes 42 and 43."""
    assert encode_value(datetime(2026, 8, 22)) == b"\xc7\x13\x2a2026-08-22T00:00:00"
    assert encode_value(date(2026, 8, 22)) == b"\xc7\x0a\x2b2026-08-22"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({1, 2}, id="a set"),
        pytest.param(object(), id="an object"),
        pytest.param(1 + 2j, id="a complex number"),
        pytest.param(2**64, id="65 bits"),
        pytest.param(-(2**63) - 1, id="65 bits below zero"),
        pytest.param("\ud800", id="a lone surrogate"),
        pytest.param({"\udfff": 1}, id="a lone surrogate in a key"),
        pytest.param(_Colour.HOPELESS, id="an enum of an object"),
        pytest.param(_Angry(), id="an object whose repr raises"),
        pytest.param({"a": [{"b": len}]}, id="a function deep inside"),
        pytest.param(_nested(100_000), id="a hundred thousand levels"),
    ],
)
def test_what_has_no_form_on_the_wire_is_a_local_error(value: object) -> None:
    """And of no other kind."""
    with pytest.raises(CannotEncode):
        encode_value(value)


def test_a_cycle_cannot_be_encoded() -> None:
    """It is only a nesting without end."""
    cycle: dict[str, Any] = {}
    cycle["self"] = cycle

    with pytest.raises(CannotEncode):
        encode_value(cycle)
    with pytest.raises(CannotEncode):
        check_sendable(cycle)


def test_the_error_names_what_could_not_be_sent() -> None:
    """The type and the value."""
    with pytest.raises(CannotEncode, match=r"a set cannot be sent: \{1\}"):
        encode_value({"x": {1}})


def test_sendable_values_pass() -> None:
    """Text keys at every level, and depth up to the limit."""
    check_sendable({"a": [{"b": (1, {"c": _Word.YES})}], _Word.YES: 1})
    check_sendable(_nested(MAX_DEPTH))


@pytest.mark.parametrize(
    ("value", "told"),
    [
        pytest.param({1: 2}, "map keys must be text, got the key 1", id="number key"),
        pytest.param(
            [{"a": ({None: 0},)}], "map keys must be text, got the key None", id="null key deep inside"
        ),
        pytest.param({b"x": 1}, r"map keys must be text, got the key b'x'", id="bytes key"),
        pytest.param({_Angry(): 1}, "map keys must be text", id="key whose repr raises"),
        pytest.param(_nested(MAX_DEPTH + 2), "nests deeper than 128 levels", id="one level too many"),
    ],
)
def test_what_the_peer_could_not_read_is_found_before(value: object, told: str) -> None:
    """msgpack would pack it."""
    with pytest.raises(CannotEncode, match=told):
        check_sendable(value)


def test_envelopes_survive_the_wire() -> None:
    """All fields."""
    envelope = Envelope(5, MessageType.RESPONSE, "m", "a.b", {"x": [1]}, {"code": "OK"}, 7, 8, "1.0.1")

    assert decode_envelope(encode_envelope(envelope)) == envelope


def test_odd_keys_are_a_defect_and_no_protocol_error() -> None:
    """Original runners send what a careless plugin returned; id and method can be read all the same."""
    body = msgpack.packb(
        {"request_id": 4, "message_type": "response", "payload": {"result": {1: "a", None: 2}}}
    )

    envelope = decode_envelope(body)

    assert envelope.request_id == 4
    assert envelope.defect == "a map in it has keys that are not text"
    assert envelope.payload == {"result": {1: "a", None: 2}}


@pytest.mark.parametrize(
    "key",
    [
        pytest.param((1, "a"), id="a tuple"),
        pytest.param(date(2026, 1, 1), id="a date"),
        pytest.param(datetime(2026, 1, 1), id="a datetime"),
        pytest.param(msgpack.ExtType(1, b""), id="an extension"),
        pytest.param(msgpack.Timestamp(1, 0), id="a time stamp"),
    ],
)
def test_keys_that_are_no_scalars_are_left_out(key: object) -> None:
    """A plugin's map with tuples for keys costs its caller an error and not the runner its life."""
    default = None if not isinstance(key, date) else _pack_date
    body = msgpack.packb(
        {"request_id": 4, "message_type": "response", "payload": {"result": {key: 1, "kept": 2}}},
        default=default,
    )

    envelope = decode_envelope(body)

    assert envelope.defect
    assert envelope.payload == {"result": {"kept": 2}}


def _pack_date(value: Any) -> msgpack.ExtType:
    return msgpack.ExtType(42 if isinstance(value, datetime) else 43, value.isoformat().encode())


def test_bytes_keys_are_no_defect() -> None:
    """They survive in every implementation of protocol 1.0.0."""
    body = msgpack.packb({"request_id": 4, "message_type": "response", "payload": {b"x": 1}})

    envelope = decode_envelope(body)

    assert envelope.payload == {b"x": 1}
    assert not envelope.defect


@pytest.mark.parametrize("value", [1, "text", [], None, b"", msgpack.ExtType(1, b"")], ids=repr)
def test_a_frame_must_hold_a_map(value: object) -> None:
    """And says what it holds instead."""
    with pytest.raises(RemoteProtocolError, match=f"must hold a map, got {type(value).__name__}"):
        decode_envelope(msgpack.packb(value))
