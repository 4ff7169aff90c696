"""What can happen next? One host, one shard, its runners one after the other, and a death at any moment.

The host's side of a step is in ``fate_host.py``. Here are the runner's side (``runner/desk.py``, ``calls.py``, ``invoke.py``),
the life of a generation (``supervisor/incarnation.py``, ``farewell.py``, ``burial.py``), and what must always hold:

==== ==============================================================================================
I6   A call ends once.
I7   At most once: it runs once at most, and with a result exactly once.
I8   At least once: it does not run more often than it may be tried, and not lost while it may.
I9   Calls of one key run for the first time in the order in which they were made, and none again after a later one.
I10  A death costs at most the calls whose handlers ran.
I14  An answer belongs to the call that was sent on the same connection.
BACK A call that had not begun does not fail because its runner leaves.
SAID A call of which it is said that it has not run never runs, not even afterwards.
ONE  Handlers of one key run one at a time.
EASY Where nothing happens that is not planned, everything runs exactly once and has a result.
==== ==============================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import NamedTuple

from .fate_host import CANCEL, RECALL, SPARE_RETRIES, Host, Wire
from .fate_state import (
    CLOSED,
    COMING,
    DEAD,
    DRAINING,
    GIVEN_BACK,
    GONE,
    IMPATIENT,
    LEAVING,
    NOT_STARTED,
    OUT,
    RECALLED,
    RESULT,
    STOPPED,
    TERMED,
    WORKING,
    Fate,
    Mutant,
    Rules,
    Runner,
    State,
)


class Act(IntEnum):
    """What happens in one step."""

    SUBMIT = 0
    START = 1
    BEGIN = 2
    EFFECT = 3
    MARK = 4
    ANSWER = 5
    FLUSH = 6
    HEAR = 7
    OVERHEAR = 8
    REFUSE_LATE = 9
    READ = 10
    READ_STALE = 11
    CLOSE = 12
    SETTLE = 13
    LEAVE = 14
    SHUT_DOWN = 15
    EXPIRE = 16
    # What need not happen.
    KILL = 17
    RESTART = 18
    CANCEL = 19
    DEADLINE = 20
    SUSPECT = 21
    GIVE_UP = 22
    LOSE_PATIENCE = 23
    RECOVER = 24
    TERM = 25
    GIVE_BACK = 26
    CUT_OFF = 27


COUNTED = (Act.KILL, Act.RESTART, Act.CANCEL, Act.DEADLINE, Act.SUSPECT, Act.GIVE_UP, Act.TERM)
"""What may happen so often, in the order of ``State.left``."""

FAULTS = frozenset({*COUNTED, Act.LOSE_PATIENCE})
"""A way to the end has to be there without these."""


class Step(NamedTuple):
    """One thing that happens, to which runner (counted among those not buried) or call, and to which call of that runner."""

    act: Act
    at: int = 0
    call: int = -1


def steps_from(rules: Rules, state: State) -> Iterator[Step]:
    """Everything that can happen next."""
    coming = next((call for call, place in enumerate(state.place) if place == COMING), None)
    if coming is not None:
        yield Step(Act.SUBMIT, coming)
    crashes, restarts, cancels, lates, suspects, give_ups, terms = state.left
    if _may_start(rules, state):
        yield Step(Act.START)
        if give_ups and not state.runners and not state.is_given_up:
            yield Step(Act.GIVE_UP)
    if state.stale:
        yield Step(Act.READ_STALE)
    for at, runner in enumerate(state.runners):
        if runner.phase <= IMPATIENT:
            yield from _steps_of_runner(rules, state, at, runner)
            if crashes:
                yield Step(Act.KILL, at)
        if runner.phase == WORKING:
            if restarts:
                yield Step(Act.RESTART, at)
            if terms:
                yield Step(Act.TERM, at)
            # One that leaves is tried again once a second too. That leads back to where it was, and is left out.
            if not state.is_open:
                yield Step(Act.RECOVER, at)
            elif suspects:
                yield Step(Act.SUSPECT, at)
        if runner.socket and runner.phase != CLOSED:
            yield Step(Act.READ, at)
        elif runner.phase == DEAD:
            yield Step(Act.CLOSE, at)
        if runner.phase == DEAD and runner.socket and rules.mutant in (Mutant.UNREAD, Mutant.BARE_ID):
            yield Step(Act.CLOSE, at)
        if runner.phase == CLOSED:
            yield Step(Act.SETTLE, at)
    for call, place in enumerate(state.place):
        if COMING < place < GONE:
            if state.late >> call & 1:
                yield Step(Act.EXPIRE, call)
            elif lates:
                yield Step(Act.DEADLINE, call)
            if cancels and state.fate[call] is Fate.OPEN:
                yield Step(Act.CANCEL, call)


def _may_start(rules: Rules, state: State) -> bool:
    if not state.runners:
        return True
    newest = state.runners[-1].phase
    return rules.mutant is Mutant.NO_BARRIER and len(state.runners) == 1 and newest in (DRAINING, IMPATIENT)


def _steps_of_runner(rules: Rules, state: State, at: int, runner: Runner) -> Iterator[Step]:
    busy = {rules.keys[call] for _, call in runner.active}
    for _, call in runner.queue if runner.phase != TERMED else ():
        key = rules.keys[call]
        if state.late >> call & 1:
            yield Step(Act.REFUSE_LATE, at, call)
        if key == "-" or not rules.orders or rules.mutant is Mutant.TWO_AT_ONCE or key not in busy:
            yield Step(Act.BEGIN, at, call)
        busy.add(key)
    for _, call in runner.active:
        if state.late >> call & 1:
            yield Step(Act.REFUSE_LATE, at, call)
        if not runner.effects >> call & 1:
            yield Step(Act.EFFECT, at, call)
        elif rules.marks and not runner.marked >> call & 1:
            yield Step(Act.MARK, at, call)
        else:
            yield Step(Act.ANSWER, at, call)
        if runner.phase == TERMED:
            yield Step(Act.CUT_OFF, at, call)
    if runner.phase == TERMED:
        yield from _steps_of_leaving(at, runner)
    if runner.buffer:
        yield Step(Act.FLUSH, at)
    if runner.told:
        yield Step(Act.HEAR, at)
        kind, calls = runner.told[0]
        if kind == CANCEL and any(calls >> call & 1 for _, call in runner.active):
            yield Step(Act.OVERHEAR, at)
    if runner.phase == DRAINING and rules.impatient and runner.pending:
        yield Step(Act.LOSE_PATIENCE, at)
    elif runner.phase == IMPATIENT and runner.pending and not runner.told:
        yield Step(Act.SHUT_DOWN, at)
    if runner.phase in (DRAINING, IMPATIENT) and not runner.pending:
        yield Step(Act.LEAVE, at)


def _steps_of_leaving(at: int, runner: Runner) -> Iterator[Step]:
    """It takes nothing up any more, and gives back what has not begun. What runs may still end, or is cut off."""
    for _, call in runner.queue:
        yield Step(Act.GIVE_BACK, at, call)
    if not runner.active and not runner.buffer:
        yield Step(Act.LEAVE, at)


def take(rules: Rules, state: State, step: Step) -> tuple[State, set[str]]:
    """What a step leads to, and which invariants it breaks."""
    host = Host(rules, state)
    act, at, call = step
    if call >= 0:
        _handle(rules, host, host.wires[at], act, call)
    elif act in _OF_THE_HOST:
        _OF_THE_HOST[act](host, at)
    else:
        _live(rules, host, host.wires[at], act)
    left = state.left
    if act in COUNTED:
        fault = COUNTED.index(act)
        left = (*left[:fault], left[fault] - 1, *left[fault + 1 :])
    following = host.freeze(left)
    return following, host.problems | broken_in(rules, following)


def _start(host: Host) -> None:
    host.wires.append(Wire(Runner()))
    host.open_shard()


def _pass_deadline(host: Host, call: int) -> None:
    host.late |= 1 << call


def _suspect(host: Host) -> None:
    host.is_open = False


_OF_THE_HOST: dict[Act, Callable[[Host, int], None]] = {
    Act.SUBMIT: Host.submit,
    Act.START: lambda host, _: _start(host),
    Act.READ: lambda host, at: host.receive(host.wires[at]),
    Act.READ_STALE: lambda host, _: host.receive_stale(),
    Act.SETTLE: lambda host, at: host.settle(host.wires[at]),
    Act.EXPIRE: Host.expire,
    Act.CANCEL: Host.withdraw,
    Act.DEADLINE: _pass_deadline,
    Act.SUSPECT: lambda host, _: _suspect(host),
    Act.RECOVER: lambda host, _: host.open_shard(),
    Act.GIVE_UP: lambda host, _: host.give_up(),
}


def _handle(rules: Rules, host: Host, wire: Wire, act: Act, call: int) -> None:
    """The runner does something with one call."""
    if act is Act.BEGIN:
        entry = next(each for each in wire.queue if each[1] == call)
        wire.queue.remove(entry)
        wire.active.append(entry)
        if rules.flushes:
            wire.socket += wire.buffer
            wire.buffer = []
        if rules.marks and rules.mutant is not Mutant.MARK_LATE:
            wire.marked |= 1 << call
    elif act is Act.EFFECT:
        _do_work(rules, host, call)
        wire.effects |= 1 << call
    elif act is Act.MARK:
        wire.marked |= 1 << call
    elif act is Act.REFUSE_LATE:
        _refuse(rules, wire, call)
    elif act is Act.GIVE_BACK:
        _answer(rules, wire, wire.queue, call, GIVEN_BACK)
    elif act is Act.CUT_OFF:
        _answer(rules, wire, wire.active, call, LEAVING)
    else:
        _answer(rules, wire, wire.active, call, RESULT)


def _do_work(rules: Rules, host: Host, call: int) -> None:
    """The handler does its work."""
    key = rules.keys[call]
    if key != "-":
        others = [other for other, each in enumerate(rules.keys) if each == key and other != call]
        if any(host.runs[other] for other in others if other > call):
            host.problems.add("I9")
        if any(wire.effects >> other & 1 for other in others for wire in host.wires if wire.is_alive):
            host.problems.add("ONE")
    host.runs[call] += 1


def _answer(rules: Rules, wire: Wire, among: list[tuple[int, int]], call: int, kind: int) -> None:
    entry = next(each for each in among if each[1] == call)
    among.remove(entry)
    wire.effects &= ~(1 << call)
    (wire.buffer if rules.buffered else wire.socket).append((*entry, kind))


def _refuse(rules: Rules, wire: Wire, call: int, *, kind: int = NOT_STARTED) -> None:
    """Nobody wants it any more: it does not begin, or is cut off."""
    if _has(wire.queue, call):
        _answer(rules, wire, wire.queue, call, kind)
    elif kind != RECALLED and _has(wire.active, call):
        _answer(rules, wire, wire.active, call, STOPPED)


def _live(rules: Rules, host: Host, wire: Wire, act: Act) -> None:
    """Something happens to a runner as a whole."""
    if act is Act.FLUSH:
        wire.socket.append(wire.buffer.pop(0))
    elif act in (Act.HEAR, Act.OVERHEAR):
        kind, calls = wire.told.pop(0)
        for call in range(len(rules.keys)):
            if calls >> call & 1 and not (act is Act.OVERHEAR and _has(wire.active, call)):
                _refuse(rules, wire, call, kind=RECALLED if kind == RECALL else NOT_STARTED)
    elif act is Act.CLOSE:
        wire.phase = CLOSED
        if rules.mutant is not Mutant.BARE_ID:
            wire.socket.clear()
    elif act is Act.RESTART:
        _restart(rules, host, wire)
    elif act is Act.TERM:
        wire.phase = TERMED
    elif act is Act.LOSE_PATIENCE:
        wire.phase = IMPATIENT
        _tell(wire, CANCEL, {call for _, call in wire.pending})
    elif act is Act.SHUT_DOWN:
        for _, call in (*wire.active, *wire.queue):
            _answer(rules, wire, wire.active if _has(wire.active, call) else wire.queue, call, LEAVING)
        wire.socket += wire.buffer
        _die(wire)
    else:  # it leaves, or is killed
        _die(wire)


def _has(entries: list[tuple[int, int]], call: int) -> bool:
    return any(each == call for _, each in entries)


def _restart(rules: Rules, host: Host, wire: Wire) -> None:
    host.is_open = False
    if rules.mutant is Mutant.NO_DRAIN:
        _die(wire)
        return
    wire.phase = DRAINING
    _tell(wire, RECALL, {call for _, call in wire.pending if not wire.marked >> call & 1})


def _tell(wire: Wire, kind: int, calls: set[int]) -> None:
    """What it has answered already means nothing to it."""
    still_there = sum(1 << call for _, call in (*wire.queue, *wire.active) if call in calls)
    if still_there:
        wire.told.append((kind, still_there))


def _die(wire: Wire) -> None:
    """What it had not written is gone; what it had begun is known by the marks."""
    wire.phase, wire.effects = DEAD, 0
    wire.queue, wire.told, wire.buffer = [], [], []


def broken_in(rules: Rules, state: State) -> set[str]:
    """The invariants that a state breaks by itself."""
    broken = set()
    for call, fate in enumerate(state.fate):
        runs = state.runs[call]
        if (state.place[call] == GONE) != (fate is not Fate.OPEN) and (
            fate is not Fate.CANCELLED or state.place[call] != OUT
        ):
            broken.add("I6")
        if runs > (rules.attempts if rules.again else 1):
            broken.add("I8" if rules.again else "I7")
        if fate is Fate.DONE and runs == 0:
            broken.add("I8" if rules.again else "I7")
        if rules.again and fate is Fate.LOST and not _is_lost_rightly(rules, state, call):
            broken.add("I8")
        if runs and state.denied >> call & 1:
            broken.add("SAID")
        if fate is Fate.LEFT and state.denied >> call & 1:
            broken.add("BACK")
        if rules.is_quiet and fate is not Fate.OPEN and (fate is not Fate.DONE or runs != 1):
            broken.add("EASY")
    return broken


def _is_lost_rightly(rules: Rules, state: State, call: int) -> bool:
    """It was tried as often as it may be, or there were too many such calls."""
    return state.attempts[call] >= rules.attempts or state.retries * 5 + 5 > SPARE_RETRIES
