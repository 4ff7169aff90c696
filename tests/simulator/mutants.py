"""Which mistakes in the host would the simulator find? Each is made on purpose here, by replacing one function.

``python -m tests.simulator --mutant NAME --seeds 200`` says at which seed; one that no seed finds is a law that is missing.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import attrs
import trio

from rookery.protocol.envelope import Envelope
from rookery.protocol.link import Link
from rookery.protocol.names import Side
from rookery.protocol.received import AnswerDropped, RequestSettled
from rookery.protocol.session import Session
from rookery.supervisor import restart
from rookery.supervisor.awake import AwakeClock
from rookery.supervisor.dispatch import Dispatcher
from rookery.supervisor.gate import Lane, Line
from rookery.supervisor.ledger import Ledger
from rookery.supervisor.quarantine import Step
from rookery.supervisor.shard import Shard
from rookery.supervisor.traffic import Traffic
from rookery.supervisor.turns import Turns
from rookery.supervisor.waiting import Waiting


def _nothing(*args: Any, **kwargs: Any) -> None:
    return None


async def _wait_for_ever(*args: Any, **kwargs: Any) -> None:
    await trio.sleep_forever()


async def _do_nothing(*args: Any, **kwargs: Any) -> None:
    await trio.lowlevel.checkpoint()


def _retry_all(dispatcher: Dispatcher, call: Any) -> bool:
    call.attempts += 1
    return bool(call.attempts < 3)


def _retry_for_ever(dispatcher: Dispatcher, call: Any) -> bool:
    call.attempts += 1
    return bool(call.component.is_idempotent)


def _settle_always(dispatcher: Any, call: Any, outcome: Any) -> None:
    was_settled = call.is_settled
    if not was_settled:
        dispatcher._end(call)
    call.on_settled(outcome)


@contextmanager
def _any_session() -> Iterator[None]:
    """An answer goes to whoever has a request of that number, on whichever connection."""
    original, sessions = Session._take_response, weakref.WeakSet[Session]()
    make = Session.__init__

    def note(session: Session, side: Side, **keywords: Any) -> None:
        make(session, side, **keywords)
        sessions.add(session)

    def take(session: Session, envelope: Envelope) -> Any:
        found = original(session, envelope)
        if isinstance(found, AnswerDropped) and session.side is Side.HOST:
            for other in sorted((each for each in sessions if each.side is Side.HOST), key=id):
                if pending := other.pending.pop(envelope.request_id, None):
                    return RequestSettled(pending, envelope.payload)
        return found

    with patch.object(Session, "__init__", note), patch.object(Session, "_take_response", take):
        yield


def _settle_as(started: Any) -> Any:
    original = Ledger.settle

    def settle(ledger: Ledger, _: Any, reason: str, **keywords: Any) -> None:
        original(ledger, started, reason, **keywords)

    return patch.object(Ledger, "settle", settle)


def _decide_with(change: Callable[..., Any] | None = None, after: Callable[..., Any] | None = None) -> Any:
    original = restart.decide_restart

    def decide(policy: Any, history: Any, *args: Any, **keywords: Any) -> Any:
        decision = original(change(policy) if change else policy, history, *args, **keywords)
        return after(decision) if after else decision

    return patch("rookery.supervisor.shard.decide_restart", decide)


def _other_limit(by: int) -> Callable[..., Any]:
    return lambda policy: attrs.evolve(
        policy, burst_limit=policy.burst_limit + by, sustained_limit=policy.sustained_limit + by
    )


def _forget_deaths(decision: Any) -> Any:
    return attrs.evolve(decision, history=attrs.evolve(decision.history, deaths=()))


def _count_planned() -> Any:
    original = Shard._follow
    return patch.object(
        Shard, "_follow", lambda shard, report: original(shard, attrs.evolve(report, planned=False))
    )


def _count_lag(clock: Any, now: float) -> float:
    passed, clock._last = now - clock._last, now
    clock.lag = 0.0
    clock.awake += passed
    return float(clock.awake)


def _reap_first(runner: Any) -> int | None:
    status: int | None = runner.child.reap()
    if runner.dead.is_set():
        runner.child.sweep()
    return status


def _has_room(lane: Any) -> bool:
    return True


MUTANTS: Mapping[str, Callable[[], Any]] = {
    "put back at the tail": lambda: patch.object(Line, "put_back", Line.append),
    "whatever had begun is made again": lambda: patch.object(Dispatcher, "_may_retry", _retry_all),
    "made again for ever": lambda: patch.object(Dispatcher, "_may_retry", _retry_for_ever),
    "answers are matched without their connection": _any_session,
    "a death settles nothing": lambda: patch.object(Ledger, "settle", _nothing),
    "all had begun at a death": lambda: _settle_as(None),
    "nothing had begun at a death": lambda: _settle_as(frozenset()),
    "ends are not counted": lambda: _decide_with(after=_forget_deaths),
    "one more end is allowed": lambda: _decide_with(_other_limit(1)),
    "one end less is allowed": lambda: _decide_with(_other_limit(-1)),
    "no delay": lambda: patch.object(restart, "backoff", lambda *args: 0.0),
    "planned ends count": _count_planned,
    "the host's lag is the runner's": lambda: patch.object(AwakeClock, "tick", _count_lag),
    "last words are not read": lambda: patch.object(Link, "drain", _do_nothing),
    "no barrier of keys": lambda: patch.object(Lane, "has_room", property(_has_room)),
    "what waits has no deadline": lambda: patch.object(Waiting, "sweep", _wait_for_ever),
    "what was sent has no deadline": lambda: patch.object(Session, "expire", lambda *args: []),
    "ends are told twice": lambda: patch.object(Dispatcher, "settle", _settle_always),
    "one that leaves gets more": lambda: patch.object(Traffic, "runner_draining", _nothing),
    "one that is suspect gets more": lambda: patch.object(Traffic, "runner_suspect", _nothing),
    "swept after it was reaped": lambda: patch("rookery.supervisor.burial._reap", _reap_first),
    "nobody drains": lambda: patch("rookery.supervisor.incarnation.drain", _do_nothing),
    "turns are never given back": lambda: patch.object(Turns, "give_back", _nothing),
    "everybody is isolated": lambda: patch(
        "rookery.supervisor.court.decide_step", lambda *args, **keywords: Step.ISOLATE
    ),
}
"""By name: what makes the mistake for as long as it is entered."""
