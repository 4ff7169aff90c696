"""Two sessions against a model of sets: every request settles once, every debt is paid once.

The wire is two queues of bytes that deliver whenever the machine decides, in pieces of any size. So requests, answers,
time-outs and give-ups meet in every order.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from rookery.protocol import (
    CAP_CALL,
    PLUGIN_HEALTH,
    RUNNER_HELLO,
    RUNNER_LOADING,
    AnswerDropped,
    BroadcastReceived,
    ConnectionLost,
    ErrorCode,
    LocalProtocolError,
    Received,
    RemoteError,
    RequestReceived,
    RequestSettled,
    RequestTimedOut,
    Session,
    Side,
    State,
)
from tests.doubles.sessions import open_sessions

ASKS = {Side.HOST: PLUGIN_HEALTH, Side.RUNNER: CAP_CALL}
sides = st.sampled_from([Side.HOST, Side.RUNNER])


class TwoSessions(RuleBasedStateMachine):
    """What each side waits for and owes is kept beside the sessions, in plain sets."""

    owed = Bundle("owed")
    asked = Bundle("asked")

    @initialize(features=st.sampled_from([(), ("compact",)]))
    def greet(self, features: tuple[str, ...]) -> None:
        host, runner = open_sessions(features=features)
        self.sessions = {Side.HOST: host, Side.RUNNER: runner}
        self.wire = {Side.HOST: bytearray(), Side.RUNNER: bytearray()}  # by who receives
        self.waiting: dict[Side, dict[int, float]] = {Side.HOST: {}, Side.RUNNER: {}}
        self.gone: dict[Side, set[int]] = {Side.HOST: set(), Side.RUNNER: set()}
        self.debts: dict[Side, set[int]] = {Side.HOST: set(), Side.RUNNER: set()}
        self.answered: dict[tuple[Side, int], Any] = {}  # by who asked
        self.told: dict[Side, list[int]] = {Side.HOST: [], Side.RUNNER: []}
        self.heard: dict[Side, list[int]] = {Side.HOST: [], Side.RUNNER: []}
        self.late = {Side.HOST: 0, Side.RUNNER: 0}

    def _is_closed(self, side: Side) -> bool:
        return self.sessions[side].state is State.CLOSED

    # --- speaking

    @rule(target=asked, side=sides, deadline=st.integers(0, 10))
    def ask(self, side: Side, deadline: int) -> Any:
        session = self.sessions[side]
        if self._is_closed(side):
            with pytest.raises(ConnectionLost):
                session.request(ASKS[side], {}, deadline=deadline)
            return multiple()
        request_id = session.request(ASKS[side], {}, plugin_id="a.b", deadline=deadline)
        assert request_id not in self.waiting[side] | dict.fromkeys(self.gone[side])
        self.waiting[side][request_id] = deadline
        return side, request_id

    @rule(debt=consumes(owed), payload=st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=2))
    def answer(self, debt: tuple[Side, int], payload: dict[str, int]) -> None:
        side, request_id = debt
        if self._is_closed(side):
            with pytest.raises(LocalProtocolError):
                self.sessions[side].answer(request_id, payload)
            return
        self.sessions[side].answer(request_id, payload)
        self.debts[side].remove(request_id)
        self.answered[side.peer, request_id] = payload
        with pytest.raises(LocalProtocolError):
            self.sessions[side].answer(request_id, payload)

    @rule(debt=consumes(owed))
    def refuse(self, debt: tuple[Side, int]) -> None:
        side, request_id = debt
        if not self._is_closed(side):
            self.sessions[side].refuse(request_id, ErrorCode.E_PLUGIN_CRASHED, "no")
            self.debts[side].remove(request_id)
            self.answered[side.peer, request_id] = ErrorCode.E_PLUGIN_CRASHED

    @rule(number=st.integers(0, 99))
    def tell(self, number: int) -> None:
        if not self._is_closed(Side.RUNNER):
            self.sessions[Side.RUNNER].broadcast(RUNNER_LOADING, {"number": number})
            self.told[Side.HOST].append(number)

    # --- the wire

    @rule(target=owed, side=sides, amount=st.integers(1, 400))
    def deliver(self, side: Side, amount: int) -> Any:
        self.wire[side] += self.sessions[side.peer].data_to_send()
        data = bytes(self.wire[side][:amount])
        del self.wire[side][:amount]
        if self._is_closed(side):
            return multiple()  # its driver reads no more
        return multiple(*self._check(side, self.sessions[side].receive(data)))

    def _check(self, side: Side, received: list[Received]) -> list[tuple[Side, int]]:
        debts = []
        for item in received:
            match item:
                case RequestReceived(request_id=request_id):
                    assert request_id not in self.debts[side]
                    self.debts[side].add(request_id)
                    debts.append((side, request_id))
                case RequestSettled(pending, outcome):
                    del self.waiting[side][pending.request_id]
                    expected = self.answered[side, pending.request_id]
                    assert (outcome.code if isinstance(outcome, RemoteError) else outcome) == expected
                case AnswerDropped(request_id, late):
                    assert late
                    self.gone[side].remove(request_id)
                    self.late[side] += 1
                case BroadcastReceived(payload=payload):
                    self.heard[side].append(payload["number"])
                case _:
                    raise AssertionError(f"nobody broke a rule, but {item!r} came out")
        return debts

    # --- endings

    @rule(side=sides, now=st.integers(0, 10))
    def expire(self, side: Side, now: int) -> None:
        over = self.sessions[side].expire(now)

        assert {settled.pending.request_id for settled in over} == {
            request_id for request_id, deadline in self.waiting[side].items() if deadline <= now
        }
        assert all(isinstance(settled.outcome, RequestTimedOut) for settled in over)
        for settled in over:
            del self.waiting[side][settled.pending.request_id]
            self.gone[side].add(settled.pending.request_id)

    @rule(request=asked)
    def give_up(self, request: tuple[Side, int]) -> None:
        side, request_id = request
        pending = self.sessions[side].forget(request_id)

        assert (pending is not None) is (request_id in self.waiting[side])
        if pending is not None:
            del self.waiting[side][request_id]
            self.gone[side].add(request_id)

    @rule(side=sides, throw=st.integers(1, 8))
    def close(self, side: Side, throw: int) -> None:
        if throw < 8:
            return  # there has to be a life before it
        over = self.sessions[side].close("the end")

        assert {settled.pending.request_id for settled in over} == set(self.waiting[side])
        assert all(isinstance(settled.outcome, ConnectionLost) for settled in over)
        self.waiting[side].clear()
        self.debts[side].clear()

    # --- what always holds

    @invariant()
    def both_know_what_they_wait_for_and_owe(self) -> None:
        for side, session in self.sessions.items():
            assert set(session.pending) == set(self.waiting[side])
            assert set(session.owed) == self.debts[side]
            assert session.counters.late_answers == self.late[side]
            assert session.counters.unknown_answers == 0

    @invariant()
    def broadcasts_come_in_order(self) -> None:
        heard = self.heard[Side.HOST]
        assert heard == self.told[Side.HOST][: len(heard)]

    @invariant()
    def a_hello_comes_once(self) -> None:
        with pytest.raises((LocalProtocolError, ConnectionLost)):
            self.sessions[Side.RUNNER].request(RUNNER_HELLO, {})

    def teardown(self) -> None:
        """When all that was said is delivered, each side owes exactly what the other waits for or has given up."""
        if not hasattr(self, "sessions") or any(map(self._is_closed, self.sessions)):
            return
        for side in Side:
            self.deliver_all(side)
        for side in Side:
            assert self.heard[side] == self.told[side]
            assert self.debts[side.peer] == set(self.waiting[side]) | self.gone[side]

    def deliver_all(self, side: Side) -> None:
        data = bytes(self.wire[side]) + self.sessions[side.peer].data_to_send()
        self.wire[side].clear()
        self._check(side, self.sessions[side].receive(data))


TestTwoSessions = TwoSessions.TestCase
TestTwoSessions.settings = settings(max_examples=100, stateful_step_count=50)
TestTwoSessions = pytest.mark.slow(TestTwoSessions)


def test_a_session_that_never_opened_settles_its_hello() -> None:
    """The only request that a model of open connections does not see."""
    runner = Session(Side.RUNNER)
    request_id = runner.request(RUNNER_HELLO, {})

    [settled] = runner.close("the end")

    assert settled.pending.request_id == request_id
    assert isinstance(settled.outcome, ConnectionLost)
