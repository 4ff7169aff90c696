"""Plain functions run beside the loop, in few threads, in bounds, and none is forgotten."""

from __future__ import annotations

import contextvars
import random
import threading
import time
from typing import Any

import pytest
import trio
import trio.testing

from rookery.runner import worker_threads
from rookery.runner.worker_threads import run_in_thread

PATIENCE = 30.0


def ours() -> set[threading.Thread]:
    """Threads that run, or wait for, functions."""
    return {thread for thread in threading.enumerate() if thread.name == "plugins"}


async def wait_until_none_is_left() -> None:
    with trio.fail_after(PATIENCE):
        while ours():
            await trio.sleep(0.01)


async def test_what_a_function_returns_and_raises_comes_back() -> None:
    """With the lines of the function in the traceback."""

    def fail() -> None:
        raise ValueError("boom")

    limiter = trio.CapacityLimiter(2)
    with pytest.raises(ValueError, match="boom") as failed:
        await run_in_thread(fail, limiter)

    assert failed.traceback[-1].name == "fail"
    assert await run_in_thread(threading.get_ident, limiter) != threading.get_ident()
    assert limiter.borrowed_tokens == 0


async def test_a_function_sees_the_context_of_its_caller_and_keeps_its_own() -> None:
    """As a function that is awaited sees it."""
    var = contextvars.ContextVar("var", default=0)
    var.set(1)

    def change() -> int:
        seen = var.get()
        var.set(2)
        return seen

    assert await run_in_thread(change, None) == 1
    assert await run_in_thread(change, None) == 1
    assert var.get() == 1


async def test_no_more_run_at_once_than_there_are_places() -> None:
    """Whoever waits gets the next one that is free, in order, and all are done."""
    running: set[int] = set()
    most = 0
    order: list[int] = []

    def work(number: int) -> None:
        nonlocal most
        order.append(number)
        running.add(number)
        most = max(most, len(running))
        time.sleep(0.001)
        running.discard(number)

    limiter = trio.CapacityLimiter(3)
    async with trio.open_nursery() as nursery:
        for number in range(60):
            nursery.start_soon(run_in_thread, lambda number=number: work(number), limiter)

    assert sorted(order) == list(range(60))
    assert 1 < most <= 3
    assert limiter.borrowed_tokens == 0
    assert len(ours()) <= 3


async def test_one_that_blocks_holds_up_nobody() -> None:
    """Though it was taken from the queue by the only thread that was awake."""
    release = threading.Event()
    limiter = trio.CapacityLimiter(4)
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(run_in_thread, release.wait, limiter)
            for _ in range(50):
                nursery.start_soon(run_in_thread, int, limiter)
            await trio.lowlevel.checkpoint()
            for _ in range(50):
                assert await run_in_thread(int, limiter) == 0
            release.set()


async def test_a_cancelled_call_leaves_at_once_and_its_place_is_taken_until_the_function_ends() -> None:
    """Another thread takes the next one meanwhile."""
    release, begun = threading.Event(), trio.Event()
    limiter = trio.CapacityLimiter(2)

    def work() -> None:
        trio.from_thread.run_sync(begun.set)
        release.wait(PATIENCE)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_in_thread, work, limiter)
        await begun.wait()
        nursery.cancel_scope.cancel()
    assert limiter.borrowed_tokens == 1
    assert await run_in_thread(int, limiter) == 0
    release.set()
    with trio.fail_after(PATIENCE):
        while limiter.borrowed_tokens:
            await trio.sleep(0.001)


async def test_a_function_can_see_that_nobody_waits_for_it_any_more() -> None:
    """As in a thread of trio's own."""
    begun = trio.Event()
    seen: list[str] = []

    def work() -> None:
        trio.from_thread.run_sync(begun.set)
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                trio.from_thread.check_cancelled()
            except trio.Cancelled:
                seen.append("cancelled")
                return
            time.sleep(0.001)

    limiter = trio.CapacityLimiter(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_in_thread, work, limiter)
        await begun.wait()
        nursery.cancel_scope.cancel()
    with trio.fail_after(PATIENCE):
        while limiter.borrowed_tokens:
            await trio.sleep(0.001)

    assert seen == ["cancelled"]


async def test_a_call_that_is_cancelled_before_there_is_a_place_never_runs() -> None:
    """And leaves no gap in the line."""
    release = threading.Event()
    limiter = trio.CapacityLimiter(1)
    ran: list[str] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_in_thread, release.wait, limiter)
        await trio.testing.wait_all_tasks_blocked()
        with trio.move_on_after(0.01):
            await run_in_thread(lambda: ran.append("cancelled"), limiter)
        nursery.start_soon(run_in_thread, lambda: ran.append("next"), limiter)
        await trio.testing.wait_all_tasks_blocked()
        release.set()

    assert ran == ["next"]


async def test_places_that_others_hold_are_waited_for() -> None:
    """A plugin may use the same limiter, or trio's own, by itself."""
    limiter = trio.CapacityLimiter(1)
    await limiter.acquire()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_in_thread, int, limiter)
        await trio.testing.wait_all_tasks_blocked()
        limiter.release()

    assert limiter.borrowed_tokens == 0


async def test_a_function_may_call_back_into_the_loop() -> None:
    """Both ways that there are."""

    async def double(value: int) -> int:
        await trio.lowlevel.checkpoint()
        return value * 2

    def work() -> int:
        return int(trio.from_thread.run(double, trio.from_thread.run_sync(int, "21")))

    assert await run_in_thread(work, None) == 42


async def test_a_thread_that_has_nothing_to_do_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """And another one comes when there is something again."""
    monkeypatch.setattr(worker_threads, "IDLE", 0.01)
    for _ in range(3):
        await run_in_thread(int, None)
        await wait_until_none_is_left()


def test_no_thread_outlives_the_loop() -> None:
    """Neither one that waits nor one whose function has just ended."""

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(run_in_thread, lambda: time.sleep(0.01), None)

    trio.run(main)
    trio.run(wait_until_none_is_left)


async def test_a_system_that_gives_no_thread_fails_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not wait for one for ever."""

    async def refuse(*_: Any, **__: Any) -> None:
        await trio.lowlevel.checkpoint()
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(trio.to_thread, "run_sync", refuse)
    limiter = trio.CapacityLimiter(1)

    with trio.fail_after(PATIENCE), pytest.raises(RuntimeError, match="new thread"):
        await run_in_thread(int, limiter)

    assert limiter.borrowed_tokens == 0


@pytest.mark.slow
async def test_whatever_comes_when_everything_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls and cancellations at random moments, with threads that end again and again."""
    monkeypatch.setattr(worker_threads, "IDLE", 0.0005)
    chance = random.Random(7)
    limiter = trio.CapacityLimiter(4)
    answered = cancelled = 0

    async def one(pause: float, patience: float) -> None:
        nonlocal answered, cancelled
        with trio.move_on_after(patience) as scope:
            await run_in_thread(lambda: time.sleep(pause), limiter)
            answered += 1
        cancelled += scope.cancelled_caught

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            for _ in range(1500):
                patience = chance.choice([0.0005, 0.002, PATIENCE])
                nursery.start_soon(one, chance.choice([0.0, 0.0, 0.0002, 0.001]), patience)
                if chance.random() < 0.3:
                    await trio.sleep(chance.choice([0.0, 0.0005, 0.001]))
        while limiter.borrowed_tokens:
            await trio.sleep(0.001)

    assert answered + cancelled == 1500
    assert answered > 300
