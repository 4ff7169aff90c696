"""Is a message admitted once, taken on in its session's order, and only while there is room?"""

from __future__ import annotations

import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from rookery.protocol import RouteMessage
from rookery.supervisor.counters import Counters
from rookery.supervisor.platform.dedupe import Deduplicator
from rookery.supervisor.platform.inbound import Inbound, read_inbound
from rookery.supervisor.platform.inbox import Inbox
from rookery.supervisor.platform.passage import Passage
from rookery.supervisor.platform.routes import Driver, route_key
from tests.doubles.stage import chat

DRIVER = Driver(plugin_id="p.a", gateway="chat", key=route_key("test"), sends=True, receives=True)


def inbound(number: int, user: str = "u1") -> Inbound:
    """A message that has come in now."""
    message = chat(user=user, number=number)
    return read_inbound(RouteMessage(gateway_name="chat", message=message), DRIVER, trio.current_time())


@attrs.frozen(kw_only=True)
class Way:
    """How a message behaves."""

    prepares: float = 0.0
    """Seconds until it is prepared; 0 is at once, within the call."""
    starts: float = 0.0
    goes_on: bool = True
    waits: bool = False
    holds: float = 0.0
    """Seconds that something it began runs on after it was finished."""


class Hall:
    """An inbox whose messages behave as the test says; the others pass at once.

    Attributes:
        answers: By the message's id, in the order in which they were given.
        log: What was done with which message, and when.
    """

    def __init__(self, nursery: trio.Nursery, max_inflight: int, ways: dict[int, Way]) -> None:
        self._nursery = nursery
        self._ways = {f"m{number}": way for number, way in ways.items()}
        self.counters = Counters()
        self.answers: dict[str, bool] = {}
        self.log: list[tuple[str, str, float]] = []
        self.passages: list[weakref.ref[Passage]] = []
        self.inbox = Inbox(self, Deduplicator(ttl=1000.0), self.counters, max_inflight=max_inflight)

    def offer(self, *numbers: int, user: str = "u1") -> None:
        for number in numbers:
            message = inbound(number, user)

            def answer(accepted: bool, name: str = message.message_id) -> None:
                assert name not in self.answers, f"{name} was answered twice"
                self.answers[name] = accepted

            self.inbox.offer(message, answer)

    def prepare(self, passage: Passage) -> None:
        self.passages.append(weakref.ref(passage))
        way = self._note("prepare", passage)
        self._after(way.prepares, lambda: passage.prepared(goes_on=way.goes_on, waits=way.waits))

    def start(self, passage: Passage) -> None:
        way = self._note("start", passage)
        self._after(way.starts, passage.ready)

    def finish(self, passage: Passage) -> None:
        way = self._note("finish", passage)
        if way.holds:
            passage.hold()
            self._after(way.holds, passage.release)

    def _note(self, step: str, passage: Passage) -> Way:
        name = passage.inbound.message_id
        self.log.append((step, name, trio.current_time()))
        return self._ways.get(name, Way())

    def _after(self, seconds: float, function: object) -> None:
        async def later() -> None:
            await trio.sleep(seconds)
            function()  # type: ignore[operator]

        if seconds:
            self._nursery.start_soon(later)
        else:
            function()  # type: ignore[operator]

    def order(self, step: str) -> list[str]:
        return [message for name, message, _ in self.log if name == step]

    def at(self, step: str) -> dict[str, float]:
        """When each message took a step."""
        return {message: round(at, 3) for name, message, at in self.log if name == step}


@asynccontextmanager
async def open_hall(
    ways: dict[int, Way] | None = None, *, max_inflight: int = 1000, is_open: bool = True
) -> AsyncIterator[Hall]:
    """A hall, and the end of all it began."""
    async with trio.open_nursery() as nursery:
        hall = Hall(nursery, max_inflight, ways or {})
        if is_open:
            hall.inbox.open()

        yield hall

        nursery.cancel_scope.cancel()


# --- order -------------------------------------------------------------------------------------------------------------


async def test_messages_of_a_session_start_and_finish_in_order(autojump_clock: MockClock) -> None:
    """However long each takes to be prepared; all are prepared at once, and may be started before the one before ends."""
    ways = {1: Way(prepares=3.0, starts=1.0), 2: Way(prepares=1.0, starts=5.0), 3: Way()}
    async with open_hall(ways) as hall:
        hall.offer(1, 2, 3)

        await hall.inbox.wait_idle()

        assert hall.at("prepare") == {"m1": 0.0, "m2": 0.0, "m3": 0.0}
        assert hall.at("start") == {"m1": 3.0, "m2": 3.0, "m3": 3.0}
        assert hall.at("finish") == {"m1": 4.0, "m2": 8.0, "m3": 8.0}
        assert hall.order("start") == hall.order("finish") == ["m1", "m2", "m3"]


async def test_a_message_that_waits_starts_after_the_one_before_has_finished(
    autojump_clock: MockClock,
) -> None:
    """A command answers for everything said before it."""
    async with open_hall({1: Way(starts=2.0), 2: Way(waits=True), 3: Way(starts=1.0)}) as hall:
        hall.offer(1, 2, 3)

        await hall.inbox.wait_idle()

        assert hall.at("start") == {"m1": 0.0, "m2": 2.0, "m3": 2.0}
        assert [(step, name) for step, name, _ in hall.log if step != "prepare"] == [
            ("start", "m1"),
            ("finish", "m1"),
            ("start", "m2"),
            ("finish", "m2"),
            ("start", "m3"),
            ("finish", "m3"),
        ]


async def test_a_dropped_message_keeps_its_place_and_does_nothing(autojump_clock: MockClock) -> None:
    """Those behind it wait for what is before it."""
    async with open_hall({1: Way(starts=2.0), 2: Way(goes_on=False), 3: Way()}) as hall:
        hall.offer(1, 2, 3)

        await hall.inbox.wait_idle()

        assert hall.order("start") == hall.order("finish") == ["m1", "m3"]
        assert hall.at("finish")["m3"] == 2.0
        assert hall.answers == {"m1": True, "m2": True, "m3": True}


async def test_sessions_pass_in_parallel(autojump_clock: MockClock) -> None:
    """A slow conversation delays no other."""
    async with open_hall({number: Way(prepares=1.0, starts=1.0) for number in range(20)}) as hall:
        for number in range(20):
            hall.offer(number, user=f"u{number}")

        await hall.inbox.wait_idle()

        assert trio.current_time() == 2.0
        assert len(hall.order("finish")) == 20


@pytest.mark.parametrize(
    "others", [Way(), Way(waits=True), Way(goes_on=False)], ids=["messages", "commands", "dropped"]
)
@pytest.mark.parametrize("first", [Way(prepares=2.0), Way(starts=2.0)], ids=["prepares", "starts"])
async def test_a_long_row_of_messages_that_waited_goes_on(
    autojump_clock: MockClock, first: Way, others: Way
) -> None:
    """Hundreds that could pass at once behind one that could not: the row is walked and not climbed."""
    ways = {0: first, **dict.fromkeys(range(1, 900), others)}
    async with open_hall(ways) as hall:
        hall.offer(*range(900))

        await hall.inbox.wait_idle()

        passed = [f"m{number}" for number in range(900) if number == 0 or others.goes_on]
        assert hall.order("start") == hall.order("finish") == passed
        assert trio.current_time() == 2.0


# --- room --------------------------------------------------------------------------------------------------------------


async def test_above_the_bound_the_answer_waits(autojump_clock: MockClock) -> None:
    """That is the gateway's back-pressure; nothing is dropped, and what waits is admitted in order."""
    async with open_hall({1: Way(starts=1.0), 2: Way(starts=1.0)}, max_inflight=2) as hall:
        hall.offer(1, 2, 3, 4)
        at_once = dict(hall.answers)
        in_flight = hall.inbox.in_flight

        await hall.inbox.wait_idle()

        assert at_once == {"m1": True, "m2": True}
        assert in_flight == 4
        assert list(hall.answers.items()) == [(f"m{number}", True) for number in range(1, 5)]
        assert (hall.counters.accepted, hall.counters.refused) == (4, 0)


@pytest.mark.parametrize("first", [Way(starts=1.0), Way(holds=1.0)], ids=["starts", "holds"])
async def test_a_row_that_waited_for_room_is_admitted_whole(autojump_clock: MockClock, first: Way) -> None:
    """Thousands of messages that nobody handles pass one after the other, not one within the other."""
    async with open_hall({0: first}, max_inflight=1) as hall:
        hall.offer(*range(3000))

        await hall.inbox.wait_idle()

        assert len(hall.answers) == 3000
        assert hall.order("finish") == [f"m{number}" for number in range(3000)]


async def test_a_message_is_in_flight_until_all_it_began_has_ended(autojump_clock: MockClock) -> None:
    """Handlers that run on hold its place, also after its session has gone on."""
    async with open_hall({1: Way(holds=5.0)}, max_inflight=1) as hall:
        hall.offer(1, 2)

        await trio.sleep(4)
        before = dict(hall.answers)
        await hall.inbox.wait_idle()

        assert before == {"m1": True}
        assert hall.answers == {"m1": True, "m2": True}
        assert hall.at("prepare")["m2"] == 5.0


async def test_a_message_that_came_before_is_not_taken_again(autojump_clock: MockClock) -> None:
    """Also while the first one still waits for room; it is counted as a duplicate."""
    async with open_hall({1: Way(starts=1.0)}, max_inflight=1) as hall:
        hall.offer(1, 2)
        told: list[bool] = []

        for number in (1, 2):
            hall.inbox.offer(inbound(number), told.append)
        await hall.inbox.wait_idle()
        hall.inbox.offer(inbound(1), told.append)

        assert told == [False, False, False]
        assert (hall.counters.accepted, hall.counters.deduplicated) == (2, 3)
        assert hall.order("finish") == ["m1", "m2"]


# --- beginning and end -------------------------------------------------------------------------------------------------


async def test_nothing_is_processed_before_the_inbox_is_open(autojump_clock: MockClock) -> None:
    """The handlers that messages are meant for are not there yet; then all pass in order."""
    async with open_hall(is_open=False) as hall:
        hall.offer(1, 2)

        await trio.sleep(10)
        before = list(hall.log)
        is_open = hall.inbox.is_open
        arrived = hall.inbox.arrival_of("m1")
        hall.inbox.open()
        await hall.inbox.wait_idle()

        assert (before, is_open, hall.answers) == ([], False, {"m1": True, "m2": True})
        assert hall.order("finish") == ["m1", "m2"]
        assert arrived == 0.0


async def test_closing_refuses_what_waits_and_what_comes(autojump_clock: MockClock) -> None:
    """What was admitted is finished; what was refused may come again to the next host."""
    async with open_hall({1: Way(starts=1.0)}, max_inflight=1) as hall:
        hall.offer(1, 2)

        hall.inbox.close()
        hall.offer(3)
        refused = dict(hall.answers)
        await hall.inbox.wait_idle()

        assert refused == {"m1": True, "m2": False, "m3": False}
        assert hall.order("finish") == ["m1"]
        assert hall.counters.refused == 2
        assert hall.inbox._deduplicator.begin("gateway:p.a:chat:m2", trio.current_time())


async def test_an_empty_inbox_is_idle(autojump_clock: MockClock) -> None:
    """At once, before and after messages, also when it is closed."""
    async with open_hall() as hall:
        await hall.inbox.wait_idle()
        hall.offer(1)
        await hall.inbox.wait_idle()
        hall.inbox.close()
        await hall.inbox.wait_idle()

        assert hall.inbox.in_flight == 0


async def test_when_a_message_arrived_is_known_while_it_is_in_flight(autojump_clock: MockClock) -> None:
    """For the time that its answer took; the start of the host is not part of that."""
    async with open_hall({1: Way(starts=1.0), 2: Way(starts=1.0)}, is_open=False) as hall:
        hall.offer(1)
        await trio.sleep(3)
        hall.inbox.open()
        await trio.sleep(0.5)
        hall.offer(2)

        during = hall.inbox.arrival_of("m1"), hall.inbox.arrival_of("m2")
        await hall.inbox.wait_idle()

        assert during == (3.0, 3.5)
        assert hall.inbox.arrival_of("m1") is None
        assert hall.inbox.arrival_of(None) is None


async def test_nothing_is_kept_of_messages_that_have_gone(autojump_clock: MockClock) -> None:
    """A host runs for months."""
    async with open_hall(
        {number: Way(prepares=0.01, holds=0.02) for number in range(200)}, max_inflight=5
    ) as hall:
        for number in range(200):
            hall.offer(number, user=f"u{number % 7}")
            await trio.sleep(0.001)
        await hall.inbox.wait_idle()
        await wait_all_tasks_blocked()

        kept = (hall.inbox._passages, hall.inbox._latest, hall.inbox._waiting)
        assert [len(each) for each in kept] == [0, 0, 0]
        assert hall.counters.accepted == 200


async def test_a_session_that_never_rests_keeps_only_what_is_in_flight(autojump_clock: MockClock) -> None:
    """Each message knows the one before: that must not become a chain of all there ever were."""
    async with open_hall({number: Way(starts=1.0) for number in range(100)}) as hall:
        for number in range(100):
            hall.offer(number)
            await trio.sleep(0.5)

        gc.collect()
        alive = sum(each() is not None for each in hall.passages)

        assert len(hall.passages) == 100
        assert alive <= 5
