"""The short way of a frame that is as most are: it means what it means by the long way, and so does every other frame."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest

from rookery.protocol import (
    CAP_CALL,
    PLUGIN_CANCEL,
    PLUGIN_HEALTH,
    RUNNER_HELLO,
    RUNNER_LOG_BATCH,
    Envelope,
    MessageType,
    Session,
    Side,
    encode_envelope,
    frame,
)
from rookery.protocol.codec import encode_compact
from rookery.protocol.limits import MAX_NAME_CHARS
from tests.doubles.sessions import HELLO, pass_on

REQUEST: dict[str, Any] = {
    "request_id": 9,
    "message_type": 0,
    "method": CAP_CALL,
    "plugin_id": "a.b",
    "timeout_ms": 30_000,
    "payload": {"x": [1]},
    "error": None,
}
ANSWER = {**REQUEST, "request_id": 1, "message_type": 1, "method": PLUGIN_HEALTH}

FRAMES: dict[str, list[Any]] = {
    "a request": [REQUEST],
    "two requests": [REQUEST, {**REQUEST, "request_id": 10}],
    "an id twice": [REQUEST, REQUEST],
    "a request of the wrong side": [{**REQUEST, "method": PLUGIN_HEALTH}],
    "a request that does not exist": [{**REQUEST, "method": "no.such"}],
    "a request with a broadcast's name": [{**REQUEST, "method": RUNNER_LOG_BATCH}],
    "a second hello": [{**REQUEST, "method": RUNNER_HELLO}],
    "a broadcast": [{**REQUEST, "message_type": 2, "method": RUNNER_LOG_BATCH}],
    "a broadcast of the wrong side": [{**REQUEST, "message_type": 2, "method": PLUGIN_CANCEL}],
    "an answer": [ANSWER],
    "an answer twice": [ANSWER, ANSWER],
    "an answer to nothing": [{**ANSWER, "request_id": 77}],
    "an answer of a part": [{**ANSWER, "request_id": 4}],
    "an answer of a whole": [{**ANSWER, "request_id": 2}],
    "an answer of a whole and of its part": [{**ANSWER, "request_id": 2}, {**ANSWER, "request_id": 3}],
    "an error": [{**ANSWER, "error": {"code": "E_TIMEOUT", "message": "late", "details": {}}}],
    "an empty error": [{**ANSWER, "error": {}}],
    "no payload": [{**ANSWER, "payload": None}],
    "keys that are no text": [{**ANSWER, "payload": {1: 2}}],
    "a number that is a truth": [{**REQUEST, "message_type": True}],
    "a kind that does not exist": [{**REQUEST, "message_type": 3}],
    "a name that is too long": [{**REQUEST, "method": "x" * (MAX_NAME_CHARS + 1)}],
    "a plugin that is no text": [{**REQUEST, "plugin_id": 1}],
    "a payload that is a list": [{**REQUEST, "payload": []}],
    "a time that is no number": [{**REQUEST, "timeout_ms": 1.5}],
    "an id that is no number": [{**REQUEST, "request_id": "1"}],
    "too few fields": [{"request_id": 1}],
}


def _open(*, is_quick: bool) -> Session:
    """A host that has asked for health, and something in three parts."""
    host, runner = Session(Side.HOST), Session(Side.RUNNER)
    host.is_quick = is_quick
    hello_id = runner.request(RUNNER_HELLO, {**HELLO, "features": ["compact"]})
    pass_on(runner, host)
    host.answer(hello_id, {"accepted": True, "features": ["compact"]})
    host.request(PLUGIN_HEALTH, {})
    host.request("plugin.run_segment", {}, parts=3)
    host.data_to_send()
    return host


def _seen(host: Session, data: bytes) -> Any:
    """Everything that can be told of a session after these bytes."""
    told = [repr(each) for each in host.receive(data)]
    return told, host.counters, repr(host.pending), host.owed, host.taken, host.state, host.data_to_send()


@pytest.mark.parametrize("frames", FRAMES.values(), ids=FRAMES.keys())
def test_both_ways_say_the_same(frames: list[dict[str, Any]]) -> None:
    """What came, what is pending, what is owed, and what is said to it."""
    data = b"".join(frame(msgpack.packb(list(each.values()))) for each in frames)

    assert _seen(_open(is_quick=True), data) == _seen(_open(is_quick=False), data)


def test_what_is_no_envelope_is_refused_by_both() -> None:
    """In the same words."""
    for body in (b"\xc1", b"\xc0", msgpack.packb({"message_type": "request"})):
        assert _seen(_open(is_quick=True), frame(body)) == _seen(_open(is_quick=False), frame(body))


def test_a_frame_is_the_same_with_an_envelope_and_without() -> None:
    """What is sent without one is what an envelope would have been packed to."""
    for error in (None, {"code": "E_UNKNOWN", "message": "", "details": {}}):
        envelope = Envelope(5, MessageType.RESPONSE, "m", "a.b", {"x": 1}, error, 7)

        body = encode_compact(5, MessageType.RESPONSE, "m", "a.b", {"x": 1}, error, 7)

        assert body == encode_envelope(envelope, compact=True)
