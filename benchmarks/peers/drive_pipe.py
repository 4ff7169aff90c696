"""How is a `multiprocessing.Pipe` driven from an event loop? A thread of an executor waits for each answer.

The pipe knows no ids: one call is on it at a time, and the others wait in the executor's queue.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import platform
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from course import MESSAGE, Loop, answer, drive

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


def serve(pipe: Connection[Any, Any]) -> None:
    while True:
        try:
            message = pipe.recv()
        except EOFError:
            return
        pipe.send(answer(message))


def main() -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    worker = context.Process(target=serve, args=(theirs,), daemon=True)
    worker.start()
    theirs.close()

    def ask() -> object:
        ours.send(MESSAGE)
        return ours.recv()

    with ThreadPoolExecutor(max_workers=1) as thread, asyncio.Runner() as runner:
        loop = runner.get_loop()
        driven = Loop(runner, lambda: loop.run_in_executor(thread, ask))
        drive(f"Python {platform.python_version()}", driven.round_trip, driven.throughput)
    ours.close()
    worker.join()


if __name__ == "__main__":
    main()
