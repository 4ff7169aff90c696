"""What a runner owes its host whatever its plugins do: an answer to each request, a clean stream, an end in order."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest
import trio

from rookery.protocol import ErrorCode, RemoteError
from rookery.protocol.page import Crumb
from rookery.supervisor.page import open_page
from tests.doubles.scripted_host import ScriptedHost, assignment, open_runner, refused

pytestmark = pytest.mark.slow

FEATURES = (
    *("assignment", "loading", "logs", "ordered"),
    *("beats", "started", "cancel", "recall", "extend"),
)
UNRULY = "test.unruly"


def send(
    host: ScriptedHost, name: str, outcomes: list[Any], *, chat: str = "", timeout: float = 60.0, **args: Any
) -> int:
    """Call a tool of test.unruly without waiting; the request's id."""
    key = {"ordering_key": chat} if chat else {}
    return host.link.send(
        "plugin.invoke_tool",
        {"component_name": name, "args": args, **key},
        plugin_id=UNRULY,
        deadline=trio.current_time() + timeout,
        on_done=outcomes.append,
    )


def kind_of(outcome: Any) -> Any:
    assert isinstance(outcome, RemoteError)
    return outcome.details.get("kind")


async def wait_dead(pid: int) -> None:
    """Until a process has ended, reaped or not."""
    with trio.fail_after(5):
        while True:
            try:
                state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                return
            if state == "Z":
                return
            await trio.sleep(0.01)


# --- whatever a handler does ------------------------------------------------------------------------------------


async def test_the_worst_that_a_handler_raises_is_an_answer() -> None:
    """B1, B2, B5: the same process answers them all."""
    async with open_runner(assignment("unruly"), features=FEATURES) as host:
        await host.wait_ready()
        pid = await host.run(UNRULY, "say")
        answers = {
            what: await host.ask("plugin.invoke_tool", UNRULY, component_name="worst", args={"what": what})
            for what in ("SystemExit", "KeyboardInterrupt", "GeneratorExit", "BaseExceptionGroup")
        }
        recursion = await host.ask("plugin.invoke_tool", UNRULY, component_name="recurse", args={})
        odd_text = await host.ask(
            "plugin.invoke_tool", UNRULY, component_name="worst", args={"what": "ValueError"}
        )

        assert await host.run(UNRULY, "say") == pid
    assert not any(answer["success"] for answer in answers.values())
    assert answers["SystemExit"]["result"].startswith("SystemExit: 0 (plugin.py line ")
    assert recursion["result"].startswith("RecursionError: ")
    assert odd_text["result"].startswith("ValueError: half a character: ")


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("object", "ResultUnencodable"),
        ("circle", "ResultUnencodable"),
        ("deep", "ResultUnencodable"),
        ("huge", "ResultUnencodable"),
        ("surrogate", "ResultUnencodable"),
        ("surrogate as key", "ResultUnencodable"),
        ("large", "ResultTooLarge"),
    ],
)
async def test_a_result_that_cannot_be_sent_is_an_answer(what: str, kind: str) -> None:
    """E21, E22: nobody waits, and the runner lives."""
    async with open_runner(assignment("unruly"), features=FEATURES) as host:
        await host.wait_ready()

        error = await refused(host.run(UNRULY, "result", what=what))

        assert (await host.ask("plugin.health"))["healthy"]
    assert kind_of(error) == kind


async def test_an_exception_in_a_plugins_thread_is_its_log_and_nothing_else() -> None:
    """B12: named by the code in the traceback, because the thread knows nothing of the runner."""
    async with open_runner(assignment("good", "unruly"), features=FEATURES) as host:
        await host.wait_ready()
        await host.run(UNRULY, "fail_in_thread")

        logger, message = await host.wait_log("the thread 'worker' failed")

        assert await host.run("test.good", "greet") == "hello nobody"
    assert logger == f"plugin.{UNRULY}"
    (entry,) = [entry for entry in host.entries if entry["message"] == message]
    assert entry["exception_text"].splitlines()[-1].startswith("RecursionError: ")


async def test_a_plugin_that_takes_the_dumps_away_harms_only_the_dumps() -> None:
    """F12: it answers, logs and ends as before."""
    async with open_runner(assignment("unruly", "good"), features=FEATURES) as host:
        await host.wait_ready()
        await host.run(UNRULY, "hide")
        host.process.send_signal(signal.SIGUSR1)

        assert await host.run("test.good", "greet") == "hello nobody"
        host.process.send_signal(signal.SIGTERM)
        assert await host.wait_exit() == 0


async def test_a_plugin_that_takes_all_descriptors_fails_alone() -> None:
    """D4: it hears its own mistake, and its neighbour answers."""
    async with open_runner(assignment("unruly", "good"), features=FEATURES) as host:
        await host.wait_ready()
        answer = await host.ask("plugin.invoke_tool", UNRULY, component_name="exhaust", args={})

        assert await host.run("test.good", "greet") == "hello nobody"
        assert await host.run(UNRULY, "wait_in_thread", seconds=0.0) == "done"
        code = await host.shut_down()
    assert answer["result"].startswith("OSError: [Errno 24] Too many open files")
    assert code == 0


async def test_loops_of_a_plugin_in_threads_of_its_own_are_its_own_affair() -> None:
    """F13: the runner's hooks stay with the runner's loop."""
    page = open_page(8)
    assert page is not None
    async with open_runner(assignment("unruly"), features=FEATURES, page=page) as host:
        await host.wait_ready()

        assert await host.run(UNRULY, "own_loops") == ["asyncio", "trio"]
        head = page.read_head()
    page.close()
    assert head is not None
    assert head.crumb == Crumb()


# --- handlers that do not end -----------------------------------------------------------------------------------


async def test_a_handler_that_ignores_its_cancellation_is_answered_for() -> None:
    """C7: and its chat goes on without it."""
    outcomes: list[Any] = []
    async with open_runner(assignment("unruly"), features=FEATURES) as host:
        await host.wait_ready()
        # The host's own deadline is far, so that the answer is the runner's.
        stuck = send(host, "swallow", outcomes, chat="lobby")
        send(host, "say", outcomes, chat="lobby")
        await host.wait_log("swallowing")
        asked = time.monotonic()
        host.link.broadcast("plugin.cancel", {"request_ids": [stuck]})
        await host.wait_log("said by")
        await host.wait_until(lambda: len(outcomes) == 2)
        took = time.monotonic() - asked
        send(host, "say", outcomes, chat="lobby")
        await host.wait_until(
            lambda: host.logs.count(("plugin.test.unruly", f"said by {host.process.pid}")) == 2
        )

    assert took < 3
    first, second = outcomes[:2]
    assert isinstance(first, RemoteError)
    assert first.code is ErrorCode.E_TIMEOUT
    assert second == {"success": True, "result": host.process.pid}


async def test_calls_behind_a_slow_one_are_answered_at_their_own_deadline() -> None:
    """They never began, and the answer says so."""
    outcomes: list[Any] = []
    async with open_runner(assignment("unruly"), features=FEATURES) as host:
        await host.wait_ready()
        slow: list[Any] = []
        send(host, "wait", slow, chat="lobby", seconds=3600.0)
        await host.wait_log("waiting")
        asked = time.monotonic()
        # A budget of 0.2 s that only the runner looks at.
        host.link.session.request(
            "plugin.invoke_tool",
            {"component_name": "say", "args": {}, "ordering_key": "lobby"},
            plugin_id=UNRULY,
            timeout_ms=200,
            on_done=outcomes.append,
        )
        host.link.wake_writer()
        while not outcomes:
            await host.ask("plugin.health")
        took = time.monotonic() - asked

    assert took < 2
    assert kind_of(outcomes[0]) == "NotStarted"


async def test_a_plain_handler_begins_when_it_has_a_thread() -> None:
    """A8: what waits for a thread is not marked, is recalled at once, and says that it never began."""
    running: list[Any] = []
    outcomes: list[Any] = []
    one_thread = assignment("unruly", thread_limit=1)
    async with open_runner(one_thread, features=FEATURES) as host:
        await host.wait_ready()
        first = send(host, "wait_in_thread", running, seconds=0.5)
        await host.wait_log("waiting in a thread")
        second = send(host, "wait_in_thread", outcomes, seconds=0.0)
        third = send(host, "wait_in_thread", running, seconds=0.0)
        await host.ask("plugin.health")
        started = list(host.started)
        host.link.broadcast("plugin.recall", {"request_ids": [first, second]})
        while not outcomes:
            await host.ask("plugin.health")
        recalled_while_it_ran = not running
        while len(running) < 2:
            await host.ask("plugin.health")

    assert started == [first]
    assert recalled_while_it_ran
    assert kind_of(outcomes[0]) == "Recalled"
    assert running == [{"success": True, "result": "done"}] * 2
    assert host.started == [first, third]


async def test_everything_is_answered_before_the_runner_leaves() -> None:
    """What runs, what waits behind it, what waits for a thread, and what does not end at all."""
    outcomes: list[Any] = []
    async with open_runner(assignment("unruly", thread_limit=1), features=FEATURES) as host:
        await host.wait_ready()
        for name, chat in (("swallow", "a"), ("say", "a"), ("wait", "b"), ("say", "b"), ("wait", "")):
            send(host, name, outcomes, chat=chat)
        send(host, "wait_in_thread", outcomes, seconds=30.0)
        send(host, "wait_in_thread", outcomes, seconds=30.0)
        await host.wait_log("waiting in a thread")

        await host.ask("plugin.shutdown", drain_timeout_ms=600)
        code = await host.wait_exit()
        await host.wait_until(lambda: len(outcomes) == 7)

    assert code == 0
    assert {outcome.code for outcome in outcomes} == {ErrorCode.E_SHUTTING_DOWN}
    assert sorted(str(kind_of(outcome)) for outcome in outcomes) == ["None"] * 4 + ["NotStarted"] * 3


# --- leaving in order -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["shutdown", "SIGTERM"])
async def test_dependents_go_first_also_after_a_reload(how: str) -> None:
    """A reloaded plugin comes last in the order of loading, with those that need it behind it."""
    async with open_runner(assignment("good", "needs_good", "unruly"), features=FEATURES) as host:
        await host.wait_ready()
        answer = await host.ask("plugin.reload", "test.good", plugin_id="test.good")
        host.logs.clear()
        if how == "SIGTERM":
            host.process.send_signal(signal.SIGTERM)
        else:
            await host.ask("plugin.shutdown")
        code = await host.wait_exit()

    assert answer["success"]
    assert code == 0
    assert [logger for logger, message in host.logs if message == "unloaded"] == [
        "plugin.test.needs_good",
        "plugin.test.good",
        f"plugin.{UNRULY}",
    ]


async def test_an_exit_function_that_hangs_does_not_keep_the_process() -> None:
    """B13: a second later it goes, with the code that it meant."""
    async with open_runner(assignment("unruly"), features=FEATURES) as host:
        await host.wait_ready()
        await host.run(UNRULY, "hang_at_exit")
        asked = time.monotonic()

        assert await host.shut_down() == 0
    assert time.monotonic() - asked < 4


# --- forks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["fork", "fork_in_thread", "fork_and_exit", "fork_and_wait"])
async def test_a_forked_child_that_comes_back_says_and_does_nothing_more(how: str) -> None:
    """B9: the next call of the same chat runs once, in the runner, and its start is said once."""
    outcomes: list[Any] = []
    async with open_runner(assignment("unruly"), features=FEATURES) as host:
        await host.wait_ready()
        requests = [send(host, how, outcomes, chat="lobby"), send(host, "say", outcomes, chat="lobby")]
        while len(outcomes) < 2:
            await host.ask("plugin.health")
        child = outcomes[0]["result"]
        await wait_dead(child)
        await host.wait_log("a forked child came back")
        for _ in range(5):
            await host.ask("plugin.health")
        counters = host.link.session.counters
        pid = host.process.pid

    assert child > 0
    assert outcomes[1] == {"success": True, "result": pid}
    assert host.started == requests
    assert [message for _, message in host.logs if message.startswith("said by")] == [f"said by {pid}"]
    assert (counters.unknown_answers, counters.late_answers) == (0, 0)


async def test_a_child_with_work_of_its_own_logs_and_prints_to_the_pipes() -> None:
    """multiprocessing's children share the socket and may not speak on it; what they say arrives all the same."""
    async with open_runner(assignment("unruly"), features=FEATURES) as host:
        await host.wait_ready()

        assert await host.run(UNRULY, "fork_well") == 0

        for text in ("the child logs", "the child prints"):
            assert await host.wait_log(text) == (f"plugin.{UNRULY}", text)
        for _ in range(5):
            await host.ask("plugin.health")
        counters = host.link.session.counters
    assert (counters.unknown_answers, counters.late_answers) == (0, 0)


# --- the page ---------------------------------------------------------------------------------------------------


async def test_many_calls_reuse_the_slots() -> None:
    """A page of 3 slots and a call at a time: every start is in the page, none is said."""
    page = open_page(3)
    assert page is not None
    async with open_runner(assignment("unruly"), features=FEATURES, page=page) as host:
        await host.wait_ready()
        started = []
        for _ in range(10):
            outcomes: list[Any] = []
            request = send(host, "say", outcomes)
            while not outcomes:
                await host.ask("plugin.health")
            started.append(request in (page.read_started() or ()))
    page.close()

    assert started == [True] * 10
    assert host.started == []


async def test_more_calls_than_slots_are_said() -> None:
    """The page has room for one of three."""
    page = open_page(1)
    assert page is not None
    outcomes: list[Any] = []
    async with open_runner(assignment("unruly"), features=FEATURES, page=page) as host:
        await host.wait_ready()
        requests = [send(host, "wait", outcomes) for _ in range(3)]
        await host.wait_until(lambda: len(host.started) == 2)
        known = {*(page.read_started() or ()), *host.started}
    page.close()

    assert known == set(requests)
