"""How fast can two Python processes answer each other at all? Microseconds a round trip: the unit R0.

A message goes to another process over an AF_UNIX socketpair and comes back, both ends trio `SocketStream`s that do
nothing else. Every other figure is divided by this one from the same run, because the machine's speed is in it.

Run as a program, it answers lines of standard input, ``ROUNDS BYTES``, with the median in microseconds: so a host can
measure it beside its own work, and not in its own loop.
"""

from __future__ import annotations

import os
import socket
import statistics
import sys
import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import trio

from rookery.protocol import RookeryError

from .process_look import children_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

COMMAND = (sys.executable, "-P", "-m", "rookery.supervisor.bench_unit")

WARM_UP = 10
"""One of so many rounds is not counted."""

PATIENCE = 5.0
"""Seconds for the program to end."""


async def _echo(sock: socket.socket) -> None:
    async with trio.SocketStream(trio.socket.from_stdlib_socket(sock)) as stream:
        async for data in stream:
            await stream.send_all(data)


async def _exchange(sock: socket.socket, rounds: int, size: int) -> list[float]:
    message, taken = b"x" * size, []
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
    for _ in range(rounds):
        start = time.perf_counter()
        await stream.send_all(message)
        left = size
        while left:
            left -= len(await stream.receive_some(left))
        taken.append((time.perf_counter() - start) * 1e6)
    return taken


@contextmanager
def _echo_process() -> Iterator[socket.socket]:
    """A socket to a child that sends everything back. Not from inside a loop: the child begins one of its own."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()
        trio.run(_echo, theirs)
        os._exit(0)
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        os.waitpid(child, 0)


def _median_us(sock: socket.socket, rounds: int, size: int) -> float:
    with sock.dup() as own:
        taken = trio.run(_exchange, own, rounds, size)
    return statistics.median(taken[rounds // WARM_UP :])


def round_trip_us(rounds: int = 3000, size: int = 1024) -> float:
    """The median round trip in microseconds."""
    with _echo_process() as sock:
        return _median_us(sock, rounds, size)


class Unit:
    """The program of this file, running."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process

    @property
    def pids(self) -> list[int]:
        """Its processes: both ends of the round trip."""
        return [self._process.pid, *children_of(self._process.pid)]

    async def round_trip_us(self, rounds: int, size: int) -> float:
        """Measure now, and wait for it."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        await stdin.send_all(f"{rounds} {size}\n".encode())
        answer = b""
        while not answer.endswith(b"\n"):
            data = await stdout.receive_some()
            if not data:
                raise RookeryError(
                    "the process that measures bare round trips has ended; start the benchmark again"
                )
            answer += data
        return float(answer)


@asynccontextmanager
async def open_unit() -> AsyncIterator[Unit]:
    """Run the program for as long as the block runs."""
    # A session of its own: Ctrl-C is the host's.
    process = await trio.lowlevel.open_process([*COMMAND], stdin=-1, stdout=-1, start_new_session=True)
    try:
        yield Unit(process)
    finally:
        with trio.CancelScope(shield=True):
            await _end(process)


async def _end(process: trio.Process) -> None:
    """It ends with its input, and its child with the socket between them."""
    assert process.stdin is not None
    assert process.stdout is not None
    await process.stdin.aclose()
    with trio.move_on_after(PATIENCE):
        await process.wait()
    process.kill()  # nothing happens when it has ended
    await process.wait()
    await process.stdout.aclose()


def main() -> None:
    """Answer until standard input ends."""
    with _echo_process() as sock:
        for line in sys.stdin:
            rounds, size = map(int, line.split())
            sys.stdout.write(f"{_median_us(sock, rounds, size):.3f}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
