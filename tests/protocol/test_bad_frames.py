"""Frames that no peer should send: each is a protocol error with a reason, soon, and in little memory."""

from __future__ import annotations

import struct
import time
import tracemalloc

import msgpack
import pytest

from rookery.protocol import (
    RemoteProtocolError,
    RequestRefused,
    RuleBroken,
    Session,
    decode_envelope,
    frame,
)
from rookery.protocol.limits import MAX_FRAME_BYTES
from tests.doubles.sessions import complaint, open_sessions, raw_frame

_HEAD = b"\x83\xaarequest_id\x01\xacmessage_type\xa8response\xa7payload\x81\xa1x"  # and now the value of payload.x
_FOUR_GIB = b"\xff\xff\xff\xff"

BODIES = [
    pytest.param(b"\xc1", "msgpack", id="the reserved byte alone"),
    pytest.param(_HEAD + b"\xc1", "msgpack", id="the reserved byte inside"),
    pytest.param(_HEAD, "msgpack", id="truncated before a value"),
    pytest.param(_HEAD + b"\xa5ab", "msgpack", id="truncated in a text"),
    pytest.param(_HEAD + b"\xc0" + b"\xc0", "msgpack", id="a byte behind the map"),
    pytest.param(_HEAD + b"\xa2\xff\xfe", "utf-8", id="a text that is not UTF-8"),
    pytest.param(b"\x81\xa2\xff\xfe\xc0", "utf-8", id="a key that is not UTF-8"),
    pytest.param(_HEAD + b"\x91" * 100_000 + b"\xc0", "msgpack", id="lists in lists, 100 000 deep"),
    pytest.param(_HEAD + b"\x81\xa1a" * 100_000 + b"\xc0", "msgpack", id="maps in maps, 100 000 deep"),
    pytest.param(_HEAD + b"\xdd" + _FOUR_GIB, "msgpack", id="a list of 4 G items"),
    pytest.param(_HEAD + b"\xdf" + _FOUR_GIB, "msgpack", id="a map of 4 G items"),
    pytest.param(_HEAD + b"\xdb" + _FOUR_GIB, "msgpack", id="a text of 4 GiB"),
    pytest.param(_HEAD + b"\xc6" + _FOUR_GIB, "msgpack", id="bytes of 4 GiB"),
    pytest.param(_HEAD + b"\xc9" + _FOUR_GIB + b"\x01", "msgpack", id="an extension of 4 GiB"),
    pytest.param(_HEAD + b"\xd4\xfe\x00", "msgpack", id="an extension code that is reserved"),
    pytest.param(_HEAD + b"\xd4\xff\x00", "msgpack", id="a time stamp of one byte"),
    pytest.param(_HEAD + b"\xd7\xff" + b"\xff" * 8, "msgpack", id="a time stamp of too many nanoseconds"),
    pytest.param(_HEAD + b"\xc7\x03\x2anow", "ISO 8601", id="a datetime that is none"),
    pytest.param(_HEAD + b"\xc7\x02\x2b\xff\xff", "ISO 8601", id="a date that is no text"),
    pytest.param(_HEAD + b"\xc7\x00\x2a", "ISO 8601", id="an empty datetime"),
    pytest.param(msgpack.packb([]), "must hold a map", id="a list"),
    pytest.param(msgpack.packb({}), "'request_id'", id="an empty map"),
    pytest.param(msgpack.packb({1: 2}), "'request_id'", id="a map of numbers"),
    pytest.param(msgpack.packb({"request_id": 1}), "'message_type'", id="an id alone"),
    pytest.param(b"\x81\xaarequest_id" + b"\x91" * 1_000 + b"\x90", "'request_id'", id="an id 1 000 deep"),
]


@pytest.mark.parametrize(("body", "told"), BODIES)
def test_a_bad_body_ends_the_stream_with_a_reason(body: bytes, told: str) -> None:
    """What came before it counts, what comes after it is not read."""
    host, _ = open_sessions()
    good = raw_frame(request_id=7, message_type="response")

    received = host.receive(good + frame(body) + good)

    assert [type(item).__name__ for item in received] == ["AnswerDropped", "RuleBroken"]
    assert told.lower() in complaint(received).lower()
    assert len(complaint(received)) < 300
    assert host.receive(good) == []


def test_an_oversized_claim_ends_the_stream() -> None:
    """Before a byte of the body arrives."""
    host, _ = open_sessions()

    received = host.receive(struct.pack(">I", MAX_FRAME_BYTES + 1))

    assert complaint(received) == "a frame claims a length of 16777217 bytes, the limit is 16777216"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(_HEAD + b"\xdd" + _FOUR_GIB, id="a list of 4 G items"),
        pytest.param(_HEAD + b"\xdf" + _FOUR_GIB, id="a map of 4 G items"),
        pytest.param(_HEAD + b"\xc6" + _FOUR_GIB, id="bytes of 4 GiB"),
        pytest.param(_HEAD + b"\x91" * 100_000 + b"\xc0", id="100 000 levels"),
    ],
)
def test_a_false_claim_costs_neither_time_nor_memory(body: bytes) -> None:
    """A claim is compared with the bytes that are there before anything is reserved for it."""
    tracemalloc.start()
    started = time.process_time()

    with pytest.raises(RemoteProtocolError):
        decode_envelope(body)

    took = time.process_time() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * 1024 * 1024
    assert took < 0.1


def test_a_claim_of_4_gib_in_each_header_costs_nothing_either() -> None:
    """The header alone is refused."""
    tracemalloc.start()

    for _ in range(1_000):
        session = open_sessions()[0]
        session.receive(_FOUR_GIB)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * 1024 * 1024


def test_keys_whose_hashes_collide_are_never_hashed() -> None:
    """Extensions with chosen contents as keys: no map is built of them, so nothing becomes quadratic."""
    keys = b"".join(struct.pack(">Bbq", 0xD7, -1, number) + b"\x00" for number in range(20_000))
    body = _HEAD + b"\xdf" + struct.pack(">I", 20_000) + keys

    envelope = decode_envelope(body)

    assert envelope.defect
    assert envelope.payload == {"x": {}}


def test_deep_nesting_that_msgpack_still_reads_is_no_reason_to_fail() -> None:
    """A thousand levels arrive; only answering with them is impossible."""
    envelope = decode_envelope(_HEAD + b"\x91" * 1_000 + b"\x90")

    assert not envelope.defect


@pytest.mark.parametrize("cut", range(1, len(raw_frame(request_id=1, message_type="response"))))
def test_a_frame_cut_anywhere_waits_for_its_rest(cut: int) -> None:
    """Silence is not an error of the protocol, and half a frame is never handed out."""
    host, _ = open_sessions()
    whole = raw_frame(request_id=1, message_type="response")

    assert host.receive(whole[:cut]) == []
    assert [type(item).__name__ for item in host.receive(whole[cut:])] == ["AnswerDropped"]


def test_a_request_that_fills_its_frame_with_a_name_cannot_break_the_refusal() -> None:
    """A refusal repeats the names and would exceed the frame that the request just fitted into."""
    host, _ = open_sessions()
    longest = MAX_FRAME_BYTES - 200

    received = host.receive(raw_frame(request_id=2, message_type="request", method="x" * longest))

    assert "envelope field 'method' must be at most 1024 characters long" in complaint(received)


def test_names_of_the_greatest_length_are_refused_politely() -> None:
    """In four bytes a character, even under the smallest limit in use."""
    host, runner = open_sessions(max_frame_bytes=64 * 1024)

    received = host.receive(
        raw_frame(request_id=2, message_type="request", method="🦜" * 1024, plugin_id="🦜" * 1024)
    )

    assert isinstance(received[0], RequestRefused)
    runner.receive(host.data_to_send())


def _hello_with(payload: object) -> tuple[Session, list[object]]:
    host = Session(open_sessions()[0].side)
    received = host.receive(
        raw_frame(request_id=1, message_type="request", method="runner.hello", payload=payload)
    )
    return host, list(received)


def test_a_hello_with_odd_keys_is_refused_and_not_an_exception() -> None:
    """The very first frame of a stranger."""
    host, received = _hello_with({1: 2})

    assert [type(item).__name__ for item in received] == ["RequestRefused"]
    assert b"E_BAD_PAYLOAD" in host.data_to_send()
    assert host.state.value == "closed"


def test_a_hello_whose_payload_is_no_map_ends_the_stream() -> None:
    """Like any other envelope."""
    _, received = _hello_with([1])

    assert isinstance(received[0], RuleBroken)
