"""How fast can two Python processes answer each other at all? Microseconds a round trip: the unit R0.

A 1 KB message goes to a child process over an AF_UNIX socketpair and comes back, both ends trio `SocketStream`s that
do nothing else. Every rookery figure is divided by this number from the same run, because the machine's speed is in it.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import sys
import time

import trio

MESSAGE = b"x" * 1024


async def _echo(sock: socket.socket) -> None:
    async with trio.SocketStream(trio.socket.from_stdlib_socket(sock)) as stream:
        async for data in stream:
            await stream.send_all(data)


async def _measure(sock: socket.socket, rounds: int) -> list[float]:
    taken = []
    async with trio.SocketStream(trio.socket.from_stdlib_socket(sock)) as stream:
        for _ in range(rounds):
            start = time.perf_counter()
            await stream.send_all(MESSAGE)
            left = len(MESSAGE)
            while left:
                left -= len(await stream.receive_some(left))
            taken.append((time.perf_counter() - start) * 1e6)
    return taken


def round_trip_us(rounds: int = 3000) -> float:
    """The median round trip in microseconds."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()
        trio.run(_echo, theirs)
        os._exit(0)
    theirs.close()
    taken = trio.run(_measure, ours, rounds)
    os.waitpid(child, 0)
    return statistics.median(taken[rounds // 10 :])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3000)
    arguments = parser.parse_args()
    json.dump({"r0_us": round(round_trip_us(arguments.rounds), 2)}, sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
