"""What is looked at of a runner that has nothing to do, and what that costs."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import attrs
import pytest
import trio
from trio.testing import MockClock

from rookery.protocol import page as layout
from rookery.supervisor.health import Doomed, Fine, HealthPolicy, Suspect
from rookery.supervisor.limits import MIB, ShardLimits
from rookery.supervisor.page import Page, open_page
from rookery.supervisor.process_look import ProcessLook
from rookery.supervisor.watch import QUESTION_PERIOD, RunnerWatch
from rookery.supervisor.wear import NOTHING, FamilyLook


@attrs.define
class Runner:
    """A process that is looked at, a page that it writes, and a connection over which nothing comes."""

    page: Page
    looks: int = 0
    questions: int = 0
    seen: ProcessLook = attrs.field(factory=lambda: ProcessLook(state="S", rss=MIB))
    session: Any = attrs.field(
        factory=lambda: SimpleNamespace(
            is_in_frame=False, last_id=0, pending={}, counters=SimpleNamespace(frames_in=3, unknown_answers=0)
        )
    )
    unwritten: int = 0
    pace: Any = None
    bytes_written: int = 100

    def look(self) -> ProcessLook:
        self.looks += 1
        return self.seen

    def glance(self) -> ProcessLook:
        return self.seen

    def look_at_family(self, limits: ShardLimits) -> FamilyLook:
        return NOTHING

    def ask(self) -> bool:
        self.questions += 1
        return True

    def answer(self) -> None:
        self.write(layout.THREAD_BEATS_AT, self.questions)
        self.write(layout.LOOP_BEATS_AT, self.questions)

    def write(self, place: int, value: int) -> None:
        os.pwrite(self.page.descriptor, struct.pack("=Q", value), place)

    def watch(self) -> RunnerWatch:
        return RunnerWatch(
            policy=HealthPolicy(),
            limits=ShardLimits(),
            child=self,
            page=self.page,
            ask=self.ask,
            link=cast(Any, self),
            plugin_load=30.0,
            answered=lambda: 0,
            chance=lambda: 0.5,
        )


@pytest.fixture
def runner() -> Iterator[Runner]:
    page = open_page(3)
    assert page is not None
    runner = Runner(page)
    runner.write(layout.TURNS_AT, 1)
    yield runner
    page.close()


async def test_an_idle_runner_is_asked_seldom(runner: Runner, autojump_clock: MockClock) -> None:
    """Each question wakes it; nothing else does."""
    watch = runner.watch()
    for second in range(100):
        assert watch.look(float(second)) == Fine()
        runner.answer()

    assert runner.questions == 100 // QUESTION_PERIOD
    assert runner.looks == 0


async def test_a_runner_that_works_is_asked_at_each_look(runner: Runner, autojump_clock: MockClock) -> None:
    """So that the class of a hang is known when it is three seconds old."""
    watch = runner.watch()
    for second in range(10):
        runner.write(layout.TURNS_AT, 2 * second + 2)
        assert watch.look(float(second)) == Fine()
        runner.answer()

    assert runner.questions == 10


async def test_a_runner_that_owes_an_answer_is_asked_at_each_look(
    runner: Runner, autojump_clock: MockClock
) -> None:
    """Its loop may be the guest of one that hangs: then it waits, by its own account."""
    watch = runner.watch()
    watch.look(0.0)
    runner.session.pending, runner.session.last_id = {7: None}, 7
    runner.write(layout.READ_AT, 7)
    found = [type(watch.look(1.0 + second)).__name__ for second in range(4)]

    assert runner.questions == 4
    assert found == ["Fine", "Fine", "Fine", "Suspect"]


async def test_an_idle_runner_that_cannot_be_woken_is_found(
    runner: Runner, autojump_clock: MockClock
) -> None:
    """With the next question, and three seconds later it is suspect."""
    watch = runner.watch()
    found = [watch.look(float(second)) for second in range(40)]

    first = next(second for second, each in enumerate(found) if isinstance(each, Suspect))
    assert first <= QUESTION_PERIOD + 3
    assert any(isinstance(each, Doomed) for each in found[: int(QUESTION_PERIOD) + 17])


async def test_an_idle_runner_that_is_stopped_is_found_at_once(
    runner: Runner, autojump_clock: MockClock
) -> None:
    """C1: after an hour's rest, in three seconds."""
    watch = runner.watch()
    for second in range(3600):
        watch.look(float(second))
        runner.answer()
    runner.seen = ProcessLook(state="T", rss=MIB)
    found = [type(watch.look(3600.0 + second)).__name__ for second in range(6)]

    assert found[:3] == ["Fine", "Fine", "Resume"]


async def test_what_waits_to_be_read_is_seen_however_idle_the_loop_is(
    runner: Runner, autojump_clock: MockClock
) -> None:
    """C10: beats alone do not save it."""
    watch = runner.watch()
    for second in range(10):
        watch.look(float(second))
        runner.answer()
    runner.session.last_id = 7
    found = [type(watch.look(10.0 + second)).__name__ for second in range(5)]

    assert found == ["Fine", "Fine", "Fine", "Suspect", "Suspect"]


async def test_a_runner_that_grows_while_its_loop_waits_is_seen(
    runner: Runner, autojump_clock: MockClock
) -> None:
    """D: a thread of a plugin's needs no loop to take all memory."""
    watch = runner.watch()
    for second in range(10):
        watch.look(float(second))
        runner.answer()
    runner.seen = ProcessLook(state="S", rss=2000 * MIB)

    assert isinstance(watch.look(10.0), Doomed)
    assert watch.rss == 2000 * MIB
    await trio.lowlevel.checkpoint()
