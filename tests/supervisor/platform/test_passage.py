"""Does a message wait for the one before it exactly where somebody could tell the difference?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import trio
from hypothesis import given
from hypothesis import strategies as st

from rookery.protocol import build_message
from rookery.supervisor.counters import Counters
from rookery.supervisor.platform.dedupe import Deduplicator
from rookery.supervisor.platform.inbound import Inbound
from rookery.supervisor.platform.inbox import Inbox
from rookery.supervisor.platform.passage import Passage
from rookery.supervisor.platform.routes import route_key


@attrs.define
class RecordingFlow:
    """Does nothing by itself: the test says when a step is over."""

    steps: list[str] = attrs.Factory(list)
    passages: dict[str, Passage] = attrs.Factory(dict)

    def prepare(self, passage: Passage) -> None:
        self._note("prepare", passage)

    def start(self, passage: Passage) -> None:
        self._note("start", passage)

    def finish(self, passage: Passage) -> None:
        self._note("finish", passage)

    def _note(self, step: str, passage: Passage) -> None:
        self.passages[passage.inbound.message_id] = passage
        self.steps.append(f"{step} {passage.inbound.message_id}")


def inbound(message_id: str, chat: str = "a") -> Inbound:
    message = build_message(
        message_id=message_id,
        platform="p",
        user_id="u",
        user_name="u",
        group_id=chat,
        text="x",
        timestamp=0.0,
    )
    return Inbound(message=message, key=route_key("p"), driver_id="d", dedupe_key=message_id, arrived_at=0.0)


def make_inbox(flow: RecordingFlow, *, max_inflight: int = 100) -> Inbox:
    return Inbox(flow, Deduplicator(), Counters(), max_inflight=max_inflight)


async def opened(*messages: Inbound) -> tuple[RecordingFlow, Inbox]:
    flow = RecordingFlow()
    inbox = make_inbox(flow)
    inbox.open()
    for message in messages:
        inbox.offer(message, lambda accepted: None)
    return flow, inbox


async def test_a_message_starts_while_the_one_before_is_under_way() -> None:
    """Both are prepared at once; the second starts when the first has started, and finishes behind it."""
    flow, _ = await opened(inbound("1"), inbound("2"))

    flow.passages["2"].prepared(goes_on=True)
    flow.passages["1"].prepared(goes_on=True)
    flow.passages["2"].ready()
    flow.passages["1"].ready()

    assert flow.steps == [
        "prepare 1", "prepare 2", "start 1", "start 2", "finish 1", "finish 2",
    ]  # fmt: skip


async def test_a_command_waits_for_everything_before_it() -> None:
    """It starts when everybody has been told of the message before."""
    flow, _ = await opened(inbound("1"), inbound("2"))

    flow.passages["1"].prepared(goes_on=True)
    flow.passages["2"].prepared(goes_on=True, waits=True)
    before = list(flow.steps)
    flow.passages["1"].ready()

    assert before[-1] == "start 1"
    assert flow.steps[len(before) :] == ["finish 1", "start 2"]


async def test_a_dropped_message_keeps_its_place_and_holds_up_nobody() -> None:
    """The hook that stops a message ends its way; the next one goes on."""
    flow, inbox = await opened(inbound("1"), inbound("2"))

    flow.passages["2"].prepared(goes_on=True)
    flow.passages["1"].prepared(goes_on=False)
    flow.passages["2"].ready()

    assert flow.steps == ["prepare 1", "prepare 2", "start 2", "finish 2"]
    assert inbox.in_flight == 0


async def test_sessions_do_not_wait_for_each_other() -> None:
    """One conversation that is stuck holds up no other."""
    flow, _ = await opened(inbound("1", "a"), inbound("2", "b"))

    flow.passages["2"].prepared(goes_on=True, waits=True)
    flow.passages["2"].ready()

    assert flow.steps[-2:] == ["start 2", "finish 2"]


async def test_what_nobody_wants_passes_in_any_number() -> None:
    """A thousand waiting messages that finish at once are no thousand calls deep."""

    class Indifferent(RecordingFlow):
        def prepare(self, passage: Passage) -> None:
            passage.prepared(goes_on=True)

        def start(self, passage: Passage) -> None:
            passage.ready()

    flow = Indifferent()
    inbox = make_inbox(flow, max_inflight=1)
    answers: list[bool] = []
    for number in range(5000):
        inbox.offer(inbound(str(number)), answers.append)

    inbox.open()

    assert len(flow.steps) == 5000
    assert answers == [True] * 5000
    assert inbox.in_flight == 0


@given(data=st.data())
def test_any_order_of_events_keeps_the_order_of_messages(data: Any) -> None:
    """Whatever ends first: starts and finishes come in order, a waiting message starts after everything before it."""
    count = data.draw(st.integers(1, 6))
    waits = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    goes_on = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))

    async def search() -> None:
        flow, inbox = await opened(*(inbound(str(number)) for number in range(count)))
        pending: list[Callable[[], None]] = [
            lambda number=number: flow.passages[str(number)].prepared(  # type: ignore[misc]
                goes_on=goes_on[number], waits=waits[number]
            )
            for number in range(count)
        ]
        started: set[str] = set()
        while pending:
            pending.pop(data.draw(st.integers(0, len(pending) - 1)))()
            for step in flow.steps:
                kind, name = step.split()
                if kind == "start" and name not in started:
                    started.add(name)
                    pending.append(flow.passages[name].ready)
        for kind in ("start", "finish"):
            names = [step.split()[1] for step in flow.steps if step.startswith(kind)]
            assert names == [str(number) for number in range(count) if goes_on[number]]
        for number in range(count):
            if waits[number] and goes_on[number]:
                earlier = flow.steps[: flow.steps.index(f"start {number}")]
                assert all(f"finish {other}" in earlier for other in range(number) if goes_on[other])
        assert inbox.in_flight == 0

    trio.run(search)
