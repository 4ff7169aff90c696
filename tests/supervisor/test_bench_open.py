"""Calls of the open loop are due at moments drawn beforehand, and are awaited finely; processes tell what they use."""

from __future__ import annotations

import itertools
import os
import statistics
import sys
import time
from random import Random

import pytest
import trio

from rookery.supervisor.bench_machine import (
    OthersWatch,
    allowed_cpus,
    cpu_seconds,
    machine_seconds,
    memory_of,
    pin,
)
from rookery.supervisor.bench_open import OpenSample, arrivals, open_figures
from rookery.supervisor.bench_pace import Pace, open_pace
from rookery.supervisor.bench_work import make_message

linux = pytest.mark.skipif(sys.platform != "linux", reason="the Linux kernel tells it")


def test_arrivals_come_by_chance_at_their_rate_and_in_order() -> None:
    """As long as asked for, and the same for the same seed."""
    moments = arrivals(1000.0, 10.0, Random(1))

    gaps = [after - before for before, after in itertools.pairwise(moments)]
    assert moments == sorted(moments) == arrivals(1000.0, 10.0, Random(1))
    assert 0 < moments[0] <= moments[-1] < 10.0
    assert len(moments) == pytest.approx(10_000, rel=0.1)
    assert statistics.stdev(gaps) == pytest.approx(statistics.mean(gaps), rel=0.1)  # as of independent ones


def test_loads_become_rows_with_what_calls_waited() -> None:
    """In milliseconds; a load that was not reached has none."""
    took = tuple(number / 1000 for number in range(1, 101))
    samples = {0.2: [OpenSample(took=took, behind=0.002, served=0.001, failed=0)], 0.8: []}

    found = open_figures(samples, 5000.0)

    assert [(figure.name.partition(": ")[2], figure.value) for figure in found] == [
        ("p50", 50.0), ("p99", 99.0), ("max", 100.0), ("p99 of starting late, part of it", 2.0),
    ]  # fmt: skip
    assert {figure.case["per_second"] for figure in found} == {1000}


async def test_a_moment_is_awaited_and_never_left_too_early() -> None:
    """One that is over is told at once."""
    with open_pace() as pace:
        due = time.perf_counter() + 0.005
        was_awaited = await pace.wait_until(due)
        now = time.perf_counter()
        is_over = not await pace.wait_until(due)

    assert was_awaited
    assert now >= due
    assert is_over
    assert pace.is_fine is (sys.platform == "linux")


async def test_without_a_timer_of_the_kernel_the_loop_waits() -> None:
    """A millisecond or two is what there is then."""
    due = time.perf_counter() + 0.005

    assert await Pace(None).wait_until(due)

    assert time.perf_counter() >= due - 0.001


@linux
async def test_a_cancelled_wait_leaves_the_pace_usable() -> None:
    """The next moment is awaited as if nothing had been."""
    with open_pace() as pace:
        with trio.move_on_after(0.002):
            await pace.wait_until(time.perf_counter() + 100)
        due = time.perf_counter() + 0.002

        assert await pace.wait_until(due)

        assert time.perf_counter() >= due


@linux
def test_a_process_tells_its_time_and_its_memory() -> None:
    """This one has used some of both; one that is not there tells nothing."""
    before = cpu_seconds([os.getpid()])
    while time.process_time() - time.process_time() == 0 and (cpu_seconds([os.getpid()]) or 0) <= (
        before or 0
    ):
        pass  # until the clock has moved
    memory = memory_of(os.getpid())

    assert before is not None
    assert memory is not None
    assert 0 < memory.private <= memory.share
    assert cpu_seconds([2**22 + 1]) is None
    assert memory_of(2**22 + 1) is None


@linux
def test_what_others_use_is_what_is_left_of_the_machine() -> None:
    """This process alone is none of them."""
    assert machine_seconds() is not None

    share = OthersWatch([os.getpid()]).share()

    assert share is not None
    assert share >= 0.0
    assert OthersWatch([2**22 + 1]).share() is None


@linux
def test_a_process_is_held_on_processors_with_its_threads() -> None:
    """And let go again; one that has gone is no error."""
    cpus = allowed_cpus()
    try:
        pin([os.getpid(), 2**22 + 1], cpus[-1:])
        held = allowed_cpus()
    finally:
        pin([os.getpid()], cpus)

    assert held == cpus[-1:]
    assert allowed_cpus() == cpus


@pytest.mark.parametrize("size", [64, 1024, 16 * 1024, 64 * 1024])
def test_a_message_is_about_as_large_as_asked_for(size: int) -> None:
    """On the wire; a small one is a bare map."""
    from rookery.protocol import encode_value

    assert len(encode_value(make_message(size))) == pytest.approx(size, rel=0.2)
