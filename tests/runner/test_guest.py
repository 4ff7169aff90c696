"""Is a plugin's asyncio loop a real one, and do trio and asyncio wait for, cancel and fail each other as they should?"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.lowlevel

from rookery.runner.border import current_plugin
from rookery.runner.guest import end_tasks_of, has_asyncio, in_asyncio, run_as_guest


def run(main: Callable[[], Awaitable[Any]]) -> Any:
    async def bounded() -> Any:
        with trio.fail_after(10):
            return await main()

    return run_as_guest(bounded)


def test_what_the_guest_returns_and_raises_comes_out() -> None:
    """As from ``trio.run``; before and after it there is no loop."""

    async def work() -> int:
        assert has_asyncio()
        await trio.lowlevel.checkpoint()
        return 5

    async def fail() -> None:
        raise LookupError("where")

    assert run(work) == 5
    with pytest.raises(LookupError, match="where"):
        run(fail)
    assert not has_asyncio()


def test_asyncio_code_finds_what_it_knows() -> None:
    """Locks, timers, tasks, threads and context variables, in the thread of the runner."""
    told = contextvars.ContextVar("told", default="nothing")

    async def work() -> list[Any]:
        told.set("inside")
        lock = asyncio.Lock()
        async with lock, asyncio.timeout(5):
            task = asyncio.create_task(asyncio.sleep(0, told.get()))
            thread = await asyncio.to_thread(threading.get_ident)
            return [await task, thread != threading.get_ident(), asyncio.get_running_loop().is_running()]

    assert run(lambda: in_asyncio(work)) == ["inside", True, True]


def test_many_wait_at_once() -> None:
    """Each gets its own answer."""
    answers: dict[int, int] = {}

    async def one(number: int) -> None:
        async def double() -> int:
            await asyncio.sleep(0)
            return number * 2

        answers[number] = await in_asyncio(double)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(200):
                nursery.start_soon(one, number)

    run(main)

    assert answers == {number: number * 2 for number in range(200)}


def test_a_cancel_of_trio_cancels_the_asyncio_task() -> None:
    """It sees its own kind of cancellation, and trio goes on when it has ended."""
    seen = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            seen.append("cancelled")
            raise

    async def main() -> bool:
        with trio.move_on_after(0.01) as limit:
            await in_asyncio(work)
        return limit.cancelled_caught

    assert run(main)
    assert seen == ["cancelled"]


def test_a_task_that_turns_its_cancellation_into_a_result_has_its_result() -> None:
    """As a trio handler has that catches its cancellation."""

    async def work() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "saved"
        return "never"

    async def main() -> str:
        with trio.move_on_after(0.01):
            return await in_asyncio(work)
        return "lost"

    assert run(main) == "saved"


def test_what_asyncio_code_raises_comes_out() -> None:
    """Its exception; a cancellation of its own making is an error and no cancel of trio's."""

    async def fail() -> None:
        await asyncio.sleep(0)
        raise LookupError("where")

    async def give_up() -> None:
        raise asyncio.CancelledError

    with pytest.raises(LookupError, match="where"):
        run(lambda: in_asyncio(fail))
    with pytest.raises(RuntimeError, match="cancelled by its plugin"):
        run(lambda: in_asyncio(give_up))


def test_a_task_that_fails_unseen_is_logged_for_its_plugin(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing else ends."""

    async def work() -> None:
        async def fail() -> None:
            raise LookupError("where")

        asyncio.create_task(fail())  # noqa: RUF006 - that nobody keeps it is the point
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def main() -> str:
        current_plugin.set("test.careless")
        await in_asyncio(work)
        return "on"

    assert run(main) == "on"
    assert [(each.name, "never retrieved" in each.getMessage()) for each in caplog.records] == [
        ("plugin.test.careless", True)
    ]


@pytest.mark.parametrize(
    "ending", [SystemExit(3), KeyboardInterrupt()], ids=lambda error: type(error).__name__
)
def test_what_would_end_the_program_ends_its_task(
    ending: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """In a handler and in a task that nobody awaits: the loop is everybody's, and the guest goes on to its end."""

    async def leave() -> None:
        raise ending

    async def start() -> None:
        asyncio.create_task(leave())  # noqa: RUF006 - nobody keeps it

    async def main() -> str:
        current_plugin.set("a.b")
        await in_asyncio(start)
        with pytest.raises(RuntimeError, match=type(ending).__name__):
            await in_asyncio(leave)
        return "went on"

    assert run(main) == "went on"
    assert [record.name for record in caplog.records] == ["plugin.a.b"]


def test_tasks_end_with_their_plugin_and_no_other() -> None:
    """What a plugin has started and not ended is cancelled; another's goes on."""
    ended = []

    def starting(name: str) -> Callable[[], Any]:
        async def background() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                ended.append(name)

        async def work() -> None:
            started.append(asyncio.create_task(background()))
            await asyncio.sleep(0)

        return work

    started: list[asyncio.Task[None]] = []

    async def main() -> tuple[int, list[str]]:
        for name in ("test.one", "test.two"):
            current_plugin.set(name)
            await in_asyncio(starting(name))
        current_plugin.set("")
        left = await end_tasks_of("test.one", 5.0)
        return left, list(ended)

    assert run(main) == (0, ["test.one"])
    assert ended == ["test.one", "test.two"]
