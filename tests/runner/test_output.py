"""Raw output is named by whoever's step left it, and nobody waits for a reader."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from rookery.runner.border import current_plugin, run_guarded
from rookery.runner.output import RawOutput

Said = list[tuple[str, bool, str]]


@pytest.fixture
def pipes() -> Iterator[tuple[int, int, int, int]]:
    """Read and write end of a pretended standard output and standard error; the read ends go to the reader."""
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    yield out_read, out_write, err_read, err_write
    os.close(out_write)
    os.close(err_write)


async def test_each_step_is_named_while_tasks_take_turns(pipes: tuple[int, int, int, int]) -> None:
    """Two plugins that write alternately, without a line end and in the middle of their calls."""
    out_read, out_write, err_read, _ = pipes
    said: Said = []

    async def talk(name: str) -> None:
        for _ in range(2):
            os.write(out_write, name.encode())
            await trio.testing.wait_all_tasks_blocked()
            await trio.lowlevel.checkpoint()

    async with RawOutput((out_read, err_read), lambda *line: said.append(line)) as output:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_guarded, "a", talk, "a")
            nursery.start_soon(run_guarded, "b", talk, "b")
        output.take("b")

    assert "".join(text for owner, _, text in said if owner == "a") == "aa"
    assert "".join(text for owner, _, text in said if owner == "b") == "bb"


async def test_both_streams_are_told_apart(pipes: tuple[int, int, int, int]) -> None:
    """Standard error is marked."""
    out_read, out_write, err_read, err_write = pipes
    said: Said = []

    async with RawOutput((out_read, err_read), lambda *line: said.append(line)) as output:
        os.write(out_write, b"out\n")
        os.write(err_write, b"err\n")
        output.take("a")

    assert said == [("a", False, "out"), ("a", True, "err")]


async def test_a_full_pipe_is_relieved_while_the_loop_is_blocked(pipes: tuple[int, int, int, int]) -> None:
    """A step that writes more than the pipe holds ends, and the order of the bytes is kept."""
    out_read, out_write, err_read, _ = pipes
    said: Said = []

    async def shout() -> None:
        for number in range(20_000):  # 120 kB: more than the pipe, less than what the thread keeps
            os.write(out_write, b"%05d\n" % number)

    async with RawOutput((out_read, err_read), lambda *line: said.append(line)) as output:
        await run_guarded("a", shout)
        output.take("a")

    assert [text for _, _, text in said] == [f"{number:05}" for number in range(20_000)]
    assert {owner for owner, _, _ in said} == {"a"}


async def test_what_comes_while_nothing_runs_goes_to_who_ran_last(pipes: tuple[int, int, int, int]) -> None:
    """The thread pokes the loop; no timer looks."""
    out_read, out_write, err_read, _ = pipes
    arrived = trio.Event()
    said: Said = []

    def note(owner: str, is_error: bool, text: str) -> None:
        said.append((owner, is_error, text))
        arrived.set()

    async def nothing() -> None:
        pass

    async with RawOutput((out_read, err_read), note) as output:
        await run_guarded("a", nothing)
        output.take("a")
        os.write(out_write, b"late\n")
        with trio.fail_after(5.0):
            await arrived.wait()

    assert said == [("a", False, "late")]
    assert current_plugin.get() == ""


async def test_a_closed_pipe_is_not_looked_at_for_ever() -> None:
    """A plugin that closes descriptor 1 costs nobody a spinning thread."""
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    said: Said = []

    async with RawOutput((out_read, err_read), lambda *line: said.append(line)) as output:
        os.write(out_write, b"the end")
        os.close(out_write)
        output.take("a")
        os.write(err_write, b"still here\n")
        output.take("a")
        os.close(err_write)

    assert said == [("a", False, "the end"), ("a", True, "still here")]
