"""Does a bot of ten thousand plugins work, and what does it grow by?

For each number of plugins and shards a host of its own, with real runners: how long until all are ready, what the host holds in
memory, what the runners hold that is theirs alone, how long an event takes to all handlers, one that a single handler wants, and
one call of a tool.

    python benchmarks/scale.py [--cells 100x4 10000x64 …] [--json OUT]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio
from figures import Goal, result, single, table, write_result

from rookery.protocol import build_message
from rookery.supervisor import Supervisor, load_settings, open_supervisor

if TYPE_CHECKING:
    from rookery.protocol import MessageMap

CELLS = ("100x4", "1000x4", "10000x4", "100x64", "1000x64", "10000x64")
PLUGIN = """
from rookery.runner import Plugin, event_handler, tool


class It(Plugin):
    @event_handler("on_message")
    async def sees(self) -> None:
        return None

    @event_handler("on_notice", users=("{name}",))
    async def notices(self) -> None:
        return None

    @tool("now")
    async def now(self) -> int:
        return 1
"""
PATIENCE = 900.0
EVENTS, CALLS = 7, 300


def write_bot(directory: Path, plugins: int, shards: int) -> Path:
    """Plugins ``bench.p0`` to the last, dealt out evenly."""
    text = '[rookery]\nname = "scale"\nplugin_dirs = ["plugins"]\nstate_dir = "state"\n'
    names = [f"p{number}" for number in range(plugins)]
    for name in names:
        folder = directory / "plugins" / name
        folder.mkdir(parents=True)
        (folder / "plugin.toml").write_text(f'[plugin]\nid = "bench.{name}"\nversion = "1.0.0"\n')
        (folder / "plugin.py").write_text(PLUGIN.replace("{name}", name))
    for shard in range(shards):
        own = [f"bench.{name}" for name in names[shard::shards]]
        text += f'[[shard]]\nname = "s{shard}"\nplugins = {own}\nqueue_limit = 20000\n'
        text += f"[shard.timeouts]\nhello = {PATIENCE}\nload = {PATIENCE}\nstart_max = {PATIENCE}\n"
        text += "[shard.limits]\nrss_soft = 0\nrss_hard = 0\n"
    path = directory / "rookery.toml"
    path.write_text(text)
    return path


def held_by(pid: int | str, what: str) -> float:
    """Megabytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024


def said(user: str = "ann", number: int = 0) -> MessageMap:
    return build_message(
        message_id=f"m{number}",
        platform="test",
        user_id=user,
        user_name=user,
        text="hello, who rolls some dice tonight?",
        timestamp=0.0,
    )


async def time_event(supervisor: Supervisor, event: str, message: MessageMap, wanted: int) -> float:
    """Milliseconds until the last handler has had it."""
    settled: list[Any] = []
    done = trio.Event()

    def note(outcome: Any) -> None:
        settled.append(outcome)
        if len(settled) == wanted:
            done.set()

    began = time.perf_counter()
    found = await supervisor.parts.events.dispatch(event, message, on_observer_settled=note)
    if found.observers != wanted:
        raise RuntimeError(f"{found.observers} handlers have the event, and not {wanted}")
    with trio.fail_after(PATIENCE):
        await done.wait()
    failed = [outcome for outcome in settled if not isinstance(outcome, dict)]
    if failed:
        raise RuntimeError(f"{len(failed)} of {wanted} failed: {failed[0]}")
    return (time.perf_counter() - began) * 1e3


async def measure(directory: Path, plugins: int, shards: int) -> dict[str, float]:
    """One cell, in this process."""
    settings = load_settings(write_bot(directory, plugins, shards))
    began = time.perf_counter()
    with trio.fail_after(PATIENCE):
        async with open_supervisor(settings) as supervisor:
            await supervisor.wait_ready()
            started = time.perf_counter() - began
            every = [
                await time_event(supervisor, "on_message", said(number=number), plugins)
                for number in range(EVENTS + 1)
            ]
            one, calls = [], []
            for number in range(CALLS):
                one.append(await time_event(supervisor, "on_notice", said("p7", number), 1))
                began = time.perf_counter()
                await supervisor.invoke("bench.p7", "now")
                calls.append((time.perf_counter() - began) * 1e3)
            runners = [shard.pid for shard in supervisor.status().shards]
            return {
                "start, s": started,
                "host, MB": held_by("self", "Rss"),
                "a runner, own MB": statistics.mean(held_by(pid, "Private") for pid in runners if pid),
                "event to all, ms": statistics.median(every[1:]),
                "event to one, ms": statistics.median(one),
                "call, ms": statistics.median(calls),
            }


def run_cell(cell: str) -> dict[str, float]:
    """The same in a process of its own, so that no cell holds what another has left."""
    command = [sys.executable, __file__, "--cell", cell]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=2 * PATIENCE)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def growth(cells: dict[str, dict[str, float]]) -> str:
    """A line for each cell, and what the most plugins cost against the fewest."""
    names = list(next(iter(cells.values())))
    lines = [f"{'plugins x shards':18}" + "".join(f"{name:>19}" for name in names)]
    lines += [
        f"{cell:18}" + "".join(f"{measured[name]:>19.3f}" for name in names)
        for cell, measured in cells.items()
    ]
    return "\n".join(lines) + "\n"


def judged(cells: dict[str, dict[str, float]]) -> dict[str, dict[str, Any]]:
    """Every number as a row; what must not grow with the number of plugins has a goal."""
    rows = {
        f"{cell}: {name}": single(value) for cell, found in cells.items() for name, value in found.items()
    }
    for shards in ("4", "64"):
        fewest, most = f"100x{shards}", f"10000x{shards}"
        if fewest in cells and most in cells:
            for name in ("event to one, ms", "call, ms"):
                ratio = cells[most][name] / cells[fewest][name]
                rows[f"{shards} shards: {name[:-4]}, 100 to 10,000"] = single(
                    ratio, Goal(limit=2.0, of="value")
                )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", nargs="+", default=CELLS, metavar="PLUGINSxSHARDS")
    parser.add_argument("--cell", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="where the result goes")
    arguments = parser.parse_args()
    if arguments.cell:
        plugins, _, shards = arguments.cell.partition("x")
        with tempfile.TemporaryDirectory(prefix="scale-", dir="/tmp") as directory:
            found = trio.run(measure, Path(directory), int(plugins), int(shards))
        sys.stdout.write(json.dumps(found))
        return
    cells = {}
    for cell in arguments.cells:
        cells[cell] = run_cell(cell)
        sys.stderr.write(f"{cell}: {cells[cell]}\n")
    rows = judged(cells)
    sys.stdout.write(growth(cells))
    sys.stdout.write(table({name: row for name, row in rows.items() if "goal" in row}))
    write_result(arguments.json, result(rows, cells=list(cells)))


if __name__ == "__main__":
    main()
