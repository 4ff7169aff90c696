"""Does a host that was late itself kill runners that did nothing wrong?

Trials of three kinds, in each of several hosts side by side, each with two runners under light traffic: the host's loop
stands still for 5 s; the host's process is stopped by a signal for 20 s; the host, its runners and all the others share
the machine with four processes that do nothing but compute, for 10 s. Some seconds later, when every runner has been
judged by what was seen of it since, the same runners must be there and must answer. A false kill is a runner that is not,
or a move to KILLING. Suspicions that were given up are counted as well: they cost a pause.

    python benchmarks/false_kills.py [--trials 200] [--hosts 10] [--json OUT] [--quick]

`--quick` makes every wait short and shows only that the benchmark works: nothing is late enough to be judged.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import attrs
from figures import Goal, result, single, table, write_result
from small_bot import QUICK, write_bot

if TYPE_CHECKING:
    from collections.abc import Iterator

HOGS = 4
NONE = Goal(limit=0, of="value")


@attrs.frozen(kw_only=True)
class Waits:
    """Seconds."""

    blocked: float = 5.0
    stopped: float = 20.0
    hogged: float = 10.0
    judged: float = 5.0
    """After each trial: beyond the 3 s after which a runner without a beat is suspect."""


SHORT = Waits(blocked=0.5, stopped=0.5, hogged=0.5, judged=0.5)


class Host:
    """A process of ``late_host.py``, and what it said last."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        self._orders: IO[str] = process.stdin
        self._answers: IO[str] = process.stdout
        self.seen: dict[str, Any] = {}

    def order(self, text: str) -> None:
        self._orders.write(text + "\n")
        self._orders.flush()

    def answer(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            sys.exit("a host has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)


@contextmanager
def hosts(number: int) -> Iterator[list[Host]]:
    """So many, each with its own runners; all are up."""
    program = str(Path(__file__).with_name("late_host.py"))
    with ExitStack() as stack:
        started = []
        for _ in range(number):
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            config = write_bot(directory, {"one": QUICK, "two": QUICK})
            pipe = subprocess.PIPE
            process = subprocess.Popen(
                [sys.executable, program, str(config)],
                stdin=pipe,
                stdout=pipe,
                text=True,
                start_new_session=True,
            )
            stack.callback(_end, process)
            started.append(Host(process))
        look(started)
        yield started


def _end(process: subprocess.Popen[str]) -> None:
    """The end of its input ends it; a host in trouble is killed."""
    try:
        process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def look(watched: list[Host]) -> Counter[str]:
    """Have every runner called; what is new since the last look, over all hosts."""
    for host in watched:
        host.order("look")
    news: Counter[str] = Counter()
    for host in watched:
        before, host.seen = host.seen, host.answer()
        if before:
            news["others"] += sum(
                host.seen["runners"][name] != runner for name, runner in before["runners"].items()
            )
            news += Counter(host.seen["counts"]) - Counter(before["counts"])
    return news


@contextmanager
def hogs() -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(HOGS):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]))
            stack.callback(process.kill)
        yield


def make_late(kind: str, watched: list[Host], waits: Waits) -> None:
    """One trial in each of the hosts, at the same time."""
    if kind == "blocked":
        for host in watched:
            host.order(f"block {waits.blocked}")
        for host in watched:
            host.answer()
    elif kind == "stopped":
        for host in watched:
            host.signal(signal.SIGSTOP)
        time.sleep(waits.stopped)
        for host in watched:
            host.signal(signal.SIGCONT)
    else:
        with hogs():
            time.sleep(waits.hogged)
    time.sleep(waits.judged)


def run_trials(kind: str, rounds: int, watched: list[Host], waits: Waits) -> dict[str, dict[str, Any]]:
    """The rows of one kind."""
    news: Counter[str] = Counter()
    for _ in range(rounds):
        make_late(kind, watched, waits)
        news += look(watched)
    trials = rounds * len(watched)
    return {
        f"{kind}: trials": single(trials),
        f"{kind}: false kills": single(max(news["others"], news["killing"], news["died"]), NONE),
        f"{kind}: suspicions that were given up": single(news["suspect"]),
        f"{kind}: failed calls": single(news["failed calls"], NONE),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200, help="in all; two of five block, two of five stop")
    parser.add_argument("--hosts", type=int, default=10, help="so many trials are made at the same time")
    parser.add_argument("--json", type=Path, help="where the result goes")
    parser.add_argument("--quick", action="store_true", help="one short round of each kind in two hosts")
    arguments = parser.parse_args()
    number = 2 if arguments.quick else arguments.hosts
    waits = SHORT if arguments.quick else Waits()
    trials = 3 * number if arguments.quick else arguments.trials
    rounds = {
        kind: max(1, round(trials * share / number))
        for kind, share in (("blocked", 0.4), ("stopped", 0.4), ("hogged", 0.2))
    }
    rows: dict[str, dict[str, Any]] = {}
    begun = time.monotonic()
    with hosts(number) as watched:
        for kind, times in rounds.items():
            rows |= run_trials(kind, times, watched, waits)
    kills = sum(rows[f"{kind}: false kills"]["value"] for kind in rounds)
    rows["false kills in all"] = single(kills, NONE)
    split = ", ".join(f"{times} rounds {kind}" for kind, times in rounds.items())
    sys.stdout.write(table(rows))
    sys.stdout.write(
        f"{number} hosts of 2 runners side by side on {os.cpu_count()} CPUs: {split}; {time.monotonic() - begun:.0f} s\n"
    )
    write_result(arguments.json, result(rows, hosts=number, rounds=rounds, waits=attrs.asdict(waits)))


if __name__ == "__main__":
    main()
