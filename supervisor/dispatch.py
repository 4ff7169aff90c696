"""How does one call reach one component, and how is it sure to end once, in time?

A call passes two gates. Its *lane*: for one plugin and one ordering key (by default the session) calls run one after
the other, in the order in which they were dispatched. Then its shard: at most ``max_inflight`` calls are out, the rest
wait, also while the shard's runner is being replaced. Both gates belong to the host, so the order holds with any runner
of protocol 1.0.0.

Every call settles exactly once, by its deadline and a sweep at the latest: the link sweeps what was sent, the
dispatcher what waits. Waiting costs no task: a call is an object in a queue with a callback.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import trio

from rookery.protocol import METHODS, ConnectionLost, RookeryError

from .call import Call, OnSettled, Outcome, Payload, Slot
from .fate import DispatchFailed, Fate, failure_of
from .gate import Gate

if TYPE_CHECKING:
    from rookery.protocol import Link

    from .component import Component
    from .counters import Counters

SWEEP = 0.05
"""Seconds between two looks at the deadlines of waiting calls; half of the 100 ms that an end may be late."""


class Dispatcher:
    """Sends calls to the shards where their components live.

    Args:
        waits: Whether a call waits for a shard that is away, up to its deadline; else it fails at once.
    """

    def __init__(self, counters: Counters, *, waits: bool = True) -> None:
        self._counters = counters
        self._waits = waits
        self._gates: dict[str, Gate] = {}
        self._lanes: dict[tuple[str, str], deque[Call]] = {}
        self._open = 0
        self._waiting: set[Call] = set()
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
            deadline: Absolute, on trio's clock. It covers waiting and running.
            key: Calls of one plugin with the same key run one after the other; ``None`` waits for nobody.
        """
        call = Call(component, method, args, deadline, on_settled)
        self._open += 1
        if self._open == 1:
            self._idle = trio.Event()
        self._wait(call)
        if key is None:
            self._enter(call)
            return call
        lane = call.lane = (component.plugin_id, key)
        others = self._lanes.get(lane)
        if others is None:
            self._lanes[lane] = deque()
            call.holds_lane = True
            self._enter(call)
        else:
            others.append(call)
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
        """Send a call and wait for its result. A checkpoint; a cancel gives the call up.

        Args:
            timeout: Seconds; ``None`` takes the component's own, or else the method's.

        Raises:
            DispatchFailed: It ended without a result.
        """
        slot = Slot()
        seconds = timeout or component.timeout or METHODS[method].timeout
        slot.call = self.submit(
            component, method, args, slot.settle, deadline=trio.current_time() + seconds, key=key
        )
        outcome = await slot.wait()
        if isinstance(outcome, DispatchFailed):
            raise outcome
        return outcome

    # --- shards ------------------------------------------------------------------------------------------------

    def add_shard(self, name: str, *, max_inflight: int, queue_limit: int) -> None:
        self._gates[name] = Gate(
            name, self._counters.of_shard(name), max_inflight=max_inflight, queue_limit=queue_limit
        )

    def open_shard(self, name: str, link: Link) -> None:
        """The shard's runner is ready: what waits goes out."""
        gate = self._gates[name]
        gate.link, gate.is_given_up, gate.in_flight = link, False, 0
        self._pump(gate)

    def close_shard(self, name: str, *, given_up: str = "") -> None:
        """The shard takes no calls for now; what waits keeps waiting.

        Args:
            given_up: Why nobody can say when it will again: then waiting calls fail at once, and new ones too.
        """
        gate = self._gates[name]
        gate.link = None
        gate.is_given_up = bool(given_up)
        if given_up:
            waiting, gate.queue = gate.queue, deque()
            for call in waiting:
                self._fail(call, Fate.UNAVAILABLE, given_up)

    def is_open(self, name: str) -> bool:
        return self._gates[name].link is not None

    def load_of(self, name: str) -> tuple[int, int]:
        """How many calls wait for a shard, and how many it works on."""
        gate = self._gates[name]
        in_flight = gate.in_flight if gate.link is not None else 0
        return sum(not call.is_settled for call in gate.queue), in_flight

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
                    self._fail(call, Fate.TIMEOUT, f"{_name(call)} could not begin in time")
                if late:
                    self._sweep_queues()
        finally:
            self.close()

    def close(self) -> None:
        """End every call that waits; new ones end at once."""
        self._is_closing = True
        for call in list(self._waiting):
            self._fail(call, Fate.SHUTTING_DOWN, "the host is stopping")

    # --- inside ------------------------------------------------------------------------------------------------

    def _sweep_queues(self) -> None:
        # A shard that is gone for long must not keep what has ended meanwhile.
        for gate in self._gates.values():
            if any(call.is_settled for call in gate.queue):
                gate.queue = deque(call for call in gate.queue if not call.is_settled)

    def _wait(self, call: Call) -> None:
        if not self._waiting:
            self._work.set()
        self._waiting.add(call)

    def _enter(self, call: Call) -> None:
        """The call is the first of its lane: on to its shard."""
        gate = self._gates[call.component.shard]
        if gate.link is not None and gate.in_flight < gate.max_inflight and not gate.queue:
            self._send(gate, gate.link, call)
        elif self._is_closing:
            self._fail_soon(call, Fate.SHUTTING_DOWN, "the host is stopping")
        elif gate.is_given_up or (gate.link is None and not self._waits):
            why = "has been given up" if gate.is_given_up else "is not up"
            self._fail_soon(call, Fate.UNAVAILABLE, f'shard "{gate.shard}" {why}')
        elif len(gate.queue) >= gate.queue_limit:
            self._fail_soon(
                call, Fate.OVERLOADED, f'{len(gate.queue)} calls already wait for shard "{gate.shard}"'
            )
        else:
            gate.queue.append(call)

    def _pump(self, gate: Gate) -> None:
        while gate.queue and gate.link is not None and gate.in_flight < gate.max_inflight:
            call = gate.queue.popleft()
            if not call.is_settled:
                self._send(gate, gate.link, call)

    def _send(self, gate: Gate, link: Link, call: Call) -> None:
        def done(outcome: Payload | RookeryError) -> None:
            if gate.link is link:
                gate.in_flight -= 1
            self._settle(call, outcome if isinstance(outcome, dict) else failure_of(outcome))
            self._pump(gate)

        self._waiting.discard(call)
        gate.in_flight += 1
        try:
            link.send(
                call.method,
                call.payload,
                plugin_id=call.component.plugin_id,
                deadline=call.deadline,
                on_done=done,
            )
        except ConnectionLost:
            # The runner has gone and nobody has told us yet: the call was not sent, so it waits for the next one.
            gate.link = None
            self._wait(call)
            gate.queue.appendleft(call)
        except RookeryError as error:
            gate.in_flight -= 1
            failure = failure_of(error)
            self._fail_soon(call, failure.fate, failure.message)

    def _fail_soon(self, call: Call, fate: Fate, message: str) -> None:
        # From the loop and not from submit(): a callback inside the caller's own statement surprises it.
        call.deadline = 0.0
        self._waiting.discard(call)
        trio.lowlevel.current_trio_token().run_sync_soon(self._fail, call, fate, message)

    def _fail(self, call: Call, fate: Fate, message: str) -> None:
        self._settle(call, DispatchFailed(fate, message))

    def _settle(self, call: Call, outcome: Outcome) -> None:
        if call.is_settled:
            return
        call.is_settled = True
        self._waiting.discard(call)
        self._count(call, outcome)
        if call.lane is not None and call.holds_lane:
            self._release(call.lane)
        self._open -= 1
        if not self._open:
            self._idle.set()
        call.on_settled(outcome)

    def _release(self, lane: tuple[str, str]) -> None:
        others = self._lanes[lane]
        while others:
            following = others.popleft()
            if not following.is_settled:
                following.holds_lane = True
                self._enter(following)
                return
        del self._lanes[lane]

    def _count(self, call: Call, outcome: Outcome) -> None:
        counters, shard = self._counters, self._gates[call.component.shard].counters
        counters.invocations += 1
        shard.invocations += 1
        if isinstance(outcome, DispatchFailed):
            if outcome.is_loss:
                counters.lost += 1
                shard.lost += 1
            else:
                counters.errors += 1
                shard.errors += 1
        elif outcome.get("success") is False:
            counters.errors += 1
            shard.errors += 1


def _name(call: Call) -> str:
    return f"{call.component.full_name} in shard {call.component.shard!r}"
