"""A host that can be made late: embedded, under light traffic, told what to do on standard input, for `false_kills.py`.

Each line is an order and gets one line of JSON: `block SECONDS` makes the loop stand still with calls in flight; `look`
calls every runner and tells who serves, and what has happened to anybody so far.

    python benchmarks/late_host.py CONFIG
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections import Counter
from pathlib import Path

import trio

from rookery.supervisor import DispatchFailed, Supervisor, load_settings, open_supervisor
from rookery.supervisor.observers import RunnerDied, ShardMoved
from rookery.supervisor.shard_state import ShardState

PACE = 0.05
"""Seconds between two calls of each runner."""
REST = 2.0
"""Seconds that the longer calls take: some are always open."""
PATIENCE = 120.0


class LateHost:
    """What is done to it, and what came of that."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._counts: Counter[str] = Counter()

    def note(self, record: object) -> None:
        if isinstance(record, RunnerDied):
            self._counts["died"] += 1
        if isinstance(record, ShardMoved) and record.new in (ShardState.KILLING, ShardState.SUSPECT):
            self._counts[record.new.value] += 1

    async def call_on(self, shard: str, tool: str) -> None:
        """Call a runner for as long as the host runs."""
        while True:
            try:
                await self._supervisor.invoke(f"bench.{shard}", tool, timeout=PATIENCE)
            except DispatchFailed:
                self._counts["failed calls"] += 1
            await trio.sleep(PACE)

    async def obey(self, order: str) -> dict[str, object]:
        word, _, seconds = order.partition(" ")
        if word == "block":
            time.sleep(float(seconds))  # noqa: ASYNC251  # that is what it is for
            return {}
        shards = self._supervisor.shards
        for name in shards:
            await self._supervisor.invoke(f"bench.{name}", "now", timeout=PATIENCE)
        runners = {name: [shard.incarnation, shard.pid] for name, shard in shards.items()}
        return {"runners": runners, "counts": dict(self._counts)}


async def main(config: str) -> None:
    async with open_supervisor(load_settings(Path(config)), owns_process=True) as supervisor:
        late = LateHost(supervisor)
        supervisor.parts.observers.add(late.note)
        await supervisor.wait_ready()
        async with trio.open_nursery() as nursery:
            for shard in supervisor.shards:
                nursery.start_soon(late.call_on, shard, "now")
                nursery.start_soon(late.call_on, shard, "rest")
            while order := await trio.to_thread.run_sync(sys.stdin.readline):
                sys.stdout.write(json.dumps(await late.obey(order.strip())) + "\n")
                sys.stdout.flush()
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    logging.disable()
    trio.run(main, sys.argv[1])
