"""What is the same for every peer: the message, the handler, the two cases, and how a driver is asked for figures.

A driver is a program of its own, because it runs in its peer's environment. It is started as `drive_X.py DIRECTORY
[VARIANT]`, writes one line of JSON when it is ready (its peer's version among it), then gets one line for each case and
writes one line of figures:

    {"case": "round_trip", "seconds": 1.0}   →  {"calls": 9000, "seconds": 1.0, "p50_us": 101.2, "p99_us": 160.0}
    {"case": "throughput", "seconds": 1.0}   →  {"calls": 12000, "seconds": 1.0}

It ends when its standard input does. This file needs nothing but the standard library.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import platform
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

IN_FLIGHT = 64
WARM_UP = 300
"""Calls before a driver says that it is ready."""
MESSAGE: dict[str, Any] = json.loads((Path(__file__).parent / "message.json").read_text("utf-8"))


def answer(message: dict[str, Any]) -> dict[str, Any]:
    """The trivial handler: a small map."""
    return {"ok": True, "seen": message["message_id"]}


def check(answered: object) -> None:
    """A peer whose calls do not work would be very quick.

    Raises:
        SystemExit: It is not what the handler answers.
    """
    if answered != answer(MESSAGE):
        sys.exit(f"the peer answered {answered!r}, expected {answer(MESSAGE)!r}")


# --- the talk with whoever asks -------------------------------------------------------------------------------------


class Asked:
    """The orders on standard input, and standard output kept for the answers: what the peer prints goes to stderr."""

    def __init__(self) -> None:
        self._answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def ready(self, version: str) -> None:
        """Say that cases may come."""
        runtime = f"{platform.python_implementation()} {platform.python_version()}"
        self.tell({"ready": True, "version": version, "runtime": runtime})

    def order(self) -> tuple[str, float] | None:
        """The next case and its seconds; ``None`` at the end. Blocks."""
        line = sys.stdin.readline()
        if not line:
            return None
        asked = json.loads(line)
        return asked["case"], float(asked["seconds"])

    def tell(self, figures: dict[str, Any]) -> None:
        self._answers.write(json.dumps(figures) + "\n")
        self._answers.flush()


def drive(
    version: str, round_trip: Callable[[float], list[float]], throughput: Callable[[float], int]
) -> None:
    """Answer orders until there are no more.

    Args:
        round_trip: Makes calls one after the other for so many seconds; the microseconds that each took.
        throughput: Keeps 64 calls in flight for so many seconds; how many were answered.
    """
    asked = Asked()
    asked.ready(version)
    while (order := asked.order()) is not None:
        case, seconds = order
        start = time.perf_counter()
        figures = latency(round_trip(seconds)) if case == "round_trip" else {"calls": throughput(seconds)}
        asked.tell(figures | {"seconds": time.perf_counter() - start})


def latency(taken: list[float]) -> dict[str, Any]:
    """The figures of calls that followed each other."""
    ordered = sorted(taken)
    p50, p99 = (ordered[math.ceil(share * len(ordered)) - 1] for share in (0.5, 0.99))
    return {"calls": len(ordered), "p50_us": round(p50, 3), "p99_us": round(p99, 3)}


# --- the two cases, for calls that block ----------------------------------------------------------------------------


def one_after_the_other(call: Callable[[], object], seconds: float) -> list[float]:
    """The microseconds of each call; at least one."""
    taken: list[float] = []
    start = before = time.perf_counter()
    while before - start < seconds or not taken:
        call()
        after = time.perf_counter()
        taken.append((after - before) * 1e6)
        before = after
    return taken


def from_threads(calls: list[Callable[[], object]], seconds: float) -> int:
    """How many were answered when each of these is called again and again in a thread of its own.

    Raises:
        SystemExit: One of them failed.
    """
    counts: list[int] = []

    def repeat(call: Callable[[], object]) -> None:
        counts.append(len(one_after_the_other(call, seconds)))  # a thread that raises adds nothing

    threads = [threading.Thread(target=repeat, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(counts) != len(calls):
        sys.exit(f"{len(calls) - len(counts)} of {len(calls)} threads failed, see above")
    return sum(counts)


# --- the two cases, for asyncio -------------------------------------------------------------------------------------


class Loop:
    """An event loop that runs a case at a time and rests in between."""

    def __init__(self, runner: asyncio.Runner, call: Callable[[], Awaitable[object]]) -> None:
        self._runner = runner
        self._call = call
        runner.run(self._warm_up())

    async def _warm_up(self) -> None:
        for _ in range(WARM_UP):
            check(await self._call())

    def round_trip(self, seconds: float) -> list[float]:
        return self._runner.run(self._one_after_the_other(seconds))

    def throughput(self, seconds: float) -> int:
        return self._runner.run(self._in_flight(seconds))

    async def _one_after_the_other(self, seconds: float) -> list[float]:
        taken: list[float] = []
        start = before = time.perf_counter()
        while before - start < seconds or not taken:
            await self._call()
            after = time.perf_counter()
            taken.append((after - before) * 1e6)
            before = after
        return taken

    async def _in_flight(self, seconds: float) -> int:
        async with asyncio.TaskGroup() as group:
            callers = [group.create_task(self._one_after_the_other(seconds)) for _ in range(IN_FLIGHT)]
        return sum(len(caller.result()) for caller in callers)


# --- the other process ----------------------------------------------------------------------------------------------


def start_worker(*arguments: str) -> subprocess.Popen[bytes]:
    """This same program again, as ``worker ARGUMENT…``; returns when it has called ``say_serving``."""
    command = [sys.executable, sys.argv[0], "worker", *arguments]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert worker.stdout is not None
    if not worker.stdout.readline():
        sys.exit(f"the worker ended before it served, exit {worker.wait()}, see above")
    return worker


def worker_arguments() -> list[str] | None:
    """What this process serves with; ``None`` when it is the host."""
    return sys.argv[2:] if sys.argv[1:2] == ["worker"] else None


def say_serving() -> None:
    """Tell the host; from now on this process ends with it."""
    os.write(1, b"serving\n")
    threading.Thread(target=_end_with_the_host, daemon=True).start()


def _end_with_the_host() -> None:
    while os.read(0, 1):  # nothing is ever sent: it blocks until the host has closed its end, or died
        pass
    os._exit(0)


def scratch() -> Path:
    """An empty directory with a short path, removed by whoever started this driver."""
    return Path(sys.argv[1])


def variant() -> str:
    """Which of the peer's ways is meant; empty for its only one."""
    return sys.argv[2] if len(sys.argv) > 2 else ""


def warm_up(call: Callable[[], object]) -> None:
    for _ in range(WARM_UP):
        check(call())
