"""What is read of a runner's output pipes."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import trio

from rookery.supervisor.output import CHUNK_BYTES, REST_BYTES, TAIL_BYTES, OutputPipe


class Pipe:
    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        os.set_blocking(self.read_end, False)
        self.lines: list[bytes] = []
        self.output = OutputPipe(self.read_end, self.lines.append)

    def write(self, data: bytes) -> None:
        os.write(self.write_end, data)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()

    yield pipe

    os.close(pipe.read_end)
    os.close(pipe.write_end)


def test_the_rest_is_taken_without_waiting_for_an_end(pipe: Pipe) -> None:
    """Somebody may hold the write end for ever; an unended line is a line."""
    pipe.write(b"one\ntwo\nhalf")

    pipe.output.read_rest()
    pipe.output.read_rest()

    assert pipe.lines == [b"one\ntwo", b"half"]
    assert pipe.output.tail == "one\ntwo\nhalf"


async def test_lines_are_whole_however_they_arrive(pipe: Pipe) -> None:
    """A line that comes in two pieces is one line."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pipe.output.pump)
        pipe.write(b"first\nsec")
        await trio.testing.wait_all_tasks_blocked(0.01)
        pipe.write(b"ond\n")
        await trio.testing.wait_all_tasks_blocked(0.01)
        nursery.cancel_scope.cancel()

    assert pipe.lines == [b"first", b"second"]


async def test_pumping_ends_with_the_last_writer(pipe: Pipe) -> None:
    """The end of file, which a closed output is."""
    pipe.write(b"bye")
    os.dup2(pipe.read_end, pipe.write_end)  # the write end is closed, and the number stays ours to close

    with trio.fail_after(5):
        await pipe.output.pump()
    pipe.output.read_rest()

    assert pipe.lines == [b"bye"]


def test_memory_is_bounded_whatever_is_written(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line without an end passes in pieces, a writer without an end is left, and the tail is the last 64 KiB."""
    taken = 0

    def endless(descriptor: int, size: int) -> bytes:
        nonlocal taken
        taken += size
        return b"x" * size

    monkeypatch.setattr(os, "read", endless)

    pipe.output.read_rest()
    monkeypatch.undo()

    assert taken == REST_BYTES
    assert max(map(len, pipe.lines)) <= 2 * CHUNK_BYTES
    assert len(pipe.output.tail) == TAIL_BYTES


@pytest.mark.parametrize("pumped", [False, True], ids=["read here", "pumped by another"])
async def test_listening_ends_with_a_silence(pipe: Pipe, pumped: bool) -> None:
    """What comes in pieces is one answer; whoever pumps the pipe goes on."""
    async with trio.open_nursery() as nursery:
        if pumped:
            nursery.start_soon(pipe.output.pump)
            await trio.testing.wait_all_tasks_blocked()

        async def write() -> None:
            for piece in (b"one\n", b"two\n"):
                pipe.write(piece)
                await trio.testing.wait_all_tasks_blocked(0.005)

        nursery.start_soon(write)
        with trio.fail_after(5):
            await pipe.output.listen(1.0, 0.05)
        nursery.cancel_scope.cancel()

    assert pipe.output.tail == "one\ntwo\n"


async def test_listening_to_nothing_ends(pipe: Pipe) -> None:
    """Nobody waits longer than he said."""
    with trio.fail_after(5):
        await pipe.output.listen(0.01, 0.01)

    assert pipe.output.tail == ""


async def test_listening_ends_with_the_last_writer(pipe: Pipe) -> None:
    """A process that is gone says nothing more."""
    os.close(pipe.write_end)

    with trio.fail_after(5):
        await pipe.output.listen(3600, 3600)

    pipe.write_end = os.dup(pipe.read_end)  # for the fixture to close


def test_a_forgotten_tail_is_no_evidence(pipe: Pipe) -> None:
    """Stacks of a hang that passed do not explain a later death."""
    pipe.write(b"before\n")
    pipe.output.read_rest()
    pipe.output.forget_tail()
    pipe.write(b"after\n")

    pipe.output.read_rest()

    assert pipe.output.tail == "after\n"
