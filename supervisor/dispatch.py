"""How does one call reach one component, and how is it sure to end once, in time?

A call passes two gates. Its *lane*: for one plugin and one ordering key (by default the session) calls run one after
the other, in the order in which they were dispatched. Then its shard: at most ``max_inflight`` calls are out, and as
many again that a running handler may be waiting for; the rest wait, also while the shard's runner is being replaced.

A runner that announced ``ordered`` keeps the lanes itself: a few calls of one lane are sent without waiting for each
other, which saves a round trip and two wake-ups between two of them. For any other runner of protocol 1.0.0 the host
keeps them.

Every call settles exactly once, by its deadline and a sweep at the latest: the link sweeps what was sent, the
dispatcher what waits. Waiting costs no task: a call is an object in a queue with a callback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from rookery.protocol import METHODS, ConnectionLost, RookeryError

from .call import Call, OnSettled, Outcome, Payload, Slot
from .fate import DispatchFailed, Fate, failure_of
from .gate import Gate

if TYPE_CHECKING:
    from collections.abc import Callable

    from rookery.protocol import Link

    from .component import Component
    from .counters import Counters
    from .gate import Lane, Window

SWEEP = 0.05
"""Seconds between two looks at the deadlines of waiting calls; half of the 100 ms that an end may be late."""


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
        self._counters = counters
        self._on_lost = on_lost
        self._waits = waits
        self._gates: dict[str, Gate] = {}
        self._lanes: dict[tuple[str, str], Lane] = {}
        """By plugin and key, while there are calls."""
        self._open = 0
        self._waiting: dict[Call, None] = {}
        """In the order in which they came. An open call is in here, or was sent, or fails within one pass of the loop."""
        self._work = trio.Event()
        self._idle = trio.Event()
        self._idle.set()
        self._is_closing = False

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
        call = Call(component, method, args, deadline, on_settled)
        self._open += 1
        if self._open == 1:
            self._idle = trio.Event()
        if key is None:
            self._enter(gate, call)
            return call
        place = (component.plugin_id, key)
        lane = self._lanes.get(place)
        if lane is None:
            lane = self._lanes[place] = gate.open_lane(place)
        if lane.depth > 1:
            call.payload["ordering_key"] = key
        if lane.has_room:
            lane.out += 1
            call.lane = lane
            self._enter(gate, call)
        elif gate.waiting >= gate.queue_limit:
            self._overload(gate, call)
        else:
            self._wait(gate, call)
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

        A cancel gives the call up: one that still waits is withdrawn and counted nowhere, one that was sent runs on, and
        its lane goes on when it ends.

        Args:
            timeout: Seconds; ``None`` takes the component's own, or else the method's.

        Raises:
            DispatchFailed: It ended without a result.
        """
        slot: Slot[Outcome] = Slot()
        seconds = timeout if timeout is not None else component.timeout or METHODS[method].timeout
        call = self.submit(
            component, method, args, slot.settle, deadline=trio.current_time() + seconds, key=key
        )
        try:
            outcome = await slot.wait()
        except (trio.Cancelled, KeyboardInterrupt):
            self.withdraw(call)
            raise
        if isinstance(outcome, DispatchFailed):
            raise outcome
        return outcome

    def withdraw(self, call: Call) -> None:
        """Nobody wants the result any more: a call that waits ends uncounted, one that was sent runs on unheard."""
        if call in self._waiting:
            self._end(call)
        else:
            call.on_settled = _ignore

    # --- shards ------------------------------------------------------------------------------------------------

    def add_shard(self, name: str, *, max_inflight: int, queue_limit: int) -> None:
        self._gates[name] = Gate(
            name, self._counters.of_shard(name), max_inflight=max_inflight, queue_limit=queue_limit
        )

    def open_shard(self, name: str, link: Link, *, orders: bool = False) -> None:
        """The shard's runner is ready: what waits goes out.

        Args:
            orders: It keeps the order of calls with one ordering key by itself.
        """
        gate = self._gates[name]
        gate.link, gate.is_given_up, gate.orders = link, False, orders
        self._pump(gate)

    def close_shard(self, name: str, *, given_up: str = "") -> None:
        """The shard takes no calls for now; what waits keeps waiting, if this dispatcher waits at all.

        Args:
            given_up: Why nobody can say when it will again: then waiting calls fail at once, and new ones too.
        """
        gate = self._gates[name]
        gate.link = None
        gate.is_given_up = bool(given_up)
        if given_up or not self._waits:
            why = given_up or _why_away(gate)
            for call in [call for call in self._waiting if call.component.shard == name]:
                self._fail(call, Fate.UNAVAILABLE, why)

    def is_open(self, name: str) -> bool:
        return self._gates[name].link is not None

    def load_of(self, name: str) -> tuple[int, int]:
        """How many calls wait for a shard, and how many it works on."""
        gate = self._gates[name]
        return gate.waiting, gate.outer.in_flight + gate.inner.in_flight

    # --- running -----------------------------------------------------------------------------------------------

    @property
    def open_calls(self) -> int:
        """Calls that are not settled."""
        return self._open

    async def wait_idle(self) -> None:
        """Return when no call is open."""
        while self._open:
            await self._idle.wait()

    async def run(self) -> None:
        """End what waits past its deadline, until cancelled; then end everything that waits."""
        try:
            while True:
                if not self._waiting:
                    # No timer while nothing waits.
                    self._work = trio.Event()
                    await self._work.wait()
                await trio.sleep(SWEEP)
                now = trio.current_time()
                late = [call for call in self._waiting if call.deadline <= now]
                for call in late:
                    self._time_out(call)
        finally:
            self.close()

    def close(self) -> None:
        """End every call that waits; new ones end at once."""
        self._is_closing = True
        for call in list(self._waiting):
            self._fail(call, Fate.SHUTTING_DOWN, "the host is stopping")

    # --- inside ------------------------------------------------------------------------------------------------

    def _wait(self, gate: Gate, call: Call) -> None:
        if not self._waiting:
            self._work.set()
        self._waiting[call] = None
        gate.waiting += 1

    def _stop_waiting(self, gate: Gate, call: Call) -> None:
        if call in self._waiting:
            del self._waiting[call]
            gate.waiting -= 1

    def _enter(self, gate: Gate, call: Call) -> None:
        """The call is the first of its lane: on to its shard."""
        window = gate.window_of(call.method)
        if self._is_closing:
            self._fail_soon(gate, call, Fate.SHUTTING_DOWN, "the host is stopping")
        elif gate.link is None and (gate.is_given_up or not self._waits):
            self._fail_soon(gate, call, Fate.UNAVAILABLE, _why_away(gate))
        elif call.deadline <= trio.current_time():
            self._fail_soon(gate, call, Fate.TIMEOUT, _too_late(call))
        elif gate.link is not None and window.has_room and not window.line:
            self._send(gate, gate.link, call)
        elif call in self._waiting:
            window.line.append(call)
        elif gate.waiting >= gate.queue_limit:
            self._overload(gate, call)
        else:
            self._wait(gate, call)
            window.line.append(call)

    def _overload(self, gate: Gate, call: Call) -> None:
        self._fail_soon(
            gate, call, Fate.OVERLOADED, f'{gate.waiting} calls already wait for shard "{gate.shard}"'
        )

    def _pump(self, gate: Gate) -> None:
        for window in (gate.inner, gate.outer):
            while gate.link is not None and window.has_room and (call := window.line.take()) is not None:
                if call.deadline <= trio.current_time():
                    self._time_out(call)
                else:
                    self._send(gate, gate.link, call)

    def _send(self, gate: Gate, link: Link, call: Call) -> None:
        window = gate.window_of(call.method)

        def done(outcome: Payload | RookeryError) -> None:
            window.in_flight -= 1
            self._settle(call, outcome if isinstance(outcome, dict) else failure_of(outcome))
            self._pump(gate)

        try:
            link.send(
                call.method,
                call.payload,
                plugin_id=call.component.plugin_id,
                deadline=call.deadline,
                on_done=done,
            )
        except ConnectionLost:
            self._put_back(gate, window, call)
        except RookeryError as error:
            failure = failure_of(error)
            self._fail_soon(gate, call, failure.fate, failure.message)
        else:
            window.in_flight += 1
            self._stop_waiting(gate, call)

    def _put_back(self, gate: Gate, window: Window, call: Call) -> None:
        # The runner has gone and nobody has told us yet: the call was not sent, so it waits for the next one.
        gate.link = None
        if not self._waits:
            self._fail_soon(gate, call, Fate.UNAVAILABLE, _why_away(gate))
            return
        if call not in self._waiting:
            self._wait(gate, call)
        window.line.put_back(call)

    def _fail_soon(self, gate: Gate, call: Call, fate: Fate, message: str) -> None:
        # From the loop and not from submit(): a callback inside the caller's own statement surprises it.
        self._stop_waiting(gate, call)
        trio.lowlevel.current_trio_token().run_sync_soon(self._fail, call, fate, message)

    def _time_out(self, call: Call) -> None:
        self._fail(call, Fate.TIMEOUT, _too_late(call))

    def _fail(self, call: Call, fate: Fate, message: str) -> None:
        self._settle(call, DispatchFailed(fate, message))

    def _settle(self, call: Call, outcome: Outcome) -> None:
        if not call.is_settled:
            self._count(call, outcome)
            self._end(call)
            call.on_settled(outcome)

    def _end(self, call: Call) -> None:
        call.is_settled = True
        self._stop_waiting(self._gates[call.component.shard], call)
        line, call.line = call.line, None
        if line is not None:
            line.note_ended()
        if call.lane is not None and line is not call.lane.line:
            self._release(call.lane)
        self._open -= 1
        if not self._open:
            self._idle.set()

    def _release(self, lane: Lane) -> None:
        """A call that had gone on has ended: the next may."""
        following = lane.line.take()
        if following is not None:
            self._enter(self._gates[following.component.shard], following)
            return
        lane.out -= 1
        if not lane.out:
            del self._lanes[lane.place]

    def _count(self, call: Call, outcome: Outcome) -> None:
        counters, shard = self._counters, self._gates[call.component.shard].counters
        counters.invocations += 1
        shard.invocations += 1
        if isinstance(outcome, DispatchFailed):
            if outcome.is_loss:
                counters.lost += 1
                shard.lost += 1
                if self._on_lost is not None:
                    self._on_lost(call, outcome)
            else:
                counters.errors += 1
                shard.errors += 1
        elif outcome.get("success") is False:
            counters.errors += 1
            shard.errors += 1


def _ignore(_: Outcome) -> None:
    """For a call that nobody waits for."""


def _why_away(gate: Gate) -> str:
    return f'shard "{gate.shard}" {"has been given up" if gate.is_given_up else "is not up"}'


def _too_late(call: Call) -> str:
    return f"{call.component.full_name} in shard {call.component.shard!r} could not begin in time"
