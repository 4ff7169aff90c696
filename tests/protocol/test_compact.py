"""The compact form of an envelope: what it holds, what is refused in it, and when two ends speak it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.protocol import (
    CAP_CALL,
    PLUGIN_HEALTH,
    RUNNER_HELLO,
    RUNNER_LOG_BATCH,
    CannotEncode,
    Envelope,
    ErrorCode,
    MessageType,
    RemoteProtocolError,
    RequestReceived,
    RequestSettled,
    Session,
    State,
    decode_envelope,
    encode_envelope,
    envelope_from_list,
    frame,
)
from rookery.protocol.limits import MAX_CONTAINERS, MAX_NAME_CHARS
from tests.doubles.sessions import HELLO, asked, complaint, new_sessions, open_sessions, pass_on, raw_frame

OFFER = {**HELLO, "features": ["logs", "compact"]}
ACCEPTED = {"accepted": True, "features": ["compact"]}

FIELDS: dict[str, Any] = {
    "request_id": 1,
    "message_type": 0,
    "method": "cap.call",
    "plugin_id": "a.b",
    "timeout_ms": 30_000,
    "payload": {"x": [1]},
    "error": None,
}

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
maps = st.dictionaries(st.text(), plain, max_size=4)


def _sent(session: Session) -> Any:
    """What the one frame holds that waits to be sent."""
    return msgpack.unpackb(session.data_to_send()[4:])


def _compact_frame(**changes: Any) -> bytes:
    return frame(msgpack.packb([*{**FIELDS, **changes}.values()]))


# --- one envelope ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "number"),
    [(MessageType.REQUEST, 0), (MessageType.RESPONSE, 1), (MessageType.BROADCAST, 2)],
)
def test_it_is_a_list_of_seven(kind: MessageType, number: int) -> None:
    """In this order, for ever: the other end may be older."""
    envelope = Envelope(5, kind, "m", "a.b", {"x": 1}, {"code": "OK"}, 7, 8, "1.0.1")

    body = encode_envelope(envelope, compact=True)

    assert msgpack.unpackb(body) == [5, number, "m", "a.b", 7, {"x": 1}, {"code": "OK"}]


@pytest.mark.slow
@given(
    st.integers(-(2**63), 2**64 - 1),
    st.sampled_from(MessageType),
    st.text(max_size=40),
    st.text(max_size=40),
    maps,
    st.none() | maps.filter(bool),
    st.integers(-(2**63), 2**64 - 1),
)
def test_it_says_what_the_map_says(
    request_id: int,
    kind: MessageType,
    method: str,
    plugin_id: str,
    payload: dict[str, Any],
    error: dict[str, Any] | None,
    timeout_ms: int,
) -> None:
    """Whatever the fields hold."""
    envelope = Envelope(request_id, kind, method, plugin_id, payload, error, timeout_ms)

    compact = decode_envelope(encode_envelope(envelope, compact=True), compact=True)

    assert compact == envelope
    assert compact == decode_envelope(encode_envelope(envelope))


def test_extensions_travel_in_it() -> None:
    """The form of the payload is the same."""
    payload = {"at": datetime(2026, 8, 22, 1, 2, 3, tzinfo=UTC)}

    body = encode_envelope(Envelope(1, MessageType.REQUEST, "m", payload=payload), compact=True)

    assert decode_envelope(body, compact=True).payload == payload


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("request_id", None, "must be an integer, got None"),
        ("request_id", True, "must be an integer, got True"),
        ("message_type", 3, "must be one of request, response, broadcast, got 3"),
        ("message_type", -1, "must be one of request, response, broadcast, got -1"),
        ("message_type", True, "must be one of request, response, broadcast, got True"),
        ("message_type", "request", "must be one of request, response, broadcast, got 'request'"),
        ("message_type", [0], "must be one of request, response, broadcast, got [0]"),
        ("method", None, "must be a text, got None"),
        ("method", b"cap.call", "must be a text, got b'cap.call'"),
        ("plugin_id", 5, "must be a text, got 5"),
        ("timeout_ms", None, "must be an integer, got None"),
        ("timeout_ms", 1.5, "must be an integer, got 1.5"),
        ("payload", [1], "must be a map, got [1]"),
        ("error", "E_TIMEOUT", "must be a map or null, got 'E_TIMEOUT'"),
        ("error", 0, "must be a map or null, got 0"),
    ],
)
def test_a_wrong_type_is_named_with_its_field(field: str, value: object, expected: str) -> None:
    """In the words that the map's refusal has."""
    with pytest.raises(RemoteProtocolError) as caught:
        envelope_from_list([*{**FIELDS, field: value}.values()])

    assert caught.value.reason == f"envelope field {field!r} {expected}"


@pytest.mark.parametrize("field", ["method", "plugin_id"])
def test_a_name_without_end_is_refused(field: str) -> None:
    """As in the map."""
    longest = "x" * MAX_NAME_CHARS

    assert getattr(envelope_from_list([*{**FIELDS, field: longest}.values()]), field) == longest
    with pytest.raises(RemoteProtocolError, match="at most 1024 characters"):
        envelope_from_list([*{**FIELDS, field: longest + "x"}.values()])


@pytest.mark.parametrize("count", [0, 1, 6, 8])
def test_nothing_is_missing_and_nothing_too_much(count: int) -> None:
    """Another number of fields would be another form, with a name of its own in the hello."""
    values = [*FIELDS.values(), None][:count]

    with pytest.raises(RemoteProtocolError, match=f"must have 7 fields, got {count}"):
        envelope_from_list(values)


def test_what_a_map_may_leave_empty_this_may_too() -> None:
    """A payload that is null, an error that is empty."""
    envelope = envelope_from_list([*{**FIELDS, "payload": None, "error": {}}.values()])

    assert (envelope.payload, envelope.error) == ({}, None)


def test_odd_keys_are_a_defect_here_too() -> None:
    """And no reason to end the connection."""
    envelope = decode_envelope(msgpack.packb([4, 1, "m", "", 0, {"result": {1: "a"}}, None]), compact=True)

    assert envelope.request_id == 4
    assert envelope.defect == "a map in it has keys that are not text"


@pytest.mark.slow
def test_too_many_maps_and_lists_are_refused_at_both_ends() -> None:
    """The envelope's own list counts as its map does."""
    room = MAX_CONTAINERS - 3  # beside the envelope, the payload and the list in it
    fits, not_any_more = ({"x": [[]] * count} for count in (room, room + 1))

    body = encode_envelope(Envelope(1, MessageType.REQUEST, "m", payload=fits), compact=True)

    assert len(decode_envelope(body, compact=True).payload["x"]) == room
    with pytest.raises(CannotEncode, match="more than 131072 maps"):
        encode_envelope(Envelope(1, MessageType.REQUEST, "m", payload=not_any_more), compact=True)
    with pytest.raises(RemoteProtocolError, match="more than 131072 maps"):
        decode_envelope(msgpack.packb([1, 0, "m", "", 0, not_any_more, None]), compact=True)


@pytest.mark.parametrize("value", [1, "text", None, b""], ids=repr)
def test_a_frame_must_hold_one_of_the_two_forms(value: object) -> None:
    """And says what it holds instead."""
    with pytest.raises(RemoteProtocolError, match=f"a map or a list, got {type(value).__name__}"):
        decode_envelope(msgpack.packb(value), compact=True)


# --- agreeing ----------------------------------------------------------------------------------------------------


def test_two_ends_that_agree_speak_it_from_the_answer_on() -> None:
    """The hello and its answer are maps; all that follows is compact, in both directions."""
    host, runner = new_sessions()

    hello_id = runner.request(RUNNER_HELLO, OFFER)
    hello = runner.data_to_send()
    host.receive(hello)
    host.answer(hello_id, ACCEPTED)
    answer = host.data_to_send()
    runner.receive(answer)
    runner.request(CAP_CALL, {"capability": "x"}, plugin_id="a.b", timeout_ms=500)
    host.request(PLUGIN_HEALTH, {}, timeout_ms=600)

    assert msgpack.unpackb(hello[4:])["method"] == "runner.hello"
    assert msgpack.unpackb(answer[4:])["payload"] == ACCEPTED
    assert _sent(runner) == [2, 0, "cap.call", "a.b", 500, {"capability": "x"}, None]
    assert _sent(host) == [1, 0, "plugin.health", "", 600, {}, None]


def test_the_first_compact_frame_may_come_with_the_answer() -> None:
    """In the same bytes: the runner has agreed when it has read the answer, not when somebody looks at it."""
    host, runner = new_sessions()
    hello_id = runner.request(RUNNER_HELLO, OFFER)
    pass_on(runner, host)
    host.answer(hello_id, ACCEPTED)
    host.request(PLUGIN_HEALTH, {})

    received = pass_on(host, runner)

    assert [type(item) for item in received] == [RequestSettled, RequestReceived]


def test_requests_answers_refusals_and_broadcasts_arrive() -> None:
    """As they do in the other form."""
    host, runner = open_sessions(features=["compact"])

    first = runner.request(CAP_CALL, {"capability": "x"}, plugin_id="a.b", timeout_ms=500)
    runner.request(CAP_CALL, {"capability": "y"}, plugin_id="a.b")
    runner.broadcast(RUNNER_LOG_BATCH, {"entries": []})
    requests = asked(received := pass_on(runner, host))
    host.answer(first, {"success": True})
    host.refuse(first + 1, ErrorCode.E_TIMEOUT, "too late")
    answered, refused = pass_on(host, runner)

    assert [(each.request_id, each.plugin_id, each.timeout_ms) for each in requests] == [
        (first, "a.b", 500),
        (first + 1, "a.b", 30_000),
    ]
    assert type(received[2]).__name__ == "BroadcastReceived"
    assert isinstance(answered, RequestSettled)
    assert answered.outcome == {"success": True}
    assert isinstance(refused, RequestSettled)
    assert str(refused.outcome) == "[E_TIMEOUT] too late"


@pytest.mark.parametrize(
    ("offered", "used"),
    [
        pytest.param([], [], id="neither"),
        pytest.param(["compact"], [], id="a host that does not use it"),
        pytest.param([], ["compact"], id="a host that uses what was not offered"),
        pytest.param("compact", "compact", id="texts that contain the word"),
        pytest.param(None, None, id="null"),
        pytest.param([["compact"]], [{"compact": 1}], id="lists of other things"),
        pytest.param({"compact": True}, {"compact": True}, id="maps"),
    ],
)
def test_without_an_agreement_maps_are_spoken(offered: object, used: object) -> None:
    """By both ends; what the lists of features look like is no reason to fail in a session."""
    host, runner = new_sessions()
    hello_id = runner.request(RUNNER_HELLO, {**HELLO, "features": offered})
    pass_on(runner, host)
    host.answer(hello_id, {"accepted": True, "features": used})
    pass_on(host, runner)

    runner.request(CAP_CALL, {})
    host.request(PLUGIN_HEALTH, {})

    assert (host.is_compact, runner.is_compact) == (False, False)
    assert type(_sent(runner)) is dict
    assert type(_sent(host)) is dict


def test_a_refused_hello_agrees_on_nothing() -> None:
    """Whatever its answer lists."""
    host, runner = new_sessions()
    hello_id = runner.request(RUNNER_HELLO, OFFER)
    pass_on(runner, host)

    host.answer(hello_id, {**ACCEPTED, "accepted": False})
    pass_on(host, runner)

    assert (host.is_compact, runner.is_compact) == (False, False)
    assert runner.state is State.CLOSED


@pytest.mark.parametrize("features", [[], ["segments"]])
def test_a_list_without_an_agreement_breaks_the_protocol(features: list[str]) -> None:
    """From either end."""
    for session in open_sessions(features=features):
        assert complaint(session.receive(_compact_frame())) == "the frame must hold a map, got list"


def test_a_compact_hello_breaks_the_protocol() -> None:
    """Nobody can have agreed before it; nor before its answer has been read."""
    host, runner = new_sessions()
    runner.request(RUNNER_HELLO, OFFER)

    told = complaint(host.receive(_compact_frame(method="runner.hello", payload=OFFER)))
    told_runner = complaint(runner.receive(_compact_frame(message_type=1, payload=ACCEPTED)))

    assert told == told_runner == "the frame must hold a map, got list"


def test_maps_are_read_after_an_agreement_too() -> None:
    """They say no less, and whoever writes a frame by hand writes a map."""
    host, _ = open_sessions(features=["compact"])

    received = host.receive(raw_frame(request_id=2, message_type="request", method="cap.call"))

    assert [request.request_id for request in asked(received)] == [2]


def test_a_bad_compact_frame_ends_the_stream_with_a_reason() -> None:
    """What came before it counts, what comes after it is not read."""
    host, _ = open_sessions(features=["compact"])
    good = _compact_frame(request_id=7, message_type=1)

    received = host.receive(good + _compact_frame(payload=5) + good)

    assert [type(item).__name__ for item in received] == ["AnswerDropped", "RuleBroken"]
    assert complaint(received) == "envelope field 'payload' must be a map, got 5"
