"""A runner process answers its host and ends when it should, as it should, and never otherwise."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial

import pytest
import trio
import trio.testing

from rookery.protocol import ErrorCode, HelloAnswer, RemoteError, Request
from tests.doubles.scripted_host import assigned, assignment, open_runner, refused

pytestmark = pytest.mark.slow


async def test_the_hello_says_who_it_is() -> None:
    """Process id and features come with the first frame."""
    async with open_runner(assignment()) as host:
        ready = await host.wait_ready()

    assert host.hello["pid"] == host.process.pid
    assert host.hello["features"] == [
        *("assignment", "loading", "logs", "ordered"),
        *("beats", "started", "cancel", "recall", "extend", "segments", "compact", "exchange"),
        "within",
    ]
    assert ready.loaded_plugins == []


async def test_health_is_answered_while_handlers_run() -> None:
    """A waiting handler holds nobody up."""
    async with open_runner(assignment("good")) as host, trio.open_nursery() as nursery:
        await host.wait_ready()
        nursery.start_soon(partial(host.run_whatever_comes, "test.good", "wait", seconds=10.0))
        await host.wait_log("waiting")

        health = await host.ask("plugin.health")

        nursery.cancel_scope.cancel()
    assert health["healthy"]
    assert health["loaded_plugins"] == ["test.good"]


async def test_an_orderly_shutdown_unloads_in_reverse_and_leaves_with_0() -> None:
    """Dependents first; the last log lines arrive; nothing is left in the pipes."""
    async with open_runner(assignment("good", "needs_good")) as host:
        await host.wait_ready()

        code = await host.shut_down()

        left = host.left_in_pipes()
    assert code == 0
    assert [entry for entry in host.logs if entry[1] == "unloaded"] == [
        ("plugin.test.needs_good", "unloaded"),
        ("plugin.test.good", "unloaded"),
    ]
    assert left == ""


async def test_sigterm_is_an_orderly_shutdown_too() -> None:
    """Whoever stops a runner by hand loses no on_unload."""
    async with open_runner(assignment("good")) as host:
        await host.wait_ready()

        host.process.send_signal(signal.SIGTERM)

        code = await host.wait_exit()
    assert code == 0
    assert ("plugin.test.good", "unloaded") in host.logs


async def test_sigterm_during_loading_ends_it() -> None:
    """An on_load that takes for ever does not keep the runner."""
    async with open_runner(assignment("hangs_on_load")) as host:
        await host.wait_until(lambda: ("test.hangs_on_load", "on_load") in host.loading)

        host.process.send_signal(signal.SIGTERM)

        assert await host.wait_exit() == 0


async def test_sigint_is_left_to_the_host() -> None:
    """Ctrl-C in a terminal reaches all; the host decides."""
    async with open_runner(assignment("good")) as host:
        await host.wait_ready()

        host.process.send_signal(signal.SIGINT)

        assert await host.run("test.good", "greet") == "hello nobody"


async def test_an_on_unload_that_hangs_is_bounded_and_the_next_one_still_runs() -> None:
    """Each plugin has its share of the shutdown's budget."""
    async with open_runner(assignment("good", assigned("slow", unload=3600.0))) as host:
        await host.wait_ready()

        await host.ask("plugin.shutdown", drain_timeout_ms=600)

        code = await host.wait_exit()
    assert code == 0
    assert ("plugin.test.slow", "on_unload did not end in time and was cancelled") in host.logs
    assert ("plugin.test.good", "unloaded") in host.logs


async def test_what_ignores_its_cancellation_does_not_keep_the_process() -> None:
    """A shielded task and a thread that never ends are left behind, and the log says so."""
    async with open_runner(assignment("ignores_cancel", "good")) as host:
        await host.wait_ready()

        code = await host.shut_down()

    assert code == 0
    assert any("goes on although it was cancelled" in message for _, message in host.logs)


async def test_draining_refuses_new_calls_and_waits_for_the_running_ones() -> None:
    """prepare_shutdown is acknowledged when the last running handler has ended."""
    results: list[str] = []

    async def call() -> None:
        results.append(await host.run("test.good", "wait", seconds=0.3))

    async with open_runner(assignment("good")) as host, trio.open_nursery() as nursery:
        await host.wait_ready()
        nursery.start_soon(call)
        await host.wait_log("waiting")

        answer = await host.ask("plugin.prepare_shutdown", drain_timeout_ms=5000)
        await trio.testing.wait_all_tasks_blocked()  # both answers may have come in one read
        at_acknowledge = list(results)
        error = await refused(host.run("test.good", "greet"))

    assert answer == {"acknowledged": True}
    assert at_acknowledge == ["done"]
    assert isinstance(error, RemoteError)
    assert error.code is ErrorCode.E_SHUTTING_DOWN


async def test_draining_takes_no_longer_than_its_budget() -> None:
    """A handler that does not end is not waited for."""
    async with open_runner(assignment("good")) as host, trio.open_nursery() as nursery:
        await host.wait_ready()
        nursery.start_soon(partial(host.run_whatever_comes, "test.good", "wait", seconds=3600.0))
        await host.wait_log("waiting")

        answer = await host.ask("plugin.prepare_shutdown", drain_timeout_ms=200)

        nursery.cancel_scope.cancel()
    assert answer == {"acknowledged": True}


async def test_the_end_of_the_connection_ends_the_runner_at_once() -> None:
    """Nobody is there to supervise it: no on_unload, exit code 77."""
    async with open_runner(assignment("good")) as host:
        await host.wait_ready()

        host.link.close()

        code = await host.wait_exit()
    assert code == 77
    assert ("plugin.test.good", "unloaded") not in host.logs


async def test_the_lifeline_ends_a_runner_whose_loop_is_blocked() -> None:
    """The kernel does not need the loop; elsewhere a thread does it."""
    async with open_runner(assignment("blocks_the_loop")) as host, trio.open_nursery() as nursery:
        await host.wait_ready()
        nursery.start_soon(partial(host.run_whatever_comes, "test.blocks_the_loop", "block", seconds=3600.0))
        await host.link.flush(1.0)

        host.close_lifeline()

        code = await host.wait_exit()
        nursery.cancel_scope.cancel()
    assert code in (77, -signal.SIGKILL)


async def test_a_refused_hello_ends_with_76_and_says_why() -> None:
    """The host reads the reason in the pipe."""
    answer = HelloAnswer(accepted=False, reason="wrong house")

    async with open_runner(None, answer=answer) as host:
        code = await host.wait_exit()

        left = host.left_in_pipes()
    assert code == 76
    assert left == "rookery.runner: the host refused this runner: wrong house\n"


async def test_sigusr1_dumps_every_stack() -> None:
    """A runner that does not answer can be asked where it is."""
    async with open_runner(assignment("blocks_the_loop")) as host, trio.open_nursery() as nursery:
        await host.wait_ready()
        nursery.start_soon(partial(host.run_whatever_comes, "test.blocks_the_loop", "block", seconds=3600.0))
        await host.link.flush(1.0)
        await trio.sleep(0.2)  # the request has to have begun; nothing outside of the process tells

        host.process.send_signal(signal.SIGUSR1)
        await trio.sleep(0.2)
        host.process.kill()
        await host.wait_exit()

        left = host.left_in_pipes()
        nursery.cancel_scope.cancel()
    assert "plugin.py" in left
    assert "in block" in left


async def test_a_task_that_fails_is_logged_and_ends_nothing() -> None:
    """The log names the plugin and the place."""
    async with open_runner(assignment("good")) as host:
        await host.wait_ready()
        await host.run("test.good", "fail_in_background")

        logger, message = await host.wait_log("background trouble")

        assert await host.run("test.good", "greet") == "hello nobody"
    assert logger == "plugin.test.good"
    assert message.startswith("the task 'work' failed: ValueError: background trouble (plugin.py line")


async def test_a_call_for_a_stranger_is_refused() -> None:
    """Not loaded here, and the text says which."""
    async with open_runner(assignment("good")) as host:
        await host.wait_ready()

        error = await refused(host.run("test.stranger", "greet"))

    assert isinstance(error, RemoteError)
    assert error.code is ErrorCode.E_PLUGIN_NOT_FOUND
    assert "test.stranger" in error.message


async def test_a_host_that_does_not_take_ready_is_no_reason_to_go() -> None:
    """The plugins are there all the same."""

    def refuse(request: Request) -> None:
        request.refuse(ErrorCode.E_UNKNOWN, "not now")

    async with open_runner(assignment("good"), answers={"runner.ready": refuse}) as host:
        await host.wait_log("the host did not take runner.ready")

        assert await host.run("test.good", "greet") == "hello nobody"


async def test_the_environment_and_the_descriptors_are_clean() -> None:
    """Tokens do not reach plugins, descriptors do not reach their children, the working directory shadows nothing."""
    variables = {
        "MAIBOT_SESSION_TOKEN": "secret",
        "MAIBOT_IPC_ADDRESS": "/nowhere",
        "MAIBOT_RUNNER_GROUP": "x",
    }

    async with open_runner(assignment("good"), environment=variables) as host:
        await host.wait_ready()
        where = await host.run("test.good", "where")
        inheritable = await host.run("test.good", "inheritable")

    assert where["environment"] == []
    assert where["module"] == "rookery_plugin_test_dgood"
    assert inheritable == []
    assert os.getcwd() not in where["path"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(
            [], "there is neither --link-fd nor MAIBOT_IPC_ADDRESS and MAIBOT_SESSION_TOKEN", id="nothing"
        ),
        pytest.param(["--link-fd", "x"], "must be the number of a descriptor, got 'x'", id="no number"),
        pytest.param(["--link-fd", "99"], "descriptor 99 is not open in this process", id="not open"),
        pytest.param(["--link-fd", "0"], "--link-fd 0 is not a socket", id="not a socket"),
        pytest.param(["--lnk-fd", "3"], "unrecognized arguments: --lnk-fd 3", id="unknown argument"),
    ],
)
def test_a_wrong_start_ends_with_78_and_one_line(arguments: list[str], expected: str) -> None:
    """Whoever starts it wrongly is told what to do, without a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "rookery.runner", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 78
    assert expected in done.stderr
    assert len(done.stderr.splitlines()) == 1
