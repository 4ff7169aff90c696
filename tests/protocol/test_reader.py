"""Requests that are worked on in the task that has read them: who reads on, and who ends when the link does?"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from rookery.protocol import (
    PLUGIN_CANCEL,
    PLUGIN_HEALTH,
    PLUGIN_INVOKE_TOOL,
    RUNNER_HELLO,
    Request,
    RequestTimedOut,
    Side,
)
from tests.doubles.links import End, make_end
from tests.doubles.sessions import HELLO

TakeHere = Callable[[Request, trio.CancelScope], Awaitable[None] | None]


def _send(host: End, answers: list[object]) -> None:
    deadline = trio.current_time() + 5
    host.link.send(PLUGIN_INVOKE_TOOL, {}, deadline=deadline, on_done=answers.append)


@asynccontextmanager
async def open_lent(take: TakeHere) -> AsyncIterator[tuple[End, End]]:
    """Host and runner; the runner takes requests where it has read them."""
    ours, theirs = socket.socketpair()
    host, runner = make_end(ours, Side.HOST), make_end(theirs, Side.RUNNER)
    async with trio.open_nursery() as nursery:
        runner.link.lend(nursery)
        runner.link.take_here(take)
        for end in (host, runner):
            nursery.start_soon(end.run)
        await runner.link.call(RUNNER_HELLO, HELLO)

        yield host, runner

        for end in (host, runner):
            end.link.close()


async def test_what_ends_at_once_takes_no_other_task() -> None:
    """One task reads and answers all of them."""
    tasks = set()

    def take(request: Request, scope: trio.CancelScope) -> None:
        tasks.add(trio.lowlevel.current_task())
        request.answer({"success": True})

    async with open_lent(take) as (host, _):
        for _ in range(3):
            assert await host.link.call(PLUGIN_INVOKE_TOOL) == {"success": True}

    assert len(tasks) == 1


async def test_what_waits_holds_up_nobody() -> None:
    """It keeps its task, and another one reads on."""
    gate = trio.Event()

    def take(request: Request, scope: trio.CancelScope) -> Awaitable[None] | None:
        if request.method.name == PLUGIN_HEALTH:
            request.answer({})
            return None
        return wait(request)

    async def wait(request: Request) -> None:
        await gate.wait()
        request.answer({"success": True})

    answers = []

    async def ask(host: End) -> None:
        answers.append(await host.link.call(PLUGIN_INVOKE_TOOL))

    async with open_lent(take) as (host, _), trio.open_nursery() as nursery:
        nursery.start_soon(ask, host)
        await wait_all_tasks_blocked()
        assert await host.link.call(PLUGIN_HEALTH) == {}
        gate.set()

    assert answers == [{"success": True}]


async def test_those_behind_one_that_waits_go_the_usual_way() -> None:
    """Each gets a task of its own, instead of a reader for each."""
    gate = trio.Event()

    async def wait(request: Request) -> None:
        await gate.wait()
        request.answer({})

    async with open_lent(lambda request, scope: wait(request)) as (host, runner):
        answers: list[object] = []
        for _ in range(3):
            _send(host, answers)
        await wait_all_tasks_blocked()
        behind = list(runner.ear.requests)
        for request in behind:
            request.answer({})
        gate.set()
        await wait_all_tasks_blocked()

    assert (len(behind), answers) == (2, [{}, {}, {}])


async def test_what_was_told_with_a_request_is_heard_before_it_is_worked_on() -> None:
    """A request that is withdrawn in the same breath need not begin."""
    heard: list[int] = []

    async with open_lent(lambda request, scope: heard.append(len(ears[0].ear.broadcasts))) as (host, runner):
        ears = [runner]
        _send(host, [])
        host.link.broadcast(PLUGIN_CANCEL, {"request_ids": [1]})
        await wait_all_tasks_blocked()

    assert heard == [1]


async def test_who_works_on_outlives_the_link() -> None:
    """Its task is another nursery's, and so it is that which ends it."""
    ended = trio.Event()

    async def work() -> None:
        await trio.sleep(0.5)
        ended.set()

    async with open_lent(lambda request, scope: work()) as (host, runner):
        with pytest.raises(RequestTimedOut):
            await host.link.call(PLUGIN_INVOKE_TOOL, timeout=0.001)
        runner.link.close()
        assert (await runner.wait_closed()).kind == "closed"
        assert not ended.is_set()

    assert ended.is_set()


async def test_the_scope_is_around_what_is_left_to_do() -> None:
    """Cancelling it ends that, and not the reading."""
    scopes: list[trio.CancelScope] = []

    async def rest() -> None:
        await trio.sleep_forever()

    def take(request: Request, scope: trio.CancelScope) -> Awaitable[None] | None:
        if request.method.name == PLUGIN_HEALTH:
            request.answer({})
            return None
        scopes.append(scope)
        return rest()

    async with open_lent(take) as (host, _):
        with pytest.raises(RequestTimedOut):
            await host.link.call(PLUGIN_INVOKE_TOOL, timeout=0.001)
        scopes[0].cancel()
        await wait_all_tasks_blocked()

        assert scopes[0].cancelled_caught
        assert await host.link.call(PLUGIN_HEALTH) == {}


async def test_a_broken_rule_ends_the_link_although_somebody_works_on() -> None:
    """What came before it in the same bytes keeps its task; nobody reads on."""

    async def rest() -> None:
        await trio.sleep(0.2)

    async with open_lent(lambda request, scope: rest()) as (host, runner):
        _send(host, [])
        host.link.session.put_back(host.link.session.data_to_send() + b"\xff" * 64)
        host.link.flush_nowait()

        with trio.fail_after(5):
            assert (await runner.wait_closed()).kind == "protocol"
