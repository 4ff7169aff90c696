"""A request with parts: it uses up an id for each, an answer under any of them is its answer, and parts may be waited for
and answered by themselves."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.protocol import (
    PLUGIN_EMIT_EVENT,
    PLUGIN_HEALTH,
    PLUGIN_RUN_SEGMENT,
    AnswerDropped,
    ErrorCode,
    LocalProtocolError,
    Pending,
    RemoteError,
    RequestSettled,
    Session,
)
from tests.doubles.sessions import asked, open_sessions, pass_on


def _part(request_id: int) -> Pending:
    return Pending(request_id, PLUGIN_EMIT_EVENT, "test.one", float("inf"), None)


def _answer_part(runner: Session, whole: int, part: int, **payload: Any) -> None:
    """As a runner does: the part is owed as if it had been asked alone, and the whole is not owed any more."""
    runner.owe(part, PLUGIN_EMIT_EVENT, "test.one")
    runner.disown(whole)
    runner.answer(part, payload)


def test_a_request_uses_up_an_id_for_each_of_its_parts() -> None:
    """The next request comes after them all, for both ends."""
    host, runner = open_sessions()

    first = host.request(PLUGIN_RUN_SEGMENT, {}, parts=3)
    second = host.request(PLUGIN_HEALTH, {})
    received = pass_on(host, runner)

    assert second == first + 4
    assert host.last_id == second
    assert [request.request_id for request in asked(received)] == [first, second]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_answer_under_the_id_of_a_part_is_the_answer(place: int) -> None:
    """It says which part gave it; what comes under the other ids is late."""
    host, runner = open_sessions()
    whole = host.request(PLUGIN_RUN_SEGMENT, {}, parts=3)
    pending = host.pending[whole]
    pass_on(host, runner)

    _answer_part(runner, whole, whole + 1 + place, success=True)
    [settled] = pass_on(runner, host)
    late = []
    for part in range(whole, whole + 4):
        runner.owe(part, PLUGIN_EMIT_EVENT, "test.one")
        runner.answer(part, {})
        late += pass_on(runner, host)

    assert settled == RequestSettled(pending, {"success": True})
    assert pending.answered_by == whole + 1 + place
    assert not host.pending
    assert late == [AnswerDropped(part, late=True) for part in range(whole, whole + 4)]


def test_ids_beside_the_parts_answer_nothing() -> None:
    """Neither the one before nor the one after them; the request waits on."""
    host, runner = open_sessions()
    before = host.request(PLUGIN_HEALTH, {})
    whole = host.request(PLUGIN_RUN_SEGMENT, {}, parts=2)
    host.forget(before)
    pass_on(host, runner)

    runner.answer(before, {})
    runner.owe(whole + 3, PLUGIN_EMIT_EVENT, "test.one")
    runner.answer(whole + 3, {})
    received = pass_on(runner, host)

    assert received == [AnswerDropped(before, late=True), AnswerDropped(whole + 3, late=False)]
    assert list(host.pending) == [whole]


def test_an_error_under_a_part_is_the_answer_too() -> None:
    """A handler that is refused is the last of those that were asked."""
    host, runner = open_sessions()
    whole = host.request(PLUGIN_RUN_SEGMENT, {}, parts=2)
    pending = host.pending[whole]
    pass_on(host, runner)

    runner.owe(whole + 2, PLUGIN_EMIT_EVENT, "test.one")
    runner.disown(whole)
    runner.refuse(whole + 2, ErrorCode.E_TIMEOUT, "too late")
    [settled] = pass_on(runner, host)

    assert isinstance(settled, RequestSettled)
    assert isinstance(settled.outcome, RemoteError)
    assert pending.answered_by == whole + 2


def test_what_is_expected_because_of_an_answer_may_come_in_the_same_bytes() -> None:
    """The answer says which parts answer for themselves, and those answers stand right behind it."""
    host, runner = open_sessions()
    whole = host.request(PLUGIN_RUN_SEGMENT, {}, parts=2)
    pass_on(host, runner)
    runner.answer(whole, {"speaking": [1]})
    runner.owe(whole + 2, PLUGIN_EMIT_EVENT, "test.one")
    runner.answer(whole + 2, {"success": False})
    told: list[Any] = []

    for received in host.receive_each(runner.data_to_send()):
        assert isinstance(received, RequestSettled)
        told.append(received.outcome)
        if received.pending.parts:
            host.expect(_part(whole + 2))

    assert told == [{"speaking": [1]}, {"success": False}]
    assert not host.pending


def test_a_part_that_is_expected_ends_like_any_request() -> None:
    """By its deadline, by being given up, or with the session; what comes then is late."""
    host, runner = open_sessions()
    whole = host.request(PLUGIN_RUN_SEGMENT, {}, parts=3)
    pass_on(host, runner)
    runner.answer(whole, {"speaking": [0, 1, 2]})
    pass_on(runner, host)
    parts = [_part(whole + 1 + place) for place in range(3)]
    parts[0].deadline = 1.0
    for part in parts:
        host.expect(part)

    expired = host.expire(2.0)
    given_up = host.forget(parts[1].request_id)
    runner.owe(parts[0].request_id, PLUGIN_EMIT_EVENT, "test.one")
    runner.answer(parts[0].request_id, {})
    late = pass_on(runner, host)
    closed = host.close("it went")

    assert [settled.pending for settled in expired] == [parts[0]]
    assert given_up is parts[1]
    assert late == [AnswerDropped(parts[0].request_id, late=True)]
    assert [settled.pending for settled in closed] == [parts[2]]


def test_a_request_that_was_ended_may_be_expected_again_with_its_parts() -> None:
    """Its time was up, and the part that runs has more."""
    host, runner = open_sessions()
    whole = host.request(PLUGIN_RUN_SEGMENT, {}, parts=2, deadline=1.0)
    pass_on(host, runner)

    [expired] = host.expire(1.0)
    expired.pending.deadline = 5.0
    host.expect(expired.pending)
    _answer_part(runner, whole, whole + 2)
    [settled] = pass_on(runner, host)

    assert isinstance(settled, RequestSettled)
    assert settled.pending is expired.pending
    assert settled.pending.answered_by == whole + 2


def test_nothing_of_a_request_with_parts_outlives_the_session() -> None:
    """It settles once, and no part of it is known any more."""
    host, runner = open_sessions()
    whole = host.request(PLUGIN_RUN_SEGMENT, {}, parts=2)
    pass_on(host, runner)

    closed = host.close("it went")

    assert len(closed) == 1
    assert host.whole_of(whole + 1) is None


def test_a_part_is_owed_once() -> None:
    """A second answer under its id is this end's mistake, as with any request; the whole can be owed or not."""
    host, runner = open_sessions()
    whole = host.request(PLUGIN_RUN_SEGMENT, {}, parts=2)
    pass_on(host, runner)

    _answer_part(runner, whole, whole + 1)

    with pytest.raises(LocalProtocolError):
        runner.answer(whole + 1, {})
    with pytest.raises(LocalProtocolError):
        runner.answer(whole, {})
    assert not runner.owed


def test_an_owed_part_counts_as_taken() -> None:
    """The host learns from the page how far the runner has read; parts are read with their request."""
    host, runner = open_sessions()
    whole = host.request(PLUGIN_RUN_SEGMENT, {}, parts=2)
    pass_on(host, runner)

    runner.owe(whole + 2, PLUGIN_EMIT_EVENT, "test.one")
    runner.owe(whole + 1, PLUGIN_EMIT_EVENT, "test.one")

    assert runner.taken == whole + 2
