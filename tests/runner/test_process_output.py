"""What plugins print, log and write reaches the host with the plugin's name, and no flood stops anything."""

from __future__ import annotations

import pytest
import trio

from tests.doubles.scripted_host import assignment, open_runner

pytestmark = pytest.mark.slow

LOGGER = "plugin.test.prints"


async def test_what_is_printed_has_a_name_from_the_first_line_on() -> None:
    """At import, in on_load without a line end, in a handler, in a thread; standard error is a warning."""
    async with open_runner(assignment("prints")) as host:
        await host.wait_ready()
        await host.run("test.prints", "speak", text="hello")
        await host.run("test.prints", "speak_in_thread", text="from a thread")
        await host.wait_log("from a thread")

    found = [(logger, message) for logger, message in host.logs if logger.startswith("plugin.")]
    assert found == [
        (LOGGER, "printed at import"),
        (LOGGER, "printed on load"),
        (LOGGER, "hello"),
        (LOGGER, "error: hello"),
        (LOGGER, "from a thread"),
    ]
    levels = {entry["message"]: entry["level"] for entry in host.entries}
    assert (levels["hello"], levels["error: hello"]) == (20, 30)


async def test_what_is_written_to_the_descriptors_has_a_name_too() -> None:
    """Raw bytes, with or without a line end, and what a child process says."""
    async with open_runner(assignment("good", "prints")) as host:
        await host.wait_ready()
        await host.run("test.good", "greet")
        await host.run("test.prints", "write_raw", text="raw")
        await host.run("test.good", "greet")
        await host.run("test.prints", "let_child_write", text="a child")

        found = [await host.wait_log(text) for text in ("raw", "error: raw", "a child")]

    assert found == [(LOGGER, "raw"), (LOGGER, "error: raw"), (LOGGER, "a child")]


async def test_what_comes_between_two_calls_is_not_lost() -> None:
    """A thread of a plugin writes when nothing runs; it is named by the best guess there is."""
    async with open_runner(assignment("prints")) as host:
        await host.wait_ready()
        await host.run("test.prints", "write_late", text="late")

        found = await host.wait_log("late")

    assert found == (LOGGER, "late")


async def test_a_library_is_logged_under_the_name_of_who_called_it() -> None:
    """The library's name goes into the text."""
    async with open_runner(assignment("prints")) as host:
        await host.wait_ready()
        await host.run("test.prints", "let_library_log", text="odd")

        found = await host.wait_log("odd")

    assert found == (LOGGER, "some.library: odd")


async def test_a_bad_log_call_costs_nothing_but_its_text() -> None:
    """The line says what was to be logged and why it could not be."""
    async with open_runner(assignment("prints")) as host:
        await host.wait_ready()
        await host.run("test.prints", "log_badly")

        _, message = await host.wait_log("cannot be formatted")

    assert message.startswith("'%d' (cannot be formatted: TypeError")


async def test_a_traceback_comes_once_and_apart_from_the_message() -> None:
    """The host decides how to show it."""
    async with open_runner(assignment("prints")) as host:
        await host.wait_ready()
        await host.run("test.prints", "log_exception")
        await host.wait_log("it failed")

    entry = next(entry for entry in host.entries if entry["message"] == "it failed")
    assert entry["exception_text"].startswith("Traceback")
    assert entry["exception_text"].endswith("ZeroDivisionError: division by zero")


async def test_the_last_words_of_a_plugin_that_kills_its_process_are_kept() -> None:
    """A warning is on the socket before the next line runs; raw output is left in the pipe for the host."""
    async with open_runner(assignment("prints")) as host:
        await host.wait_ready()
        await host.run_whatever_comes("test.prints", "die", text="farewell")

        code = await host.wait_exit()
        host.link.drain_nowait()

        left = host.left_in_pipes()
    assert code == 9
    assert (LOGGER, "farewell") in host.logs
    assert left == "raw last words\n"


async def test_a_flood_of_raw_output_does_not_block_its_plugin() -> None:
    """Far more than a pipe holds, in one step: the plugin ends, the loss is counted, the neighbours answer."""
    async with open_runner(assignment("floods", "good")) as host:
        await host.wait_ready()

        result = await host.run("test.floods", "flood_raw", megabytes=4)

        logger, message = await host.wait_log("were dropped: too much at once")
        assert await host.run("test.good", "greet") == "hello nobody"
    assert result == 4
    assert (logger, message.endswith("too much at once]")) == ("plugin.test.floods", True)


async def test_a_flood_of_log_entries_is_bounded_and_counted() -> None:
    """The beginning is kept, the rest is a number under the plugin's name."""
    async with open_runner(assignment("floods")) as host:
        await host.wait_ready()

        await host.run("test.floods", "flood_log", count=10_000)

        logger, message = await host.wait_log("log entries were dropped here")
    assert logger == "plugin.test.floods"
    kept = [text for name, text in host.logs if name == logger and text.startswith("line ")]
    assert kept[:2] == ["line 0", "line 1"]
    assert len(kept) + int(message.split()[0]) == 10_000


async def test_output_stays_in_the_pipe_while_the_loop_is_blocked() -> None:
    """What a plugin wrote before it hung is what its host reads after having killed it."""
    async with open_runner(assignment("blocks_the_loop")) as host, trio.open_nursery() as nursery:
        await host.wait_ready()
        nursery.start_soon(host.run_whatever_comes, "test.blocks_the_loop", "write_and_block")
        await trio.sleep(0.3)  # nothing outside of the process tells that it blocks

        host.process.kill()
        await host.wait_exit()

        left = host.left_in_pipes()
        nursery.cancel_scope.cancel()
    assert left == "about to hang\n"
