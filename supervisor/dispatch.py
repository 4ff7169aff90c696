"""How does one call reach one component, and how is it sure to end once, in time?

A call passes two gates. Its *lane*: for one plugin and one ordering key (by default the session) calls run one after
the other, in the order in which they were dispatched. Then its shard: at most ``max_inflight`` calls are out, and as
many again that a running handler may be waiting for; the rest wait, also while the shard's runner is being replaced.

A runner that announced ``ordered`` keeps the lanes itself: a few calls of one lane are sent without waiting for each
other, which saves a round trip and two wake-ups between two of them. For any other runner of protocol 1.0.0 the host
keeps them.

Every call settles exactly once, by its deadline and a sweep at the latest: the link sweeps what was sent, ``waiting.py``
what waits. Waiting costs no task: a call is an object in a queue. What becomes of the calls of a runner that dies: those that
had not begun go to the next one, before any that were made later; others are lost, or may run again.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import trio

from rookery.protocol import METHODS, PLUGIN_CANCEL, ConnectionLost, RequestTimedOut, RookeryError, Slot

from .call import Call, OnSettled, Outcome, Payload
from .fate import DispatchFailed, Fate, failure_of, never_began, takes_nothing
from .gate import INNER_METHODS, Gate
from .holding import Holding
from .open_calls import OpenCalls
from .refusals import Refusals
from .retries import MAX_ATTEMPTS, MOST, RetryBudget
from .segment import Segment
from .segments import Segments
from .tally import Tally
from .waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from rookery.protocol import Link

    from .component import Component
    from .counters import Counters
    from .gate import Lane, Window


class Dispatcher:
    """Sends calls to the shards where their components live.

    Args:
        waits: Whether a call waits for a shard that is away, up to its deadline; else it fails at once.
        on_lost: Told every call that failed by no doing of its plugin. It must not raise.
    """

    def __init__(
        self,
        counters: Counters,
        *,
        waits: bool = True,
        on_lost: Callable[[Call, DispatchFailed], None] | None = None,
    ) -> None:
        self.tally = Tally(counters, on_lost)
        self._waits = waits
        self._gates: dict[str, Gate] = {}
        self._lanes: dict[tuple[str, str], Lane] = {}
        """By plugin and key, while there are calls."""
        self.open = OpenCalls()
        self._waiting = Waiting(self._time_out)
        """An open call is in here, or was sent, or fails within one pass of the loop."""
        self.is_closing = False
        self._number = 0
        self.budget = RetryBudget()
        self.refusals = Refusals()
        self.holding = Holding(self._waiting, self._enter, self._overload, self.gate_of)
        self.segments = Segments(self)

    # --- calling -----------------------------------------------------------------------------------------------

    def submit(
        self,
        component: Component,
        method: str,
        args: Payload,
        on_settled: OnSettled,
        *,
        deadline: float,
        key: str | None = None,
    ) -> Call:
        """Send a call without waiting.

        ``on_settled`` is called exactly once, synchronously from the loop (never before this returns): with the answer's
        payload, or with the failure. It must not raise.

        Args:
            args: Encoded when the call is sent, which may be later: not to be changed any more.
            deadline: Absolute, on trio's clock. It covers waiting and running.
            key: Calls of one plugin with the same key run one after the other; ``None`` waits for nobody.
        """
        gate = self._gates[component.shard]
        self._number += 1
        call = Call(component, method, args, deadline, on_settled, self._number)
        if self.budget.left < MOST:
            self.budget.earn()
        self.open.count += 1
        if key is None:
            self._enter(gate, call)
            return call
        place = (component.plugin_id, key)
        lane = self._lanes.get(place)
        if lane is None:
            lane = self._lanes[place] = gate.open_lane(place)
        if gate.orders:
            call.payload["ordering_key"] = key
        if lane.has_room and (gate.orders or not lane.out):
            lane.out += 1
            call.lane = lane
            self._enter(gate, call)
        elif gate.waiting >= gate.queue_limit:
            self._overload(gate, call)
        else:
            self._waiting.add(gate, call)
            lane.line.append(call)
            call.lane = lane
        return call

    async def call(
        self,
        component: Component,
        method: str,
        args: Payload,
        *,
        timeout: float | None = None,
        key: str | None = None,
    ) -> Payload:
        """Send a call and wait for its result. A checkpoint.

        A cancel gives the call up: one that waits is withdrawn, uncounted; one that was sent runs on, its lane behind it.

        Args:
            timeout: Seconds; ``None`` takes the component's own, or else the method's.

        Raises:
            DispatchFailed: It ended without a result.
        """
        slot: Slot[Outcome] = Slot()
        seconds = timeout if timeout is not None else component.timeout or METHODS[method].timeout
        deadline = trio.current_time() + seconds
        call = self.submit(component, method, args, slot.settle, deadline=deadline, key=key)
        try:
            outcome = await slot.wait()
        except (trio.Cancelled, KeyboardInterrupt):
            self.withdraw(call)
            raise
        if isinstance(outcome, DispatchFailed):
            raise outcome
        return outcome

    def withdraw(self, call: Call | Segment) -> None:
        """Nobody wants the result any more: a call that waits ends uncounted, one that was sent is cancelled, unheard."""
        if isinstance(call, Segment):
            self.segments.withdraw(call)
        elif call.is_waiting:
            self._end(call)
        else:
            call.forget()
            self._cancel(call)

    # --- shards ------------------------------------------------------------------------------------------------

    def add_shard(self, name: str, *, max_inflight: int, queue_limit: int) -> None:
        counters = self.tally.counters.of_shard(name)
        self._gates[name] = Gate(name, counters, max_inflight=max_inflight, queue_limit=queue_limit)

    def open_shard(
        self,
        name: str,
        link: Link,
        *,
        orders: bool = False,
        cancels: bool = False,
        read_started: Callable[[], frozenset[int] | None] | None = None,
    ) -> None:
        """The shard's runner is ready: what waits goes out.

        Args:
            orders: It keeps the order of calls with one ordering key by itself.
            cancels: It takes ``plugin.cancel``.
            read_started: What it has begun, for a runner that takes segments; ``None`` for any other.
        """
        gate = self._gates[name]
        gate.open(link, orders=orders, cancels=cancels, read_started=read_started)
        self.pump(gate)

    def close_shard(self, name: str, *, given_up: str = "") -> None:
        """The shard takes no calls for now; what waits keeps waiting, if this dispatcher waits at all. Given up, it takes none
        until nobody can say when, and why is told: waiting calls fail at once, and new ones too."""
        gate = self._gates[name]
        gate.link = None
        gate.is_given_up = bool(given_up)
        if given_up or not self._waits:
            why = given_up or gate.why_away
            for call in self._waiting.of_shard(name):
                self._fail(call, Fate.UNAVAILABLE, why)

    def move_plugin(self, plugin_id: str, to_shard: str) -> None:
        """A plugin lives elsewhere now: its calls that wait go there, in their order."""
        target = self._gates[to_shard]
        for call in self._waiting.of_plugin(plugin_id):
            self._waiting.move(call, self._gates[call.component.shard], target)
        self.pump(target)

    def end_refused(self, plugin_id: str) -> None:
        """A plugin is not called any more: what waits for it fails at once."""
        for call in self._waiting.of_plugin(plugin_id):
            if refusal := self.refusals.of(call):
                self._fail(call, *refusal)

    def is_open(self, name: str) -> bool:
        return self._gates[name].link is not None

    def load_of(self, name: str) -> tuple[int, int]:
        return self._gates[name].load

    # --- running -----------------------------------------------------------------------------------------------

    @property
    def open_calls(self) -> int:
        return self.open.count

    async def wait_idle(self) -> None:
        """Return when no call is open."""
        await self.open.wait_idle()

    async def run(self) -> None:
        """End what waits past its deadline, until cancelled; then end everything that waits."""
        try:
            await self._waiting.sweep()
        finally:
            self.close()

    def close(self) -> None:
        """End every call that waits; new ones end at once."""
        self.is_closing = True
        for call in self._waiting.all():
            self._fail(call, Fate.SHUTTING_DOWN, "the host is stopping")

    # --- inside ------------------------------------------------------------------------------------------------

    def _enter(self, gate: Gate, call: Call) -> None:
        """The call is the first of its lane: on to its shard."""
        window = gate.inner if call.method in INNER_METHODS else gate.outer
        if self.is_closing:
            self._fail_soon(gate, call, Fate.SHUTTING_DOWN, "the host is stopping")
        elif self.refusals.any and (refusal := self.refusals.of(call)):
            self._fail_soon(gate, call, *refusal)
        elif self.holding.any and self.holding.keeps(gate, call):
            return
        elif gate.link is None and (gate.is_given_up or not self._waits):
            self._fail_soon(gate, call, Fate.UNAVAILABLE, gate.why_away)
        elif call.deadline <= trio.current_time():
            self._fail_soon(gate, call, Fate.TIMEOUT, call.too_late)
        elif gate.link is not None and window.has_room and not (gate.waiting and window.line):
            self._send(gate, gate.link, window, call)
        elif call.is_waiting:
            window.line.append(call)
        elif gate.waiting >= gate.queue_limit:
            self._overload(gate, call)
        else:
            self._waiting.add(gate, call)
            window.line.append(call)

    def _overload(self, gate: Gate, call: Call) -> None:
        self._fail_soon(gate, call, Fate.OVERLOADED, f'{gate.waiting} calls wait for shard "{gate.shard}"')

    def pump(self, gate: Gate) -> None:
        if not gate.waiting:
            return  # as after most calls
        for window in (gate.inner, gate.outer):
            while gate.link is not None and window.has_room and (call := window.line.take()) is not None:
                if call.deadline <= trio.current_time():
                    self._time_out(call)
                else:
                    self._send(gate, gate.link, window, call)

    def _send(self, gate: Gate, link: Link, window: Window, call: Call) -> None:
        try:
            call.request_id = link.send(
                call.method,
                call.payload,
                plugin_id=call.component.plugin_id,
                deadline=call.deadline,
                on_done=partial(self.take_end, gate, window, call),
                tag=call,
            )
            call.link = link
        except ConnectionLost:
            gate.link = None  # the runner has gone and nobody has told us yet
            self._put_back(gate, call)
        except RookeryError as error:
            failure = failure_of(error)
            self._fail_soon(gate, call, failure.fate, failure.message)
        else:
            window.in_flight += 1
            if call.is_waiting:
                self._waiting.remove(gate, call)

    def take_end(self, gate: Gate, window: Window, call: Call, outcome: Payload | RookeryError) -> None:
        """A call that was sent is over."""
        window.in_flight -= 1
        if isinstance(outcome, dict):
            self.settle(call, outcome)
        else:
            self.take_failure(gate, call, outcome)
        self.pump(gate)

    # --- for segments ------------------------------------------------------------------------------------------

    def gate_of(self, shard: str) -> Gate:
        return self._gates[shard]

    def take_numbers(self, count: int) -> int:
        """So many numbers of calls, in the order in which those are made; the first."""
        first = self._number + 1
        self._number += count
        return first

    def take_failure(self, gate: Gate, call: Call, error: RookeryError) -> None:
        """A call that was sent has no answer: it waits for the next runner if that may run it, else it has ended."""
        if isinstance(error, RequestTimedOut):
            self._cancel(call)
        link, call.link = call.link, None
        if call.is_settled or call.is_unheard:
            self.settle(call, failure_of(error))
        elif never_began(error):
            self.tally.counters.put_back += 1
            if link is gate.link and takes_nothing(error):
                gate.link = None  # until its successor is there, or it is seen to work on
            self._put_back(gate, call)
        elif isinstance(error, ConnectionLost) and self._may_retry(call):
            self.tally.counters.retried += 1
            self._put_back(gate, call)
        else:
            self.settle(call, failure_of(error, has_run=call.attempts > 0))

    def _may_retry(self, call: Call) -> bool:
        call.attempts += 1
        may_run = call.component.is_idempotent and call.attempts < MAX_ATTEMPTS
        return may_run and self.budget.take(trio.current_time())

    def _put_back(self, gate: Gate, call: Call) -> None:
        """The call is not out any more and waits for the shard's next runner, before those that were made after it."""
        if gate.is_given_up or not self._waits:
            self._fail_soon(gate, call, Fate.UNAVAILABLE, gate.why_away)
            return
        if not call.is_waiting:
            self._waiting.add(gate, call)
        gate.window_of(call.method).line.put_back(call)

    def _cancel(self, call: Call) -> None:
        link = call.link
        if link is not None and self._gates[call.component.shard].cancels and not link.is_closed:
            link.broadcast(PLUGIN_CANCEL, {"request_ids": [call.request_id]})

    def _fail_soon(self, gate: Gate, call: Call, fate: Fate, message: str) -> None:
        # From the loop and not from submit(): a callback inside the caller's own statement surprises it.
        self._waiting.remove(gate, call)
        trio.lowlevel.current_trio_token().run_sync_soon(self._fail, call, fate, message)

    def _time_out(self, call: Call) -> None:
        self._fail(call, Fate.TIMEOUT, call.too_late)

    def _fail(self, call: Call, fate: Fate, message: str) -> None:
        self.settle(call, DispatchFailed(fate, message, maybe_executed=call.attempts > 0))

    def settle(self, call: Call, outcome: Outcome) -> None:
        if not call.is_settled:
            self.tally.note(self._gates[call.component.shard].counters, call, outcome)
            self._end(call)
            call.on_settled(outcome)

    def _end(self, call: Call) -> None:
        call.is_settled = True
        if call.is_waiting:
            self._waiting.remove(self._gates[call.component.shard], call)
        line, call.line = call.line, None
        if line is not None:
            line.note_ended()
        if call.lane is not None and line is not call.lane.line:
            self._release(call.lane)
        self.open.note_closed()

    def _release(self, lane: Lane) -> None:
        """A call that had gone on has ended: the next may."""
        following = lane.line.take()
        if following is not None:
            self._enter(self._gates[following.component.shard], following)
            return
        lane.out -= 1
        if not lane.out:
            del self._lanes[lane.place]
