"""How a session opens, and what its peer may not do."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.protocol import (
    CAP_CALL,
    RUNNER_HELLO,
    RUNNER_LOG_BATCH,
    BadPayload,
    ErrorCode,
    LocalProtocolError,
    RemoteError,
    RequestRefused,
    RequestSettled,
    RuleBroken,
    Session,
    State,
    decode_envelope,
)
from rookery.protocol import session as module
from tests.doubles.sessions import (
    HELLO,
    asked,
    complaint,
    new_sessions,
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


def test_a_connection_opens_with_an_accepted_hello() -> None:
    """On both sides at the moment the answer is sent and read."""
    host, runner = new_sessions()

    hello_id = runner.request(RUNNER_HELLO, HELLO)
    assert runner.state is State.GREETING
    (hello,) = asked(pass_on(runner, host))
    assert hello.payload == HELLO
    assert host.state is State.GREETING
    host.answer(hello_id, {"accepted": True})
    assert host.state is State.OPEN
    assert _outcome(pass_on(host, runner)) == {"accepted": True}
    assert runner.state is State.OPEN


@pytest.mark.parametrize("answer", [{"accepted": False}, {}, {"accepted": 1}, {"accepted": "true"}], ids=repr)
def test_anything_but_true_refuses_a_hello(answer: dict[str, Any]) -> None:
    """Both sides are closed; the runner still learns what was said."""
    host, runner = new_sessions()
    hello_id = runner.request(RUNNER_HELLO, HELLO)
    pass_on(runner, host)

    host.answer(hello_id, answer)

    assert host.state is State.CLOSED
    assert _outcome(pass_on(host, runner)) == answer
    assert runner.state is State.CLOSED


def test_an_error_refuses_a_hello() -> None:
    """As a host of another protocol does."""
    host, runner = new_sessions()
    hello_id = runner.request(RUNNER_HELLO, HELLO)
    pass_on(runner, host)
    host.refuse(hello_id, ErrorCode.E_BAD_PAYLOAD, "no token")

    assert isinstance(_outcome(pass_on(host, runner)), RemoteError)
    assert (host.state, runner.state) == (State.CLOSED, State.CLOSED)


def test_a_hello_answer_with_odd_keys_refuses() -> None:
    """What was accepted cannot be known."""
    _, runner = new_sessions()
    runner.request(RUNNER_HELLO, HELLO)

    received = runner.receive(
        raw_frame(request_id=1, message_type="response", payload={"accepted": True, 1: 2})
    )

    assert isinstance(_outcome(received), BadPayload)
    assert runner.state is State.CLOSED


@pytest.mark.parametrize("method", ["cap.call", "plugin.health", "nonsense"])
def test_a_first_frame_that_is_no_hello_is_told_why(method: str) -> None:
    """The answer of protocol 1.0.0, then the end."""
    host, _ = new_sessions()

    received = host.receive(raw_frame(request_id=1, message_type="request", method=method))

    assert complaint(received) == f"the first frame must be runner.hello, got {method!r}"
    assert _sent(host)["error"]["code"] == "E_PROTOCOL_MISMATCH"


@pytest.mark.parametrize("kind", ["response", "broadcast"])
def test_a_first_frame_that_is_no_request_ends_the_stream(kind: str) -> None:
    """Nobody can be told."""
    host, _ = new_sessions()

    received = host.receive(raw_frame(request_id=1, message_type=kind, method="runner.hello"))

    assert isinstance(received[-1], RuleBroken)
    assert host.data_to_send() == b""


@pytest.mark.parametrize("kind", ["request", "response", "broadcast"])
def test_nothing_crosses_before_the_hello_is_answered(kind: str) -> None:
    """From the runner."""
    host, runner = new_sessions()
    runner.request(RUNNER_HELLO, HELLO)
    pass_on(runner, host)
    method = {"request": "cap.call", "broadcast": "runner.log_batch"}.get(kind, "")

    received = host.receive(raw_frame(request_id=2, message_type=kind, method=method))

    assert isinstance(received[-1], RuleBroken)


@pytest.mark.parametrize("greeting", [False, True], ids=["before the hello", "before its answer"])
def test_a_host_says_nothing_before_its_answer(greeting: bool) -> None:
    """To the runner."""
    _, runner = new_sessions()
    if greeting:
        runner.request(RUNNER_HELLO, HELLO)

    received = runner.receive(raw_frame(request_id=1, message_type="request", method="plugin.health"))

    assert isinstance(received[-1], RuleBroken)


def test_a_second_hello_ends_the_stream() -> None:
    """There is no starting over."""
    host, _ = open_sessions()

    received = host.receive(raw_frame(request_id=2, message_type="request", method="runner.hello"))

    assert complaint(received) == "a second hello arrived on an open connection"


@pytest.mark.parametrize("state", [State.NEW, State.GREETING])
def test_nothing_but_the_hello_can_be_asked_early(state: State) -> None:
    """A bug of this side, and it is told so."""
    _, runner = new_sessions()
    if state is State.GREETING:
        runner.request(RUNNER_HELLO, HELLO)

    with pytest.raises(LocalProtocolError, match=f"cannot be sent while the connection is {state.value}"):
        runner.request(CAP_CALL, {})
    with pytest.raises(LocalProtocolError):
        runner.broadcast(RUNNER_LOG_BATCH, {})


def test_a_runner_greets_once() -> None:
    """Neither while it waits nor later."""
    _, runner = open_sessions()

    with pytest.raises(LocalProtocolError):
        runner.request(RUNNER_HELLO, HELLO)


# --- what the peer may not do -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["plugin.nope", "plugin.health", "runner.log_batch", ""])
def test_a_request_that_is_not_the_peers_is_refused_and_the_connection_lives(method: str) -> None:
    """With the code that original peers know, and counted."""
    host, runner = open_sessions()

    (refused,) = host.receive(raw_frame(request_id=5, message_type="request", method=method, plugin_id="a.b"))

    assert isinstance(refused, RequestRefused)
    assert (refused.method_name, refused.request_id) == (method, 5)
    assert host.counters.refused_requests == 1
    assert host.owed == {}
    sent = _sent(host)
    assert (sent["request_id"], sent["error"]["code"]) == (5, "E_METHOD_NOT_ALLOWED")
    assert sent["error"]["message"] == f"the runner may not call {method!r}"
    runner.request(CAP_CALL, {})
    assert asked(pass_on(runner, host))


def test_a_broadcast_that_is_not_the_peers_is_only_counted() -> None:
    """Nobody waits for an answer to it."""
    _, runner = open_sessions()

    (refused,) = runner.receive(raw_frame(request_id=5, message_type="broadcast", method="plugin.health"))

    assert isinstance(refused, RequestRefused)
    assert runner.counters.refused_requests == 1
    assert runner.data_to_send() == b""


@pytest.mark.parametrize("kind", ["request", "broadcast"])
def test_odd_keys_in_what_the_peer_says_are_refused(kind: str) -> None:
    """A request gets its answer, a broadcast none."""
    host, _ = open_sessions()
    method = "cap.call" if kind == "request" else "runner.log_batch"

    (refused,) = host.receive(raw_frame(request_id=5, message_type=kind, method=method, payload={1: 2}))

    assert isinstance(refused, RequestRefused)
    assert refused.reason == "a map in it has keys that are not text"
    assert (host.data_to_send() != b"") is (kind == "request")
    assert host.owed == {}


def test_an_id_that_is_still_owed_cannot_be_used_again() -> None:
    """Its answer would be anybody's."""
    host, runner = open_sessions()
    request_id = runner.request(CAP_CALL, {})
    pass_on(runner, host)

    received = host.receive(raw_frame(request_id=request_id, message_type="request", method="cap.call"))

    assert complaint(received) == f"request id {request_id} is used again before it was answered"


def test_a_peer_that_floods_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unanswered requests cost memory on this side."""
    monkeypatch.setattr(module, "MAX_ANSWERS_OWED", 2)
    host, runner = open_sessions()
    for _ in range(3):
        runner.request(CAP_CALL, {})

    received = pass_on(runner, host)

    assert len(asked(received)) == 2
    assert complaint(received) == "2 requests are unanswered; the peer floods"
