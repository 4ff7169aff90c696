"""How are several handlers asked by one request, so that nobody can tell it from one request for each?

Only while all is well: the shard is up, nothing waits before it, nobody is refused. Otherwise ``send`` says no, and whoever
asked calls the handlers one by one. And whatever comes of a segment other than well takes it apart into the calls that it
stands for, which then go the ways of ``dispatch.py``: they wait for the next runner, are made again, or fail.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from rookery.protocol import (
    PLUGIN_CANCEL,
    PLUGIN_RUN_SEGMENT,
    ConnectionLost,
    Pending,
    RemoteError,
    RequestTimedOut,
    RookeryError,
    encode_value,
)
from rookery.protocol import page as layout

from .fate import DispatchFailed, Fate
from .precedence import Precedence
from .segment import Segment

if TYPE_CHECKING:
    from collections.abc import Callable

    from rookery.protocol import Link

    from .call import Call, Outcome, Payload
    from .dispatch import Dispatcher
    from .gate import Gate
    from .neighbours import Neighbours

MIN_TIMEOUT = 0.2
"""Seconds. With less it would be half over when a runner has given a segment back; see ``BURST`` there."""

MAX_HANDLERS = 16_384
"""In one request; a frame has room for more."""


class Segments:
    """Asks several handlers of one shard at once.

    Attributes:
        is_on: False calls every handler alone. Nothing else changes, which is what tests compare.
        precedence: Of events and hooks whose handlers are asked in turn.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self.is_on = True
        self.precedence = Precedence()

    def send(
        self,
        neighbours: Neighbours[Any],
        method: str,
        args: Payload,
        on_settled: Callable[[int, Outcome], None],
        *,
        on_silent: Callable[[int], None] | None = None,
        key: str | None = None,
        flow: object = None,
    ) -> Segment | None:
        """Ask neighbours in the order of handlers, if nothing speaks against it; ``None`` when something does.

        Args:
            on_settled: See ``Segment``. Called from the loop, and never before this returns.
            on_silent: Told how many had nothing to say, for those that are not in turn; ``None``: they are.
            key: For one key a plugin is asked in the order of dispatch; ``None`` keeps no order.
            flow: What those in turn are asked for; see ``precedence``.
        """
        components = neighbours.handlers
        count = len(components)
        if not 2 <= count <= MAX_HANDLERS or not self.is_on or neighbours.shortest < MIN_TIMEOUT:
            return None
        if on_silent is None and not self.precedence.is_first(key, flow):
            return None
        dispatcher = self._dispatcher
        gate = dispatcher.gate_of(components[0].shard)
        link = gate.link
        if link is None or not gate.takes_segments or dispatcher.refusals.any or dispatcher.is_closing:
            return None
        clock, now = time.monotonic(), trio.current_time()  # in this order: the runner goes by the first
        segment = Segment(
            components,
            method,
            args,
            neighbours.timeouts,
            on_settled,
            on_silent,
            key=key,
            number=dispatcher.take_numbers(count),
            sent_at=now,
        )
        is_known = gate.keeps_groups and neighbours.number in gate.groups
        payload: Payload = {
            "method": method,
            "args": b"",
            "group": neighbours.number if gate.keeps_groups else 0,
            "plugins": [] if is_known else neighbours.plugins,
            "components": [] if is_known else neighbours.names,
            "timeouts_ms": [] if is_known else neighbours.timeouts_ms,
            "in_turn": segment.in_turn,
            "ordering_key": key or "",
            "sent_at": clock,
        }
        try:
            payload["args"] = encode_value(args)
            request_id = link.send(
                PLUGIN_RUN_SEGMENT,
                payload,
                deadline=now + (neighbours.shortest if segment.in_turn else neighbours.longest),
                on_done=partial(self._done, gate, link, segment),
                tag=segment,
                parts=count,
            )
        except RookeryError:
            return None  # each alone says why
        if gate.keeps_groups and not is_known:
            gate.groups.add(neighbours.number, count, None)
        segment.pending, segment.link = link.session.pending[request_id], link
        gate.segments += 1
        dispatcher.budget.earn(count)
        dispatcher.open.count += 1
        return segment

    def withdraw(self, segment: Segment) -> None:
        """Nobody wants to know any more what becomes of handlers that are asked in turn."""
        segment.is_over = True
        if segment.call is not None:
            self._dispatcher.withdraw(segment.call)
        elif segment.link is not None and segment.pending is not None:
            _cancel(segment.link, [segment.pending.request_id])

    # --- inside ------------------------------------------------------------------------------------------------

    def _done(self, gate: Gate, link: Link, segment: Segment, outcome: Payload | RookeryError) -> None:
        if segment.in_turn and isinstance(outcome, RequestTimedOut) and self._wait_on(gate, link, segment):
            return
        gate.segments -= 1
        if segment.in_turn:
            self._end_in_turn(gate, link, segment, outcome)
        elif isinstance(outcome, dict):
            self._end_well(gate, link, segment, outcome)
        else:
            self._take_apart(gate, link, segment, outcome)
        self._dispatcher.open.note_closed()
        self._dispatcher.pump(gate)

    def _wait_on(self, gate: Gate, link: Link, segment: Segment) -> bool:
        """One of them had so much time; the one that runs now may have more."""
        place, now = self._place_by_page(gate, segment), trio.current_time()
        deadlines = [segment.sent_at + seconds for seconds in segment.timeouts[place:]]
        if deadlines[0] <= now or segment.pending is None:
            return False
        segment.pending.deadline = min(each for each in deadlines if each > now)
        link.expect(segment.pending)
        return True

    def _place_by_page(self, gate: Gate, segment: Segment) -> int:
        started = gate.read_started() if gate.read_started is not None else None
        return _last_begun(segment, started or frozenset())

    def _end_in_turn(self, gate: Gate, link: Link, segment: Segment, outcome: Payload | RookeryError) -> None:
        dispatcher, pending = self._dispatcher, segment.pending
        assert pending is not None
        if isinstance(outcome, ConnectionLost):
            place = _last_begun(segment, pending.begun)
        elif isinstance(outcome, RequestTimedOut):
            place = self._place_by_page(gate, segment)
            _cancel(link, [pending.request_id])
        else:
            place = max(0, pending.answered_by - pending.request_id - 1)
        dispatcher.tally.note_silent(gate.counters, place)
        call = segment.call = segment.call_of(place)
        if segment.is_over:
            call.forget()
        dispatcher.open.count += 1
        if not isinstance(outcome, dict):
            dispatcher.take_failure(gate, call, outcome)
        elif pending.answered_by == pending.request_id:
            dispatcher.settle(call, DispatchFailed(Fate.HANDLER_ERROR, "its runner answered for nobody"))
        else:
            dispatcher.settle(call, outcome)

    def _end_well(self, gate: Gate, link: Link, segment: Segment, answer: Payload) -> None:
        pending = segment.pending
        assert pending is not None
        count = len(segment.components)
        speaking = answer.get("speaking")
        places = (
            {place for place in speaking if type(place) is int and 0 <= place < count}
            if type(speaking) is list
            else set()
        )
        for place in sorted(places):
            self._let_go_on(gate, link, segment.call_of(place), pending.request_id + 1 + place)
        self._note_silent(gate, segment, count - len(places))

    def _let_go_on(self, gate: Gate, link: Link, call: Call, request_id: int) -> None:
        """A handler answers for itself, and is from now on a call like any other."""
        window = gate.window_of(call.method)
        window.in_flight += 1
        self._dispatcher.open.count += 1
        call.request_id, call.link = request_id, link
        done = partial(self._dispatcher.take_end, gate, window, call)
        link.expect(Pending(request_id, call.method, call.component.plugin_id, call.deadline, done, call))

    def _take_apart(self, gate: Gate, link: Link, segment: Segment, error: RookeryError) -> None:
        """Handlers that are not in turn have no answer in common: each goes its own way."""
        dispatcher, pending = self._dispatcher, segment.pending
        assert pending is not None
        begun = pending.begun
        if isinstance(error, RequestTimedOut):
            first, count = pending.request_id, len(segment.components)
            _cancel(link, list(range(first, first + count + 1)))
            begun = (gate.read_started() if gate.read_started is not None else None) or frozenset()
        lost = isinstance(error, ConnectionLost)
        knows = not isinstance(error, RemoteError)
        last = _last_begun(segment, begun)
        silent = 0
        for place in range(len(segment.components)):
            part = pending.request_id + 1 + place
            has_begun = part in begun
            if knows and place < last and not has_begun and part | layout.HANDED not in begun:
                silent += 1
                continue
            failure = error
            if lost:
                hung = has_begun and place == last and getattr(error, "hung", False)
                failure = ConnectionLost(str(error), maybe_executed=has_begun, hung=hung)
            dispatcher.open.count += 1
            dispatcher.take_failure(gate, segment.call_of(place), failure)
        self._note_silent(gate, segment, silent)

    def _note_silent(self, gate: Gate, segment: Segment, count: int) -> None:
        self._dispatcher.tally.note_silent(gate.counters, count)
        if count and segment.on_silent is not None:
            segment.on_silent(count)


def _cancel(link: Link, request_ids: list[int]) -> None:
    if not link.is_closed:
        link.broadcast(PLUGIN_CANCEL, {"request_ids": request_ids})


def _last_begun(segment: Segment, started: frozenset[int]) -> int:
    """The place of the handler that has begun last, the first's when none has."""
    assert segment.pending is not None
    first = segment.pending.request_id
    places = [each - first - 1 for each in started if first < each <= first + len(segment.components)]
    return max(places, default=0)
