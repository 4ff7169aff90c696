"""Does the real host do what the model says? It plays the model's steps, and looks after each.

Real: dispatcher, gate, lanes, retries, the ledger and the link of each runner, every frame between the two. By hand: when
something happens, and the runner, of which only its session is real.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

import trio

from rookery.protocol import (
    PLUGIN_CANCEL,
    PLUGIN_EMIT_EVENT,
    RUNNER_HELLO,
    Cancel,
    ErrorCode,
    Link,
    RequestReceived,
    Session,
    Side,
    unstructure,
)
from rookery.protocol.link import Closed
from rookery.supervisor.call import Call
from rookery.supervisor.farewell import _recall
from rookery.supervisor.fate import DispatchFailed
from rookery.supervisor.fate import Fate as RealFate
from rookery.supervisor.ledger import Ledger
from tests.doubles.sessions import HELLO, pass_on
from tests.doubles.stage import Stage, said

from .fate_host import SPARE_RETRIES
from .fate_model import Act, Step
from .fate_state import (
    COMING,
    GIVEN_BACK,
    GONE,
    LANE,
    LEAVING,
    LINE,
    NOT_STARTED,
    OUT,
    RECALLED,
    RESULT,
    STOPPED,
    Fate,
    Rules,
    State,
)

SHARD = "one"
FATES = {
    RealFate.RUNNER_LOST: Fate.LOST,
    RealFate.TIMEOUT: Fate.LATE,
    RealFate.SHUTTING_DOWN: Fate.LEFT,
    RealFate.UNAVAILABLE: Fate.UNAVAILABLE,
}

REFUSALS: dict[int, tuple[ErrorCode, dict[str, Any]]] = {
    RECALLED: (ErrorCode.E_SHUTTING_DOWN, {"kind": "Recalled"}),
    NOT_STARTED: (ErrorCode.E_TIMEOUT, {"kind": "NotStarted"}),
    STOPPED: (ErrorCode.E_TIMEOUT, {}),
    LEAVING: (ErrorCode.E_SHUTTING_DOWN, {}),
    GIVEN_BACK: (ErrorCode.E_SHUTTING_DOWN, {"kind": "NotStarted"}),
}
"""How ``runner/desk.py``, ``calls.py`` and ``invoke.py`` say it."""


class PlayedRunner:
    """A runner whose process is a script: real sessions on both ends, and the frames are carried by hand."""

    def __init__(self) -> None:
        self.ledger = Ledger(Side.HOST)
        self._session = Session(Side.RUNNER)
        ours, self._theirs = socket.socketpair()
        self.link = Link(ours, self.ledger, on_request=lambda _: None)
        hello_id = self._session.request(RUNNER_HELLO, HELLO)
        pass_on(self._session, self.ledger)
        self.ledger.answer(hello_id, {"accepted": True})
        pass_on(self.ledger, self._session)
        self.is_alive = True
        self.told: list[tuple[str, frozenset[int]]] = []
        self.owed: dict[int, int] = {}
        """Requests that it has, and which call each is for."""
        self.begun: set[int] = set()
        self.socket: list[bytes] = []

    @property
    def pending(self) -> list[int]:
        """The calls that the host waits for, oldest first."""
        return [_call_of(pending.tag).number - 1 for pending in self.ledger.pending.values()]

    def read_started(self) -> frozenset[int]:
        """What stands on its page."""
        return frozenset(self.begun)

    def take_in(self) -> None:
        """Everything that the host has written arrives, unless nobody is there."""
        received = self._session.receive(self.ledger.data_to_send()) if self.is_alive else []
        for item in received:
            if isinstance(item, RequestReceived):
                self.owed[item.request_id] = item.payload["args"]["name"]
            else:
                told = frozenset(item.payload["request_ids"])  # type: ignore[union-attr]
                still_there = told & self.owed.keys()
                if still_there:
                    self.told.append((item.method.name, still_there))  # type: ignore[union-attr]

    def id_of(self, call: int) -> int:
        return next(request_id for request_id, each in self.owed.items() if each == call)

    def answer(self, call: int, kind: int) -> None:
        """An answer is written and is in the kernel."""
        request_id = self.id_of(call)
        del self.owed[request_id]
        if kind == RESULT:
            self._session.answer(request_id, said())
        else:
            code, details = REFUSALS[kind]
            self._session.refuse(request_id, code, "no", details)
        self.socket.append(self._session.data_to_send())

    def be_read(self) -> None:
        """The host reads one answer."""
        self.link._reader._handle(self.ledger.receive(self.socket.pop(0)), lambda _: None)

    def die(self) -> None:
        """What it had not written is gone."""
        self.is_alive = False
        self.told.clear()
        self.owed.clear()

    def end_connection(self) -> None:
        self.link._finish(Closed("eof", "the runner died"))
        self._theirs.close()


class Play:
    """One way through the model, in the real host."""

    def __init__(self, rules: Rules, steps: Sequence[Step]) -> None:
        self._rules = rules
        self._stage = Stage(waits=True, timeout=30.0, max_inflight=rules.window, queue_limit=100)
        self._stage.add_shard(SHARD)
        self._dispatcher = self._stage.dispatcher
        self._gate = self._dispatcher._gates[SHARD]
        self._gate.orders = rules.orders  # as the runner before the first one had it
        self._component = self._stage.offer("tool", "p.a", "work", shard=SHARD, idempotent=rules.again)
        self._runners: list[PlayedRunner] = []
        self._calls: list[Call] = []
        self._ends: dict[int, Any] = {}
        self._gone: set[int] = set()
        """Calls whose callers have gone."""
        late = [step.at for step in steps if step.act is Act.DEADLINE]
        self._deadlines = {call: 0.1 * (number + 1) for number, call in enumerate(late)}

    async def do(self, step: Step, before: State) -> None:
        """Take one step, and let the loop do what it was left to do."""
        act, at, call = step
        if act is Act.SUBMIT:
            self._submit(at)
        elif act is Act.START:
            self._start()
        elif act is Act.CANCEL:
            self._gone.add(at)
            self._dispatcher.withdraw(self._calls[at])
        elif act is Act.DEADLINE:
            clock = trio.lowlevel.current_clock()
            clock.jump(self._deadlines[at] - trio.current_time() + 0.01)  # type: ignore[attr-defined]
        elif act is Act.EXPIRE:
            self._expire(at)
        elif act is Act.GIVE_UP:
            self._dispatcher.close_shard(SHARD, given_up="it died too often")
        elif call >= 0:
            self._work(self._runners[at], before, step)
        else:
            self._live(self._runners[at], before, step)
        await trio.testing.wait_all_tasks_blocked()
        for runner in self._runners:
            runner.take_in()

    def _submit(self, call: int) -> None:
        def settled(outcome: Any) -> None:
            assert call not in self._ends, f"{call} ended twice"
            self._ends[call] = outcome

        key = self._rules.keys[call]
        self._calls.append(
            self._dispatcher.submit(
                self._component,
                PLUGIN_EMIT_EVENT,
                {"name": call},
                settled,
                deadline=self._deadlines.get(call, 1000.0),
                key=None if key == "-" else key,
            )
        )

    def _start(self) -> None:
        self._runners.append(PlayedRunner())
        self._open(self._runners[-1])

    def _open(self, runner: PlayedRunner) -> None:
        self._dispatcher.open_shard(SHARD, runner.link, orders=self._rules.orders, cancels=True)

    def _expire(self, call: int) -> None:
        """The sweep that finds it: that of what waits, or its runner's."""
        if self._calls[call] in self._dispatcher._waiting:
            self._dispatcher._time_out(self._calls[call])
            return
        for runner in self._runners:
            for settled in runner.ledger.expire(trio.current_time()):
                settled.pending.on_done(settled.outcome)

    def _work(self, runner: PlayedRunner, before: State, step: Step) -> None:
        if step.act is Act.BEGIN:
            runner.begun.add(runner.id_of(step.call))
        elif step.act is Act.ANSWER:
            runner.answer(step.call, RESULT)
        elif step.act is Act.REFUSE_LATE:
            runner.answer(step.call, self._refusal(before, step.at, step.call))
        elif step.act in (Act.GIVE_BACK, Act.CUT_OFF):
            runner.answer(step.call, GIVEN_BACK if step.act is Act.GIVE_BACK else LEAVING)

    @staticmethod
    def _refusal(before: State, at: int, call: int) -> int:
        return STOPPED if any(each == call for _, each in before.runners[at].active) else NOT_STARTED

    def _live(self, runner: PlayedRunner, before: State, step: Step) -> None:
        act, at, _ = step
        if act is Act.READ:
            runner.be_read()
        elif act in (Act.HEAR, Act.OVERHEAR):
            self._hear(runner, before, step)
        elif act is Act.RESTART:
            self._dispatcher.close_shard(SHARD)
            _recall(runner)  # type: ignore[arg-type]
        elif act is Act.SUSPECT:
            self._dispatcher.close_shard(SHARD)
        elif act is Act.RECOVER:
            self._open(runner)
        elif act is Act.LOSE_PATIENCE:
            told = Cancel(request_ids=list(runner.ledger.pending))
            runner.link.broadcast(PLUGIN_CANCEL, unstructure(told))
        elif act is Act.SHUT_DOWN:
            for _, call in (*before.runners[at].active, *before.runners[at].queue):
                runner.answer(call, LEAVING)
            runner.die()
        elif act in (Act.KILL, Act.LEAVE):
            runner.die()
        elif act is Act.CLOSE:
            runner.end_connection()
        elif act is Act.SETTLE:
            self._runners.remove(runner)
            runner.ledger.settle(runner.read_started() if self._rules.marks else None, "the runner died")
            self._dispatcher.close_shard(SHARD)

    def _hear(self, runner: PlayedRunner, before: State, step: Step) -> None:
        method, request_ids = runner.told.pop(0)
        is_recall = method != PLUGIN_CANCEL
        active = {call for _, call in before.runners[step.at].active}
        for call in sorted(runner.owed[request_id] for request_id in request_ids & runner.owed.keys()):
            if call not in active:
                runner.answer(call, RECALLED if is_recall else NOT_STARTED)
            elif not is_recall and step.act is Act.HEAR:
                runner.answer(call, STOPPED)

    # --- looking -----------------------------------------------------------------------------------------------

    def differences(self, expected: State) -> list[str]:
        """Where the host is not where the model is."""
        pairs = [
            ("open", self._gate.link is not None, expected.is_open),
            ("given up", self._gate.is_given_up, expected.is_given_up),
            ("line", self._line, list(expected.line)),
            (
                "out",
                [runner.pending for runner in self._runners],
                [[call for _, call in runner.pending] for runner in expected.runners],
            ),
            ("in flight", self._gate.outer.in_flight, sum(len(each.pending) for each in expected.runners)),
            (
                "told",
                [len(runner.told) for runner in self._runners],
                [len(runner.told) for runner in expected.runners],
            ),
            ("retries", round(self._dispatcher.budget.left * 5), self._fifths_left(expected)),
        ]
        for call in range(len(self._calls)):
            pairs += [
                (f"place of {call}", self._place_of(call), expected.place[call]),
                (f"fate of {call}", self._fate_of(call), expected.fate[call]),
                (f"attempts of {call}", self._calls[call].attempts, expected.attempts[call]),
                (f"denial of {call}", self._is_denied(call), bool(expected.denied >> call & 1)),
            ]
        if expected.is_over:
            pairs += [
                ("open calls", self._dispatcher.open_calls, 0),
                ("lanes", list(self._dispatcher._lanes), []),
                ("waiting", self._gate.waiting, 0),
            ]
        return [f"{what}: {real!r}, expected {wanted!r}" for what, real, wanted in pairs if real != wanted]

    def close(self) -> None:
        """Give the sockets back."""
        for runner in self._runners:
            if not runner.link.is_closed:
                runner.end_connection()

    @property
    def _line(self) -> list[int]:
        return [call.number - 1 for call in self._gate.outer.line._calls if not call.is_settled]

    @staticmethod
    def _fifths_left(expected: State) -> int:
        return SPARE_RETRIES + sum(place != COMING for place in expected.place) - 5 * expected.retries

    def _place_of(self, number: int) -> int:
        call = self._calls[number]
        if call.is_settled:
            return GONE
        if call in self._dispatcher._waiting:
            return LANE if call.lane is not None and call.line is call.lane.line else LINE
        return OUT

    def _fate_of(self, number: int) -> Fate:
        if number in self._gone:
            return Fate.CANCELLED
        outcome = self._ends.get(number)
        if isinstance(outcome, DispatchFailed):
            return FATES[outcome.fate]
        return Fate.OPEN if outcome is None else Fate.DONE

    def _is_denied(self, number: int) -> bool:
        outcome = self._ends.get(number)
        return isinstance(outcome, DispatchFailed) and not outcome.maybe_executed


def _call_of(tag: object) -> Call:
    assert isinstance(tag, Call)
    return tag
