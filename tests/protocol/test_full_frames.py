"""How much may one frame hold: as many bytes as fit, but not a map or a list in each of them."""

from __future__ import annotations

import base64
import random
import struct
import tracemalloc
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.protocol import (
    CAP_CALL,
    PLUGIN_HEALTH,
    CannotEncode,
    Envelope,
    MessageType,
    RemoteProtocolError,
    build_message,
    codec,
    decode_envelope,
    decode_value,
    encode_envelope,
    encode_value,
    frame,
)
from rookery.protocol.limits import MAX_CONTAINERS, MIB
from tests.doubles.sessions import complaint, open_sessions

_HEAD = b"\x83\xaarequest_id\x01\xacmessage_type\xa8response\xa7payload\x81\xa1x"  # and now the value of payload.x
TOLD = "the frame holds more than 131072 maps, lists and extensions"


def _list_of(item: bytes, size: int) -> bytes:
    """A packed list that takes about ``size`` bytes."""
    count = size // len(item)
    return b"\xdd" + struct.pack(">I", count) + item * count


FULL = [
    pytest.param(b"\x90", id="empty lists"),
    pytest.param(b"\x80", id="empty maps"),
    pytest.param(b"\xdc\x00\x00", id="empty lists in a longer form"),
    pytest.param(b"\x91\xc0", id="lists of a null"),
    pytest.param(b"\x81\xa0\xc0", id="maps of a null"),
    pytest.param(b"\xc7\x00\x05", id="empty extensions"),
    pytest.param(b"\xc7\x0a\x2b2026-08-22", id="dates"),
    pytest.param(b"\x81\x01\xc0", id="maps whose keys are no text"),
]


@pytest.mark.slow
@pytest.mark.parametrize("item", FULL)
def test_a_frame_full_of_containers_is_refused(item: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four MiB of them would become some three hundred; they are built up to the limit and no further, and once."""
    body = _HEAD + _list_of(item, 4 * MIB)
    built, count = 0, codec._Counting._count

    def counted(self: codec._Counting, made: Any) -> Any:
        nonlocal built
        built += 1
        return count(self, made)

    with monkeypatch.context() as patched:
        patched.setattr(codec._Counting, "_count", counted)
        with pytest.raises(RemoteProtocolError, match=TOLD):
            decode_envelope(body)
    tracemalloc.start()
    with pytest.raises(RemoteProtocolError, match=TOLD):
        decode_envelope(body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert built == MAX_CONTAINERS + 1
    assert peak < 80 * MIB


def test_a_peer_that_sends_one_has_broken_a_rule() -> None:
    """The stream ends there, with the reason."""
    host, _ = open_sessions()

    received = host.receive(frame(_HEAD + _list_of(b"\x90", MIB)))

    assert complaint(received) == TOLD


@pytest.mark.slow
def test_the_limit_is_the_last_number_that_is_allowed() -> None:
    """Counted over the whole frame, the outermost list included."""
    full = _list_of(b"\x91\xc0", 2 * (MAX_CONTAINERS - 1))

    assert len(decode_value(full)) == MAX_CONTAINERS - 1
    with pytest.raises(RemoteProtocolError, match=TOLD):
        decode_value(_list_of(b"\x91\xc0", 2 * MAX_CONTAINERS))


def _messages(count: int) -> list[dict[str, Any]]:
    said = {"platform": "probe", "user_id": "u1", "user_name": "U", "group_id": "g", "timestamp": 1.0}
    return [build_message(message_id=f"m{number}", text="hello " * 10, **said) for number in range(count)]


def _pictures(count: int) -> list[bytes]:
    return [random.Random(number).randbytes(300_000) for number in range(count)]


HONEST = [
    pytest.param("x" * MIB, id="1 MiB of text"),
    pytest.param("你好" * 170_000, id="1 MiB of Chinese text"),
    pytest.param([number / 7 for number in range(50_000)], id="50 000 numbers"),
    pytest.param([[number / 7 for number in range(1536)]] * 200, id="200 vectors of 1536 numbers"),
    pytest.param([base64.b64encode(data).decode() for data in _pictures(4)], id="pictures in base64"),
    pytest.param(_pictures(4), id="pictures as bytes"),
    pytest.param(_messages(10_000), id="10 000 messages"),
    pytest.param({f"key {number}": number for number in range(20_000)}, id="a map of 20 000 keys"),
]


@pytest.mark.slow
@pytest.mark.parametrize("value", HONEST)
def test_what_is_honest_has_room(value: object) -> None:
    """It is sent and read as before, however its bytes look."""
    envelope = Envelope(1, MessageType.RESPONSE, PLUGIN_HEALTH, "", {"result": value})

    assert decode_envelope(encode_envelope(envelope)) == envelope


@pytest.mark.slow
def test_too_much_is_refused_before_it_is_sent() -> None:
    """The peer would end the connection over it; here only one request fails, and nothing has changed."""
    _, runner = open_sessions()
    runner.data_to_send()

    with pytest.raises(CannotEncode, match="it holds more than 131072 maps, lists and extensions"):
        runner.request(CAP_CALL, {"args": {"rows": [[]] * MAX_CONTAINERS}}, plugin_id="a.b")

    assert runner.data_to_send() == b""
    assert not runner.pending


def test_a_count_of_what_is_sent_reports_nothing_else() -> None:
    """What the peer may not like for other reasons is found by ``check_sendable``, where that is asked."""
    payload = {"raw": b"\x90" * 2 * MAX_CONTAINERS, "at": msgpack.ExtType(42, b"no date")}

    body = encode_envelope(Envelope(1, MessageType.RESPONSE, "m", "", payload))

    assert len(body) > 2 * MAX_CONTAINERS


keys = st.text(max_size=5)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text()
    | st.binary()
    | st.datetimes()
    | st.dates()
)
sendable = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=20)


@pytest.mark.slow
@given(sendable, st.booleans())
def test_a_large_frame_is_read_as_a_small_one(value: object, loose_keys: bool) -> None:
    """Counting changes nothing of what is read."""
    packed = encode_value([value, "x" * MAX_CONTAINERS])

    assert decode_value(packed, loose_keys=loose_keys) == [value, "x" * MAX_CONTAINERS]


@pytest.mark.slow
def test_a_large_frame_with_odd_keys_has_the_same_defect() -> None:
    """As every other: its caller is told, and the connection lives."""
    payload = {"result": {1: "a", (1, 2): "b"}, "pad": "x" * MAX_CONTAINERS}
    body = msgpack.packb({"request_id": 4, "message_type": "response", "payload": payload})

    envelope = decode_envelope(body)

    assert envelope.defect == "a map in it has keys that are not text"
    assert envelope.payload["result"] == {1: "a"}
