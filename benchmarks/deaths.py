"""How long until the death of a runner is known, its callers are told, and its shard serves again; and who else notices?

A host is embedded with two shards and real runners. One runner is killed with `kill -9` again and again, as soon as the
next one has answered: first while it is idle, then while it holds calls and others stream in. The other shard is called
all the time; its p99 while the first one burns is divided by its p99 in peace, under the same load, in the same run.
Every clock starts just before the kill.

Two controls of the same run tell the machine's part. A process of the same size, without a host, is killed and waited for:
the kernel alone. And the other shard is called while strangers start interpreters one after another and nobody dies: a
start costs processor time, whoever starts it.

    python benchmarks/deaths.py [--deaths 100] [--json OUT]
"""

from __future__ import annotations

import argparse
import logging
import os
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio
from figures import Goal, percentile, result, single, summary, table, write_result
from pingpong import round_trip_us
from small_bot import NEVER_GIVEN_UP, QUICK, write_bot

from rookery.supervisor import DispatchFailed, Supervisor, load_settings, open_supervisor
from rookery.supervisor.observers import ShardMoved

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

HELD = 16
"""Calls that have begun and never end, at each death under load."""
CALLERS = 4
"""Who call the burning shard all the time, under load."""
PACE = 0.005
"""Seconds between two calls of one caller, and of the bystander's."""
PATIENCE = 60.0

SAME_SIZE = "import trio, rookery.runner.start"
"""What a runner has loaded, without its life."""

KNOWN = Goal(limit=5.0)
TOLD = Goal(limit=100.0)
RECOVERED = Goal(limit=1000.0)
UNHARMED = Goal(limit=2.0, of="value")
NONE_LOST = Goal(limit=0, of="value")


class Burner:
    """The shard that is killed: when it passed which row of the table of states, and what became of its calls."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.shard = supervisor.shards["burner"]
        self.passed: dict[str, float] = {}
        supervisor.parts.observers.add(self.note)

    def note(self, record: object) -> None:
        if isinstance(record, ShardMoved) and record.shard == "burner":
            self.passed[record.transition] = time.perf_counter()

    async def call(self, tool: str) -> Any:
        return await self.supervisor.invoke("bench.burner", tool, timeout=PATIENCE)

    async def _hold(self, told: list[float]) -> None:
        try:
            await self.call("hold")
        except DispatchFailed as failure:
            told.append(time.perf_counter())
            if not failure.maybe_executed:
                raise  # it had begun

    async def die(self, held: int) -> dict[str, float]:
        """Kill it and wait until it works again; milliseconds."""
        told: list[float] = []
        async with trio.open_nursery() as nursery:
            for _ in range(held):
                nursery.start_soon(self._hold, told)
            while await self.call("count_held") < held:  # the runner alone knows
                await trio.lowlevel.checkpoint()
            assert self.shard.pid is not None
            self.passed.clear()
            before = time.perf_counter()
            os.kill(self.shard.pid, signal.SIGKILL)
        await self.call("now")
        while "T9" not in self.passed:  # one that was on its way back when it was killed
            await self.call("now")
        serving = time.perf_counter()
        passed = self.passed
        found = {
            "known": passed["T18"] - before,
            "serving": serving - before,
            "start": passed["T5"] - passed["T3"],
            "load": passed["T9"] - passed["T5"],
        }
        found["recovery"] = found["serving"] - found["load"]
        if held:
            found["told"] = max(told) - before
        return {name: seconds * 1e3 for name, seconds in found.items()}


class Bystander:
    """The shard that nothing is done to, and how long its calls take."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self.taken: list[float] = []
        """Milliseconds; put another list here for another phase."""
        self.lost = 0

    async def run(self) -> None:
        while True:
            taken, before = self.taken, time.perf_counter()
            try:
                await self._supervisor.invoke("bench.bystander", "now", timeout=PATIENCE)
            except DispatchFailed:
                self.lost += 1
            else:
                taken.append((time.perf_counter() - before) * 1e3)
            await trio.sleep(PACE)


def death_of_nobody() -> float:
    """Milliseconds from the kill of a process of the same size to its pidfd, which is all that is waited for."""
    code = f"{SAME_SIZE}\nimport time\nprint(flush=True)\ntime.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        pidfd = os.pidfd_open(process.pid)
        before = time.perf_counter()
        process.kill()
        select.select([pidfd], [], [])
        after = time.perf_counter()
        os.close(pidfd)
    return (after - before) * 1e3


class ShareOfOthers:
    """The part of all processors that neither this process nor what it has started and reaped has used, since then."""

    def __init__(self) -> None:
        self._at, self._busy, self._own = time.monotonic(), *self._used()

    @staticmethod
    def _used() -> tuple[float, float]:
        user, nice, system, _, _, irq, soft_irq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
        own = os.times()
        busy = (user + nice + system + irq + soft_irq + steal) / os.sysconf("SC_CLK_TCK")
        return busy, sum(own[:4])

    def look(self) -> float:
        busy, own = self._used()
        seconds = (time.monotonic() - self._at) * (os.cpu_count() or 1)
        return max(0.0, busy - self._busy - (own - self._own)) / seconds


@contextmanager
def starting_strangers() -> Iterator[None]:
    """Somebody else starts interpreters, one after another, for as long as the block runs."""
    again = "import signal, subprocess, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit())\n"
    again += f"while True: subprocess.run([sys.executable, '-c', {SAME_SIZE!r}])"
    with subprocess.Popen([sys.executable, "-c", again]) as process:
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)


@asynccontextmanager
async def traffic(burner: Burner, callers: int) -> AsyncIterator[None]:
    """Call the shard from so many sides for as long as the block runs; what its deaths cost them is no news here."""

    async def call_on() -> None:
        while True:
            try:
                await burner.call("now")
            except DispatchFailed:
                pass
            await trio.sleep(PACE)

    async with trio.open_nursery() as nursery:
        for _ in range(callers):
            nursery.start_soon(call_on)
        yield
        nursery.cancel_scope.cancel()


async def burn(
    name: str, burner: Burner, bystander: Bystander, *, deaths: int, peace: float, callers: int, held: int
) -> dict[str, dict[str, Any]]:
    """Peace, strangers, deaths, strangers, peace; the rows."""
    in_peace: list[float] = []
    beside_strangers: list[float] = []
    beside_deaths: list[float] = []
    async with traffic(burner, callers):
        bystander.taken = in_peace
        await trio.sleep(peace / 2)
        await _beside_strangers(bystander, beside_strangers, peace / 2)
        bystander.taken = beside_deaths
        found = [await burner.die(held) for _ in range(deaths)]
        await _beside_strangers(bystander, beside_strangers, peace / 2)
        bystander.taken = in_peace
        await trio.sleep(peace / 2)
    rows = {"death to known, ms": summary([one["known"] for one in found], KNOWN)}
    if held:
        rows["death to all callers told, ms"] = summary([one["told"] for one in found], TOLD)
    p99 = percentile(beside_deaths, 0.99)
    rows |= {
        "death to serving again, ms": summary([one["serving"] for one in found]),
        "  the same without loading, ms": summary([one["recovery"] for one in found], RECOVERED),
        "  of it, process to hello, ms": summary([one["start"] for one in found]),
        "  loading, ms": summary([one["load"] for one in found]),
        "bystander in peace, ms": summary(in_peace),
        "bystander beside strangers, ms": summary(beside_strangers),
        "bystander beside deaths, ms": summary(beside_deaths),
        "bystander p99, deaths to peace": single(p99 / percentile(in_peace, 0.99), UNHARMED),
        "bystander p99, deaths to strangers": single(p99 / percentile(beside_strangers, 0.99)),
    }
    return {f"{name}: {what}": row for what, row in rows.items()}


async def _beside_strangers(bystander: Bystander, taken: list[float], seconds: float) -> None:
    with starting_strangers():
        bystander.taken = taken
        await trio.sleep(seconds)
        bystander.taken = []  # their end is waited for in the loop


async def measure(config: Path, deaths: int, peace: float) -> dict[str, dict[str, Any]]:
    async with open_supervisor(load_settings(config), owns_process=True) as supervisor:
        await supervisor.wait_ready()
        burner, bystander = Burner(supervisor), Bystander(supervisor)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bystander.run)
            rows = await burn("idle", burner, bystander, deaths=deaths, peace=peace, callers=0, held=0)
            rows |= await burn(
                "load", burner, bystander, deaths=deaths, peace=peace, callers=CALLERS, held=HELD
            )
            nursery.cancel_scope.cancel()
        assert supervisor.shards["bystander"].incarnation == 1
        rows["bystander: lost calls"] = single(bystander.lost, NONE_LOST)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deaths", type=int, default=100, help="how many of each kind")
    parser.add_argument(
        "--peace",
        type=float,
        default=20.0,
        help="seconds without deaths, and as many beside strangers, for each kind",
    )
    parser.add_argument("--json", type=Path, help="where the result goes")
    arguments = parser.parse_args()
    logging.disable()  # each death is reported, and the terminal would be measured as well
    kernel = [death_of_nobody() for _ in range(arguments.deaths // 2)]
    r0 = round_trip_us(1500)
    others = ShareOfOthers()
    with tempfile.TemporaryDirectory() as directory:
        config = write_bot(
            Path(directory),
            {"burner": QUICK, "bystander": QUICK},
            shard_more=NEVER_GIVEN_UP,
            group_more="start_stagger = 0.0",
        )
        rows = trio.run(measure, config, arguments.deaths, arguments.peace)
    share = others.look()
    kernel += [death_of_nobody() for _ in range(arguments.deaths // 2)]
    r0 = (r0 + round_trip_us(1500)) / 2
    rows["kernel: death to pidfd, no host, ms"] = summary(kernel)
    for kind in ("idle", "load"):
        known = rows[f"{kind}: death to known, ms"]
        rows[f"{kind}: known, median to the kernel's"] = single(known["median"] / statistics.median(kernel))
        rows[f"{kind}: known, median in R0"] = single(known["median"] * 1e3 / r0)
    rows["R0, us"] = single(r0)
    rows["part of the CPUs that others used"] = single(share)
    sys.stdout.write(table(rows))
    write_result(arguments.json, result(rows, deaths=arguments.deaths, held=HELD, callers=CALLERS))


if __name__ == "__main__":
    main()
