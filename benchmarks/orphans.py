"""How long do the processes of a bot live on when its host is killed?

A real `rookery run`, with a runner for each thing that plugins do: nothing; hold the interpreter in a regular expression
or in a power of a large number, by turns; be stopped by a signal; have a child; have a daemon that has left for a session
of its own. The host is sent SIGKILL. Every process below it was found before, is watched by a pidfd, and is adopted by
this program when its parent has gone, so that none is missed, not even one that was started in between.

A daemon in a session of its own is out of the kernel's reach unless there are control groups: it is a row by itself. The
next host ends it as it starts, and that is measured too, from the start of its process.

    python benchmarks/orphans.py [--trials 40] [--json OUT]
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from figures import Goal, result, single, summary, table, write_result
from small_bot import write_bot

from rookery.supervisor.process_look import children_of, look_at
from rookery.supervisor.subreaper import be_subreaper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GOAL = 50.0
"""Milliseconds."""
PATIENCE = 60.0
LOCKS = {
    "a regular expression": 'import re; re.match("(a+)+$", "a" * 60 + "b")',
    "a power": "pow(3, 10**9)",
}
CHILD = 'subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(3600)"])'
DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        say("daemon")
        time.sleep(3600)
    os._exit(0)
os.wait()
"""
PLUGIN = """
import os, subprocess, sys, time
from pathlib import Path
from rookery.runner import Plugin


def say(name):
    path = Path(__file__).parents[2] / "pids" / name
    path.with_suffix(".new").write_text(str(os.getpid()))
    path.with_suffix(".new").rename(path)


class It(Plugin):
    async def on_load(self):
{before}
        say("{name}")
{after}
"""


def plugin(name: str, *, before: str = "pass", after: str = "pass") -> str:
    """A plugin that does one thing before it writes down its process, and another one afterwards."""
    indented = {
        key: "\n".join(f"        {line}" for line in code.strip().split("\n"))
        for key, code in (("before", before), ("after", after))
    }
    return PLUGIN.format(name=name, **indented)


def plugins(lock: str) -> dict[str, str]:
    return {
        "idle": plugin("idle"),
        "stopped": plugin("stopped"),
        "parent": plugin("parent", before=CHILD),
        "maker": plugin("maker", before=DAEMON),
        "locked": plugin("locked", after=lock),
    }


@contextmanager
def host(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A host by the command line; killed in the end, with whatever it had."""
    command = [sys.executable, "-m", "rookery.supervisor.cli", "run", str(config)]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(what: str, found: Callable[[], bool]) -> None:
    """Real processes on the real clock."""
    deadline = time.monotonic() + PATIENCE
    while not found():
        if time.monotonic() > deadline:
            sys.exit(f"{what}: not within {PATIENCE:g} s")
        time.sleep(0.005)


def read_pids(directory: Path, names: set[str]) -> dict[str, int]:
    """The processes of the plugins, as soon as each has written its own down."""
    wait_for("the plugins are loaded", lambda: names <= {path.name for path in directory.iterdir()})
    return {name: int((directory / name).read_text()) for name in names}


def below(pid: int) -> list[int]:
    """Everything that descends from a process."""
    found, waiting = [], [pid]
    while waiting:
        children = children_of(waiting.pop())
        found += children
        waiting += children
    return found


def lifetimes(host_process: subprocess.Popen[bytes], watched: dict[int, str]) -> dict[str, float]:
    """Kill the host; by name, the milliseconds until the last process of that name had gone."""
    with ExitStack() as stack:
        poller, names = select.poll(), {}
        for pid, name in watched.items():
            pidfd = os.pidfd_open(pid)
            stack.callback(os.close, pidfd)
            poller.register(pidfd, select.POLLIN)
            names[pidfd] = name
        last: dict[str, float] = {}
        host_process.kill()
        before = time.perf_counter()
        while names:
            ready = poller.poll(PATIENCE * 1e3)
            now = (time.perf_counter() - before) * 1e3
            if not ready:
                sys.exit(f"still there after {PATIENCE:g} s: {', '.join(names.values())}")
            for pidfd, _ in ready:
                poller.unregister(pidfd)
                last[names.pop(pidfd)] = now
    return last


def adopted() -> list[int]:
    """Our living children, after the dead ones were let go."""
    return [pid for pid in children_of(os.getpid()) if look_at(pid).state != "Z" or not _reaped(pid)]


def _reaped(pid: int) -> bool:
    return os.waitpid(pid, os.WNOHANG)[0] == pid


def trial(lock: str) -> dict[str, float]:
    """One host, killed once, and the one after it. By name, milliseconds."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        pids_directory = directory / "pids"
        pids_directory.mkdir()
        config = write_bot(
            directory, plugins(lock), timeouts="plugin_load = 50.0\nload = 60.0\nstart_max = 120.0"
        )
        with host(config) as process:
            pids = read_pids(pids_directory, {"idle", "stopped", "parent", "maker", "locked", "daemon"})
            os.kill(pids["stopped"], signal.SIGSTOP)
            wait_for("the runner is stopped", lambda: look_at(pids["stopped"]).state == "T")
            daemon = pids.pop("daemon")
            watched = {pid: "other" for pid in below(process.pid) if pid != daemon}
            watched |= {pid: each for each, pid in pids.items()}
            watched |= dict.fromkeys(below(pids["parent"]), "child")
            last = lifetimes(process, watched)
        unforeseen = [pid for pid in adopted() if pid != daemon]
        last["unforeseen"] = float(len(unforeseen))
        last["daemon left"] = float(look_at(daemon).state not in ("", "Z"))
        last["daemon, next host"] = _next_host(config, daemon)
        return last


def _next_host(config: Path, daemon: int) -> float:
    """Milliseconds from the start of the next host to the end of the daemon; it, and what it starts, is ended too."""
    if look_at(daemon).state in ("", "Z"):
        return 0.0
    pidfd = os.pidfd_open(daemon)
    before = time.perf_counter()
    with host(config):
        if not select.select([pidfd], [], [], PATIENCE)[0]:
            sys.exit("the next host does not end the daemon of the one before")
        taken = (time.perf_counter() - before) * 1e3
    os.close(pidfd)
    end_all()
    return taken


def end_all() -> None:
    """Nothing is left of a trial: what lives on is ended, and waited for."""

    def none_is_left() -> bool:
        left = adopted()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        return not left

    wait_for("everything has ended", none_is_left)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--json", type=Path, help="where the result goes")
    arguments = parser.parse_args()
    locks = list(LOCKS)
    found: list[dict[str, float]] = []
    with be_subreaper():
        for number in range(arguments.trials):
            found.append(trial(LOCKS[locks[number % 2]]))
            end_all()
    kinds = ("idle", "locked", "stopped", "parent", "child", "maker")
    rows = {f"{kind}, ms": summary([one[kind] for one in found], Goal(limit=GOAL)) for kind in kinds}
    last = [max(one[kind] for kind in (*kinds, "other") if kind in one) for one in found]
    rows["the last of all, ms"] = summary(last, Goal(limit=GOAL, of="max"))
    beyond = sum(moment > GOAL for moment in last) / len(last)
    rows[f"share of trials beyond {GOAL:g} ms"] = single(beyond, Goal(limit=0, of="value"))
    rows["processes that nobody had foreseen"] = single(sum(one["unforeseen"] for one in found))
    rows["daemons that outlived their host"] = single(sum(one["daemon left"] for one in found))
    rows["daemon, from the next host's start, ms"] = summary([one["daemon, next host"] for one in found])
    sys.stdout.write(table(rows))
    sys.stdout.write(
        "A daemon in a session of its own is ended with its host by a control group only, else by the next one.\n"
    )
    write_result(arguments.json, result(rows, trials=arguments.trials))


if __name__ == "__main__":
    main()
