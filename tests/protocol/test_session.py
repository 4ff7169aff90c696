"""One end of a connection: every request settles once, every answer is owed once."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.protocol import (
    CAP_CALL,
    PLUGIN_HEALTH,
    PLUGIN_INVOKE_TOOL,
    RUNNER_LOG_BATCH,
    RUNNER_READY,
    AnswerDropped,
    BadPayload,
    BroadcastReceived,
    CannotEncode,
    ConnectionLost,
    ErrorCode,
    FrameTooLarge,
    LocalProtocolError,
    RemoteError,
    RequestSettled,
    RequestTimedOut,
    Session,
    Side,
    State,
    decode_envelope,
)
from rookery.protocol import session as module
from tests.doubles.sessions import (
    asked,
    open_sessions,
    pass_on,
    raw_frame,
)


def _sent(session: Session) -> dict[str, Any]:
    """The one envelope that waits to be sent."""
    return decode_envelope(session.data_to_send()[4:]).to_map()


def _outcome(received: list[Any]) -> Any:
    assert [type(item) for item in received] == [RequestSettled]
    return received[0].outcome


# --- asking and answering ---------------------------------------------------------------------------------------


def test_a_request_carries_all_nine_fields() -> None:
    """And the wall clock it was given."""
    _, runner = open_sessions()
    runner.set_wall_clock(lambda: 1234)

    request_id = runner.request(CAP_CALL, {"capability": "x"}, plugin_id="a.b", timeout_ms=500)

    assert _sent(runner) == {
        "protocol_version": "1.0.0",
        "request_id": request_id,
        "message_type": "request",
        "method": "cap.call",
        "plugin_id": "a.b",
        "timestamp_ms": 1234,
        "timeout_ms": 500,
        "payload": {"capability": "x"},
        "error": None,
    }


def test_an_answer_repeats_id_method_and_plugin() -> None:
    """As original peers expect it."""
    host, runner = open_sessions()
    request_id = runner.request(CAP_CALL, {}, plugin_id="a.b")
    pass_on(runner, host)

    host.answer(request_id, {"success": True})

    sent = _sent(host)
    assert (sent["request_id"], sent["method"], sent["plugin_id"]) == (request_id, "cap.call", "a.b")
    assert (sent["message_type"], sent["payload"], sent["error"]) == ("response", {"success": True}, None)


def test_a_request_arrives_with_all_it_needs() -> None:
    """The row of the table, the plugin, the payload, the budget."""
    host, runner = open_sessions()
    runner.request(CAP_CALL, {"a": 1}, plugin_id="p.q", timeout_ms=77)

    (request,) = asked(pass_on(runner, host))

    assert (request.method.name, request.plugin_id, request.payload, request.timeout_ms) == (
        "cap.call",
        "p.q",
        {"a": 1},
        77,
    )


def test_an_answer_settles_its_request() -> None:
    """With the payload, and with what the driver left there."""
    host, runner = open_sessions()
    request_id = runner.request(CAP_CALL, {}, on_done="the driver's own")
    pass_on(runner, host)
    host.answer(request_id, {"x": 1})

    (settled,) = pass_on(host, runner)

    assert isinstance(settled, RequestSettled)
    assert settled.outcome == {"x": 1}
    assert settled.pending.on_done == "the driver's own"
    assert runner.pending == {}
    assert host.owed == {}


def test_answers_find_their_requests_in_any_order() -> None:
    """Nobody waits for the slowest."""
    host, runner = open_sessions()
    ids = [runner.request(CAP_CALL, {}) for _ in range(3)]
    pass_on(runner, host)

    for request_id in reversed(ids):
        host.answer(request_id, {"of": request_id})
    settled = pass_on(host, runner)

    assert [item.pending.request_id for item in settled if isinstance(item, RequestSettled)] == ids[::-1]
    assert all(item.outcome == {"of": item.pending.request_id} for item in settled)  # type: ignore[union-attr]


def test_both_sides_count_for_themselves() -> None:
    """The same number in both directions is two requests."""
    host, runner = open_sessions()
    runner_id = runner.request(CAP_CALL, {})
    host.request(PLUGIN_HEALTH, {})
    host_id = host.request(PLUGIN_HEALTH, {})
    assert runner_id == host_id == 2
    pass_on(runner, host)
    pass_on(host, runner)

    host.answer(2, {"from": "host"})
    runner.answer(2, {"from": "runner"})

    assert _outcome(pass_on(host, runner)) == {"from": "host"}
    assert _outcome(pass_on(runner, host)) == {"from": "runner"}


def test_ids_begin_at_one_and_broadcasts_use_them_up() -> None:
    """As protocol 1.0.0 counts."""
    host, runner = open_sessions()

    runner.broadcast(RUNNER_LOG_BATCH, {"entries": []})

    assert _sent(runner)["request_id"] == 2  # the hello was 1
    assert runner.request(CAP_CALL, {}) == 3
    assert host.request(PLUGIN_HEALTH, {}) == 1


def test_a_broadcast_arrives_and_nothing_is_owed() -> None:
    """It is told, not asked."""
    host, runner = open_sessions()
    runner.broadcast(RUNNER_LOG_BATCH, {"entries": []})

    (received,) = pass_on(runner, host)

    assert isinstance(received, BroadcastReceived)
    assert (received.method.name, received.payload) == ("runner.log_batch", {"entries": []})
    assert host.owed == {}


def test_a_refusal_becomes_an_error_of_its_code() -> None:
    """With message and details."""
    host, runner = open_sessions()
    request_id = runner.request(CAP_CALL, {})
    pass_on(runner, host)
    host.refuse(request_id, ErrorCode.E_CAPABILITY_DENIED, "not granted", {"capability": "x"})

    outcome = _outcome(pass_on(host, runner))

    assert isinstance(outcome, RemoteError)
    assert (outcome.code, outcome.message, outcome.details) == (
        ErrorCode.E_CAPABILITY_DENIED,
        "not granted",
        {"capability": "x"},
    )


@pytest.mark.parametrize(
    "text", ["a lone \ud800 surrogate", "x" * 20_000_000], ids=["a lone surrogate", "twenty million letters"]
)
def test_refusing_works_with_any_text(text: str) -> None:
    """The text of a plugin's exception must not keep its caller waiting."""
    host, runner = open_sessions()
    request_id = host.request(PLUGIN_INVOKE_TOOL, {})
    pass_on(host, runner)

    runner.refuse(request_id, ErrorCode.E_UNKNOWN, text)

    assert isinstance(_outcome(pass_on(runner, host)), RemoteError)
    assert runner.owed == {}


def test_an_answer_with_odd_keys_settles_its_caller_and_the_connection_lives() -> None:
    """It is one plugin's mistake."""
    host, runner = open_sessions()
    broken, healthy = host.request(PLUGIN_INVOKE_TOOL, {}), host.request(PLUGIN_HEALTH, {})
    pass_on(host, runner)
    runner.answer(broken, {"result": {1: "a"}})
    runner.answer(healthy, {"healthy": True})

    first, second = pass_on(runner, host)

    assert isinstance(first, RequestSettled)
    assert isinstance(first.outcome, BadPayload)
    assert isinstance(second, RequestSettled)
    assert second.outcome == {"healthy": True}


# --- what cannot be sent ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "error"),
    [({"x": object()}, CannotEncode), ({"x": b"x" * 2_000}, FrameTooLarge)],
    ids=["no form on the wire", "too large"],
)
def test_a_request_that_cannot_be_sent_changes_nothing(payload: dict[str, Any], error: type) -> None:
    """Not even the count of ids."""
    _, runner = open_sessions(max_frame_bytes=1_000)

    with pytest.raises(error):
        runner.request(CAP_CALL, payload)
    with pytest.raises(error):
        runner.broadcast(RUNNER_LOG_BATCH, payload)

    assert runner.pending == {}
    assert runner.data_to_send() == b""
    assert runner.request(CAP_CALL, {}) == 2


@pytest.mark.parametrize("payload", [{"x": object()}, {"x": b"x" * 2_000}], ids=["no form", "too large"])
def test_an_answer_that_cannot_be_sent_is_still_owed(payload: dict[str, Any]) -> None:
    """So that the caller can be told instead."""
    host, runner = open_sessions(max_frame_bytes=1_000)
    request_id = runner.request(CAP_CALL, {})
    pass_on(runner, host)

    with pytest.raises(LocalProtocolError):
        host.answer(request_id, payload)
    with pytest.raises(LocalProtocolError):
        host.refuse(request_id, ErrorCode.E_UNKNOWN, "", payload)
    host.refuse(request_id, ErrorCode.E_UNKNOWN, "could not be sent")

    assert isinstance(_outcome(pass_on(host, runner)), RemoteError)


@pytest.mark.parametrize("request_id", [0, 7, -1])
def test_an_answer_to_nothing_is_refused(request_id: int) -> None:
    """Here, before it confuses the peer."""
    host, _ = open_sessions()

    with pytest.raises(LocalProtocolError, match=f"no answer is owed for request {request_id}"):
        host.answer(request_id, {})


def test_an_answer_is_owed_once() -> None:
    """A second one is a bug of this side."""
    host, runner = open_sessions()
    request_id = runner.request(CAP_CALL, {})
    pass_on(runner, host)
    host.answer(request_id, {})

    with pytest.raises(LocalProtocolError):
        host.refuse(request_id, ErrorCode.E_UNKNOWN, "again")


@pytest.mark.parametrize("method", ["cap.call", "runner.log_batch", "plugin.nope", "runner.hello", ""])
def test_a_side_asks_only_what_is_its_to_ask(method: str) -> None:
    """The table says who calls what."""
    host, _ = open_sessions()

    with pytest.raises(LocalProtocolError, match="is not a request that the host may send"):
        host.request(method, {})
    with pytest.raises(LocalProtocolError, match="is not a broadcast that the host may send"):
        host.broadcast(method, {})


def test_there_is_an_end_to_what_may_be_pending(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above it something is wrong on this side."""
    monkeypatch.setattr(module, "MAX_PENDING", 2)
    _, runner = open_sessions()
    runner.request(CAP_CALL, {})
    runner.request(CAP_CALL, {})

    with pytest.raises(LocalProtocolError, match="2 requests already wait"):
        runner.request(CAP_CALL, {})


# --- ending -----------------------------------------------------------------------------------------------------


def test_requests_expire_at_their_deadlines() -> None:
    """Not before, and each once."""
    _, runner = open_sessions()
    first = runner.request(CAP_CALL, {}, deadline=10)
    runner.request(RUNNER_READY, {}, deadline=20)
    runner.request(CAP_CALL, {})

    assert runner.expire(9.9) == []
    (settled,) = runner.expire(10)
    assert settled.pending.request_id == first
    assert isinstance(settled.outcome, RequestTimedOut)
    assert str(settled.outcome) == "cap.call was not answered in time"
    assert [item.pending.method for item in runner.expire(1e9)] == ["runner.ready"]
    assert len(runner.pending) == 1


def test_late_and_unknown_answers_are_counted_and_dropped() -> None:
    """They settle nobody."""
    host, runner = open_sessions()
    expired = runner.request(CAP_CALL, {}, deadline=1)
    forgotten = runner.request(CAP_CALL, {})
    answered = runner.request(CAP_CALL, {})
    pass_on(runner, host)
    runner.expire(2)
    assert runner.forget(forgotten) is not None
    assert runner.forget(forgotten) is None
    for request_id in (expired, forgotten, answered):
        host.answer(request_id, {})
    pass_on(host, runner)

    twice = runner.receive(raw_frame(request_id=answered, message_type="response"))
    never = runner.receive(raw_frame(request_id=99, message_type="response"))

    assert twice == [AnswerDropped(answered, late=True)]
    assert never == [AnswerDropped(99, late=False)]
    assert (runner.counters.late_answers, runner.counters.unknown_answers) == (3, 1)


def test_closing_fails_everything_that_is_pending() -> None:
    """Once; and nothing can be asked afterwards."""
    host, runner = open_sessions()
    ids = [runner.request(CAP_CALL, {}) for _ in range(3)]
    host.request(PLUGIN_HEALTH, {})
    pass_on(host, runner)

    settled = runner.close("the peer went")

    assert [item.pending.request_id for item in settled] == ids
    assert all(isinstance(item.outcome, ConnectionLost) and item.outcome.maybe_executed for item in settled)
    assert runner.close("again") == []
    assert (runner.state, runner.pending, runner.owed) == (State.CLOSED, {}, {})
    with pytest.raises(ConnectionLost) as caught:
        runner.request(CAP_CALL, {})
    assert not caught.value.maybe_executed


# --- bytes ------------------------------------------------------------------------------------------------------


def test_bytes_that_were_put_back_go_out_first() -> None:
    """A partial write loses nothing and changes no order."""
    host, runner = open_sessions()
    first, second = runner.request(CAP_CALL, {}), runner.request(CAP_CALL, {})
    data = runner.data_to_send()
    third = runner.request(CAP_CALL, {})

    host.receive(data[:10])
    runner.put_back(data[10:])

    assert runner.bytes_out > len(data) - 10
    assert [item.request_id for item in asked(pass_on(runner, host))] == [first, second, third]
    assert runner.bytes_out == 0


def test_a_session_says_how_it_is() -> None:
    """In words."""
    host = Session(Side.HOST)

    assert repr(host) == "<Session of the host, new, 0 pending, 0 owed, 0 bytes to send>"


def test_frames_are_counted() -> None:
    """Both ways."""
    host, runner = open_sessions()

    assert (runner.counters.frames_out, runner.counters.frames_in) == (1, 1)
    assert (host.counters.frames_out, host.counters.frames_in) == (1, 1)
