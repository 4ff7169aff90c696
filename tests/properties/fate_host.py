"""What does the host do with a call? The rules of ``supervisor/dispatch.py``, ``gate.py`` and ``ledger.py``, on bare tuples.

The names are those of the code, so that the two can be read beside each other. A host is thawed from a state, does one
thing, and is frozen again. What must never happen is noted where it happens, under the number of the invariant.
"""

from __future__ import annotations

from .fate_state import (
    CLOSED,
    GIVEN_BACK,
    GONE,
    IMPATIENT,
    LANE,
    LEAVING,
    LINE,
    NOT_STARTED,
    OUT,
    RECALLED,
    RESULT,
    Fate,
    Mutant,
    Rules,
    Runner,
    State,
)

LOST, UNBEGUN, EXPIRED = 10, 11, 12
"""How a request ends without an answer: its runner died after it had begun, or before; or its deadline passed."""

SPARE_RETRIES, FIFTHS = 15, 5
"""The budget of ``retries.py`` in fifths: three to begin with, a fifth more with each call, a whole one less with each
retry. No time passes here that would bring any back."""

CANCEL, RECALL = 0, 1
"""What a host tells its runner about calls."""


class Wire:
    """A ``Runner`` that can be changed."""

    __slots__ = Runner._fields

    def __init__(self, runner: Runner) -> None:
        self.phase: int
        self.sent: int
        self.effects: int
        self.marked: int
        (
            self.phase, pending, self.sent, queue, active, self.effects, self.marked, told, buffer, socket
        ) = runner  # fmt: skip
        self.pending = list(pending)
        self.queue = list(queue)
        self.active = list(active)
        self.told = list(told)
        self.buffer = list(buffer)
        self.socket = list(socket)

    @property
    def is_alive(self) -> bool:
        return self.phase <= IMPATIENT

    def freeze(self) -> Runner:
        return Runner(
            self.phase, tuple(self.pending), self.sent, tuple(self.queue), tuple(self.active), self.effects,
            self.marked, tuple(self.told), tuple(self.buffer), tuple(self.socket)
        )  # fmt: skip


class Host:
    """The dispatcher, one gate, and the ledger of each runner.

    Attributes:
        wires: The runners that are not buried, oldest first.
        problems: Which invariants this step has broken.
    """

    def __init__(self, rules: Rules, state: State) -> None:
        self._rules = rules
        self._mutant = rules.mutant
        self._keys = rules.keys
        self.place = list(state.place)
        self.fate = list(state.fate)
        self.attempts = list(state.attempts)
        self.runs = list(state.runs)
        self.late = state.late
        self.denied = state.denied
        self.line = list(state.line)
        self.is_open = state.is_open
        self.is_given_up = state.is_given_up
        self.wires = [Wire(runner) for runner in state.runners]
        self.stale = list(state.stale)
        self.retries = state.retries
        self.in_flight = sum(len(wire.pending) for wire in self.wires)
        self.problems: set[str] = set()
        self._soon: list[tuple[int, Fate]] = []

    def freeze(self, left: tuple[int, ...]) -> State:
        """The state that follows. What the code does from the loop a moment later is done first."""
        while self._soon:
            call, fate = self._soon.pop(0)
            if self.fate[call] is Fate.OPEN:
                self._fail(call, fate)
        return State(
            tuple(self.place), tuple(self.fate), tuple(self.attempts), tuple(self.runs), self.late, self.denied,
            tuple(self.line), self.is_open, self.is_given_up, tuple(wire.freeze() for wire in self.wires),
            tuple(self.stale), self.retries, left
        )  # fmt: skip

    # --- Dispatcher --------------------------------------------------------------------------------------------

    def submit(self, call: int) -> None:
        key = self._keys[call]
        self.place[call] = LANE
        if key == "-":
            self._enter(call)
            return
        lane = [other for other in range(call) if self._keys[other] == key]
        gone_on = sum(self.place[other] in (LINE, OUT) for other in lane)
        if gone_on < self._rules.depth and all(self.place[other] != LANE for other in lane):
            self._enter(call)

    def withdraw(self, call: int) -> None:
        if self.place[call] == OUT:
            self.fate[call] = Fate.CANCELLED
            self._cancel(call)
        else:
            self._end(call, Fate.CANCELLED)

    def open_shard(self) -> None:
        self.is_open, self.is_given_up = True, False
        self.pump()

    def give_up(self) -> None:
        self.is_given_up = True
        for call in [call for call, place in enumerate(self.place) if place in (LANE, LINE)]:
            self._fail(call, Fate.UNAVAILABLE)

    def _enter(self, call: int) -> None:
        self.place[call] = LINE
        if self.is_given_up:
            self._soon.append((call, Fate.UNAVAILABLE))
        elif self.late >> call & 1:
            self._soon.append((call, Fate.LATE))
        elif self.is_open and self.in_flight < self._rules.window and not self.line:
            self._send(call)
        else:
            self.line.append(call)

    def pump(self) -> None:
        while self.is_open and self.in_flight < self._rules.window and self.line:
            call = self.line.pop(0)
            if self.late >> call & 1:
                self._fail(call, Fate.LATE)
            else:
                self._send(call)

    def _send(self, call: int) -> None:
        wire = self.wires[-1]
        if wire.phase == CLOSED:
            self.is_open = False  # nobody has told us yet
            self.put_back(call)
            return
        if self._mutant is Mutant.BARE_ID:
            wire.sent += 1
        request_id = wire.sent or call + 1
        wire.pending.append((request_id, call))
        self.in_flight += 1
        self.place[call] = OUT
        if wire.is_alive:
            wire.queue.append((request_id, call))

    def done(self, call: int, outcome: int) -> None:
        """A request has ended, with an answer or without."""
        self.in_flight -= 1
        if outcome == RESULT:
            self._end(call, Fate.DONE)
        else:
            self._take_failure(call, outcome)
        self.pump()

    def _take_failure(self, call: int, outcome: int) -> None:
        if outcome == EXPIRED:
            self._cancel(call)
        if self.fate[call] is Fate.CANCELLED:
            self._end(call, Fate.CANCELLED)
        elif outcome in (UNBEGUN, RECALLED):
            self.put_back(call)
        elif outcome == GIVEN_BACK and self._mutant is not Mutant.GIVEN_BACK_FAILS:
            self.is_open = False
            self.put_back(call)
        elif outcome == LOST:
            if self._may_retry(call):
                self.put_back(call)
            else:
                self._end(call, Fate.LOST)
        else:
            self._end_refused(call, outcome)

    def _end_refused(self, call: int, outcome: int) -> None:
        """What ``failure_of`` makes of an answer that is none."""
        ran_before = self.attempts[call] > 0 and self._mutant is not Mutant.FORGETFUL
        is_believed = outcome == LEAVING and self._mutant is Mutant.LEAVING_IS_UNBEGUN
        unbegun = outcome in (NOT_STARTED, GIVEN_BACK) or is_believed
        if unbegun and not ran_before:
            self.denied |= 1 << call
        self._end(call, Fate.LEFT if outcome in (LEAVING, GIVEN_BACK) else Fate.LATE)

    def _may_retry(self, call: int) -> bool:
        if self._mutant is not Mutant.UNCOUNTED:
            self.attempts[call] += 1
        again = self._rules.again or self._mutant is Mutant.RETRY_ANYTHING
        if not again or self.attempts[call] >= self._rules.attempts:
            return False
        made = sum(place != 0 for place in self.place)
        if SPARE_RETRIES + made - FIFTHS * self.retries < FIFTHS:
            return False
        self.retries += 1
        return True

    def put_back(self, call: int) -> None:
        self.place[call] = LINE
        if self._mutant is Mutant.TAIL:
            self.line.append(call)
        elif self._mutant is Mutant.OLDEST_FIRST:
            self.line.insert(0, call)
        else:
            at = 0
            while at < len(self.line) and self.line[at] < call:
                at += 1
            self.line.insert(at, call)

    def _cancel(self, call: int) -> None:
        for wire in self.wires:
            if wire.is_alive and any(each == call for _, each in (*wire.queue, *wire.active)):
                wire.told.append((CANCEL, 1 << call))

    def _fail(self, call: int, fate: Fate) -> None:
        """It ends while it waits."""
        if not self.attempts[call]:
            self.denied |= 1 << call
        self._end(call, fate)

    def _end(self, call: int, fate: Fate) -> None:
        if self.fate[call] is Fate.OPEN:
            self.fate[call] = fate
        elif self.fate[call] is not Fate.CANCELLED or self.place[call] == GONE:
            self.problems.add("I6")
        place, self.place[call] = self.place[call], GONE
        if call in self.line:
            self.line.remove(call)
        if place != LANE and self._keys[call] != "-":
            self._release(self._keys[call])

    def _release(self, key: str) -> None:
        for call, place in enumerate(self.place):
            if place == LANE and self._keys[call] == key:
                self._enter(call)
                return

    # --- Ledger ------------------------------------------------------------------------------------------------

    def receive(self, wire: Wire) -> None:
        """The next answer on a connection."""
        request_id, call, kind = wire.socket.pop(0)
        for pending in wire.pending:
            if pending[0] == request_id:
                wire.pending.remove(pending)
                if pending[1] != call:
                    self.problems.add("I14")
                self.done(pending[1], kind)
                return

    def receive_stale(self) -> None:
        """The next answer of a runner that was buried, for a host that asks for the id alone."""
        request_id, _, kind = self.stale.pop(0)
        for wire in self.wires:
            for pending in wire.pending:
                if pending[0] == request_id:
                    wire.pending.remove(pending)
                    self.problems.add("I14")
                    self.done(pending[1], kind)
                    return

    def expire(self, call: int) -> None:
        """The deadline of a call has passed, and the sweep comes by."""
        if self.place[call] != OUT:
            self._fail(call, Fate.LATE)
            return
        for wire in self.wires:
            for pending in wire.pending:
                if pending[1] == call:
                    wire.pending.remove(pending)
                    self.done(call, EXPIRED)
                    return

    def settle(self, wire: Wire) -> None:
        """The death is proved: everybody who still waits is told, newest first."""
        over = wire.pending if self._mutant is Mutant.OLDEST_FIRST else wire.pending[::-1]
        wire.pending = []
        before = self.fate.count(Fate.LOST)
        for _, call in over:
            has_begun = not self._rules.marks or wire.marked >> call & 1
            self.done(call, LOST if has_begun else UNBEGUN)
        if self.fate.count(Fate.LOST) - before > len(wire.active):
            self.problems.add("I10")
        if self._mutant is Mutant.BARE_ID:
            self.stale += wire.socket
        if wire is self.wires[-1]:
            self.is_open = False
        self.wires.remove(wire)
