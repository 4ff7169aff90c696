"""What a host finds in the page after a runner was killed at each point, and what it sees while one lives."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial

import pytest
import trio

from rookery.protocol import ConnectionLost, RemoteError
from rookery.protocol.page import Crumb, PageHead, Phase
from rookery.supervisor.page import Page, open_page
from tests.doubles.scripted_host import ScriptedHost, assigned, assignment, open_runner, refused

pytestmark = pytest.mark.slow

BOTH = ("assignment", "loading", "logs", "ordered", "beats", "started", "cancel", "recall", "extend")


@pytest.fixture
def page() -> Iterator[Page]:
    made = open_page(64)
    assert made is not None
    yield made
    made.close()


def crumb_of(page: Page) -> Crumb:
    head = page.read_head()
    assert head is not None
    return head.crumb


async def call(host: ScriptedHost, name: str, *, timeout: float = 60.0, **args: object) -> int:
    """Call a tool of test.dies without waiting; the request's id."""
    return host.link.send(
        "plugin.invoke_tool",
        {"component_name": name, "args": args},
        plugin_id="test.dies",
        deadline=trio.current_time() + timeout,
        on_done=lambda _: None,
    )


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def head_of(page: Page) -> PageHead:
    head = page.read_head()
    assert head is not None
    return head


async def test_thread_and_loop_answer_each_question(page: Page, pipe: tuple[int, int]) -> None:
    """And say who they are, and how far they have read."""
    async with open_runner(assignment("good"), page=page, questions=pipe[0], features=BOTH) as host:
        await host.wait_ready()
        await host.run("test.good", "wait", seconds=0.0)
        os.write(pipe[1], b"??")
        with trio.fail_after(10):
            while head_of(page).loop_beats < 2:
                await trio.sleep(0.01)
        head = head_of(page)
        pid, last = host.process.pid, host.link.session.last_id

    assert (head.loop_beats, head.thread_beats) == (2, 2)
    assert (head.read, head.pid, head.crumb) == (last, pid, Crumb())


async def test_an_idle_runner_does_nothing_and_shows_that_it_waits(page: Page, pipe: tuple[int, int]) -> None:
    """Not once a second, and not for what it has done before."""
    async with open_runner(assignment("good"), page=page, questions=pipe[0], features=BOTH) as host:
        await host.wait_ready()
        await host.run("test.good", "wait", seconds=0.0)
        await trio.sleep(2.5)  # whatever looks after the call has seen that it has ended
        first = head_of(page)
        await trio.sleep(1.5)
        second = head_of(page)

    assert first.turns % 2 == 1
    assert second == first


async def test_a_loop_that_is_blocked_shows_that_it_runs(page: Page, pipe: tuple[int, int]) -> None:
    """Though its thread answers."""
    plugins = assignment("blocks_the_loop")
    async with open_runner(plugins, page=page, questions=pipe[0], features=BOTH) as host:
        await host.wait_ready()
        host.link.send(
            "plugin.invoke_tool",
            {"component_name": "block", "args": {"seconds": 60.0}},
            plugin_id="test.blocks_the_loop",
            deadline=trio.current_time() + 60.0,
            on_done=lambda _: None,
        )
        with trio.fail_after(10):
            while not head_of(page).crumb.request_id:
                await trio.sleep(0.01)
        os.write(pipe[1], b"?")
        with trio.fail_after(10):
            while not head_of(page).thread_beats:
                await trio.sleep(0.01)
        head = head_of(page)

    assert head.turns % 2 == 0
    assert head.loop_beats == 0


@pytest.mark.parametrize(("at", "phase"), [("load", Phase.LOAD), ("task", Phase.TASK)])
async def test_a_death_outside_of_calls_leaves_its_phase(page: Page, at: str, phase: Phase) -> None:
    """A4: the second plugin of the assignment is number 2."""
    plugins = assignment("good", assigned("dies", at=at))
    async with open_runner(plugins, page=page, features=BOTH) as host:
        assert await host.wait_exit() == -signal.SIGKILL

    assert crumb_of(page) == Crumb(phase=phase, plugin=2)


@pytest.mark.parametrize("captures", [True, False])
async def test_a_death_in_an_import_leaves_its_phase(page: Page, captures: bool) -> None:
    """A4: also in a runner that does not read its own output."""
    dying = {"ROOKERY_TEST_DIES_AT_IMPORT": "1"}
    plugins = assignment("good", "dies")
    async with open_runner(plugins, page=page, features=BOTH, environment=dying, captures=captures) as host:
        assert await host.wait_exit() == -signal.SIGKILL

    assert crumb_of(page) == Crumb(phase=Phase.IMPORT, plugin=2)


async def test_a_death_in_a_call_leaves_the_call_without_captured_output(page: Page) -> None:
    """Crumbs have a hook of their own; after a wait the step of the task leaves it again."""
    async with open_runner(assignment("dies"), page=page, features=BOTH, captures=False) as host:
        await host.wait_ready()
        request = await call(host, "die", after=0.05)
        await host.wait_exit()

    assert crumb_of(page) == Crumb(phase=Phase.CALL, plugin=1, request_id=request)


async def test_a_death_while_unloading_leaves_its_phase(page: Page) -> None:
    """Also in an orderly end."""
    async with open_runner(assignment(assigned("dies", at="unload")), page=page, features=BOTH) as host:
        await host.wait_ready()
        with pytest.raises(ConnectionLost):
            await host.shut_down()
        await host.wait_exit()

    assert crumb_of(page) == Crumb(phase=Phase.UNLOAD, plugin=1)


@pytest.mark.parametrize("how", ["kill", "segv", "fpe", "bus", "abort", "exit"])
async def test_a_death_in_a_handler_leaves_the_call(page: Page, how: str) -> None:
    """A10, B3, B4: the plugin, the request, and that it had begun."""
    async with open_runner(assignment("dies"), page=page, features=BOTH) as host:
        await host.wait_ready()
        request = await call(host, "die", how=how)
        await host.wait_exit()

    assert crumb_of(page) == Crumb(phase=Phase.CALL, plugin=1, request_id=request)
    assert request in (page.read_started() or ())


async def test_a_death_between_two_steps_blames_nobody(page: Page) -> None:
    """Both handlers wait when the kill comes from outside: the crumb is idle, and both had begun."""
    async with open_runner(assignment("dies", "good"), page=page, features=BOTH) as host:
        await host.wait_ready()
        one, two = await call(host, "wait"), await call(host, "wait")
        await host.wait_until(lambda: host.logs.count(("plugin.test.dies", "waiting")) == 2)
        os.kill(host.process.pid, signal.SIGKILL)
        await host.wait_exit()

    assert crumb_of(page) == Crumb()
    assert {one, two} <= (page.read_started() or frozenset())


async def test_what_waits_in_a_lane_has_not_begun(page: Page) -> None:
    """A8: only the first of three calls of one chat runs."""
    async with open_runner(assignment("dies"), page=page, features=BOTH) as host:
        await host.wait_ready()
        requests = [
            host.link.send(
                "plugin.invoke_tool",
                {"component_name": "wait", "args": {}, "ordering_key": "chat"},
                plugin_id="test.dies",
                deadline=trio.current_time() + 60,
                on_done=lambda _: None,
            )
            for _ in range(3)
        ]
        await host.wait_log("waiting")
        os.kill(host.process.pid, signal.SIGKILL)
        await host.wait_exit()

    assert (page.read_started() or frozenset()) & set(requests) == {requests[0]}


async def test_without_a_page_each_start_is_said_first() -> None:
    """D9: a real write, so it is read although the handler's first line ends the process."""
    async with open_runner(assignment("dies"), features=BOTH) as host:
        await host.wait_ready()
        request = await call(host, "die")
        await host.wait_exit()
        host.link.drain_nowait()

    assert host.started == [request]


async def test_a_host_that_does_not_want_to_know_is_told_nothing() -> None:
    """An original host would drop the connection at an unknown method."""
    async with open_runner(assignment("good")) as host:
        await host.wait_ready()
        await host.run("test.good", "greet")

    assert host.started == []


async def test_a_cancelled_call_ends_at_once_and_a_waiting_one_never_begins(page: Page) -> None:
    """The caller has gone: nobody pays for the answer."""
    async with open_runner(assignment("dies"), page=page, features=BOTH) as host:
        await host.wait_ready()
        outcomes: list[object] = []
        requests = [
            host.link.send(
                "plugin.invoke_tool",
                {"component_name": "wait", "args": {}, "ordering_key": "chat"},
                plugin_id="test.dies",
                deadline=trio.current_time() + 60,
                on_done=outcomes.append,
            )
            for _ in range(2)
        ]
        await host.wait_log("waiting")
        host.link.broadcast("plugin.cancel", {"request_ids": [*requests, 10**9]})
        await host.ask("plugin.health")
        while len(outcomes) < 2:
            await host.ask("plugin.health")

    assert all(isinstance(outcome, RemoteError) for outcome in outcomes)
    assert {outcome.details.get("kind") for outcome in outcomes} == {None, "NotStarted"}  # type: ignore[attr-defined]
    assert (page.read_started() or frozenset()) & set(requests) == {requests[0]}


async def test_a_recall_takes_back_what_has_not_begun(page: Page) -> None:
    """T15: what runs goes on to its end."""
    async with open_runner(assignment("dies"), page=page, features=BOTH) as host:
        await host.wait_ready()
        outcomes: dict[int, object] = {}
        requests = [
            host.link.send(
                "plugin.invoke_tool",
                {"component_name": "wait", "args": {"seconds": 0.3}, "ordering_key": "chat"},
                plugin_id="test.dies",
                deadline=trio.current_time() + 60,
                on_done=partial(outcomes.__setitem__, number),
            )
            for number in range(3)
        ]
        await host.wait_log("waiting")
        host.link.broadcast("plugin.recall", {"request_ids": requests})
        while len(outcomes) < 3:
            await host.ask("plugin.health")

    assert outcomes[0] == {"success": True, "result": "done"}
    for number in (1, 2):
        error = outcomes[number]
        assert isinstance(error, RemoteError)
        assert error.details == {"kind": "Recalled"}


async def test_nine_handlers_that_ignore_their_cancellation_have_the_runner_replaced(page: Page) -> None:
    """C7: the caller has its answer at the deadline from the host; the runner leaves with 75."""
    async with open_runner(assignment("dies"), page=page, features=BOTH) as host:
        await host.wait_ready()
        for _ in range(9):
            await call(host, "swallow", timeout=0.2)

        code = await host.wait_exit()

    assert code == 75


async def test_a_plugin_may_ask_for_time(page: Page) -> None:
    """T8: its own limit moves, and the host is told; also out of a plain on_load, which runs in a thread."""
    plugins = assignment(assigned("dies", extend=0.6), "loads_in_thread", plugin_load_timeout=0.3)
    async with open_runner(plugins, page=page, features=BOTH) as host:
        ready = await host.wait_ready()

    assert ready.loaded_plugins == ["test.dies", "test.loads_in_thread"]
    assert host.extended == [1.2, 5.0]


async def test_a_forked_child_that_comes_back_ends_without_a_word(page: Page) -> None:
    """B9: the runner goes on answering, and one answer came."""
    async with open_runner(assignment("dies"), page=page, features=BOTH) as host:
        await host.wait_ready()
        child = await host.run("test.dies", "fork")
        assert child > 0
        for _ in range(20):
            await host.ask("plugin.health")
        unknown = host.link.session.counters.unknown_answers + host.link.session.counters.late_answers
        with trio.fail_after(5):
            while _is_alive(child):
                await trio.sleep(0.01)

    assert unknown == 0


async def test_a_forked_child_with_work_of_its_own_does_it(page: Page) -> None:
    """multiprocessing's children never come back into the loop."""
    async with open_runner(assignment("dies"), page=page, features=BOTH) as host:
        await host.wait_ready()

        assert await host.run("test.dies", "fork_well") == 0
        assert (await host.ask("plugin.health"))["healthy"]


async def test_a_spoiled_page_stops_nothing() -> None:
    """F6: a descriptor that is no page is closed and forgotten."""
    broken = open_page(4)
    assert broken is not None
    os.pwrite(broken.descriptor, b"\xff" * 8, 0)
    async with open_runner(assignment("good"), page=broken, features=BOTH) as host:
        await host.wait_ready()

        assert await host.run("test.good", "greet") == "hello nobody"
    broken.close()


def _is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_refusing_needs_no_page() -> None:
    """A call of what is not there never begins."""
    async with open_runner(assignment("good"), features=BOTH) as host:
        await host.wait_ready()
        error = await refused(host.run("test.good", "nothing"))

    assert isinstance(error, RemoteError)
    assert host.started == []
