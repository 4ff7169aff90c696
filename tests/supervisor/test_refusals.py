"""What is refused before it is sent, and what does that cost while nothing is?"""

from __future__ import annotations

from trio.testing import MockClock

from rookery.supervisor.fate import DispatchFailed, Fate
from rookery.supervisor.refusals import MAX_EVENTS, Refusals
from tests.doubles.ends import Ends
from tests.doubles.stage import chat, open_stage, said


async def test_a_plugin_in_quarantine_is_not_called(autojump_clock: MockClock) -> None:
    """What waits fails at once, and what comes later too; afterwards it is called again."""
    async with open_stage(closed=("one",)) as stage:
        tool = stage.offer("tool", "p.a", "add", said())
        ends = Ends(stage)
        ends.submit("before", tool)
        stage.dispatcher.refusals.block_plugin("p.a", "it crashed three times; back in 30 s")
        stage.dispatcher.end_refused("p.a")
        ends.submit("meanwhile", tool)
        await stage.settle()
        stage.dispatcher.refusals.unblock_plugin("p.a")
        ends.submit("after", tool)
        stage.open("one")
        await stage.settle()

        assert [ends.fate_of(name) for name in ("before", "meanwhile", "after")] == [
            Fate.QUARANTINED,
            Fate.QUARANTINED,
            None,
        ]
        assert not stage.dispatcher.refusals.any


async def test_an_event_that_ended_runners_is_not_shown_to_anybody_else(autojump_clock: MockClock) -> None:
    """F2: other events of the same plugin are."""
    async with open_stage("one") as stage:
        tool = stage.offer("tool", "p.a", "add", said())
        ends = Ends(stage)
        stage.dispatcher.refusals.block_event("m1", "it ended two runners")
        ends.submit("poison", tool, args={"message": dict(chat(number=1))})
        ends.submit("other", tool, args={"message": dict(chat(number=2))})
        await stage.settle()

        failure = ends.outcomes["poison"]
        assert isinstance(failure, DispatchFailed)
        assert (failure.fate, failure.maybe_executed) == (Fate.DEAD_LETTERED, False)
        assert ends.fate_of("other") is None


def test_only_so_many_events_are_remembered() -> None:
    """The oldest is let go, and one that is blocked again is young again."""
    refusals = Refusals()
    for number in range(MAX_EVENTS):
        refusals.block_event(f"m{number}", "")
    refusals.block_event("m0", "")

    refusals.block_event("new", "")

    assert "m1" not in refusals._events
    assert {"m0", "new"} <= refusals._events.keys()
