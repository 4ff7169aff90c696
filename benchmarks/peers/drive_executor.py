"""How is a `ProcessPoolExecutor` of one process driven from an event loop? By `run_in_executor`, 64 calls queued."""

from __future__ import annotations

import asyncio
import multiprocessing
import platform
from concurrent.futures import ProcessPoolExecutor

from course import MESSAGE, Loop, answer, drive


def main() -> None:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as pool, asyncio.Runner() as runner:
        loop = runner.get_loop()
        driven = Loop(runner, lambda: loop.run_in_executor(pool, answer, MESSAGE))
        drive(f"Python {platform.python_version()}", driven.round_trip, driven.throughput)


if __name__ == "__main__":
    main()
