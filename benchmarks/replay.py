"""How many chat messages a second go through the whole bot? Messages/s, milliseconds to a reply, CPU µs a message.

Runs `rookery replay` on the example bot several times and reads the summary that it writes; the CPU time is that of
the command and all its children. The ping-pong of two idle processes is measured between the runs: `messages_per_r0` is
how many messages pass in the time of a thousand round trips of 1 KB. Then the same chat comes at half of the rate that was
reached, one message when it is due, whether those before it are answered or not: `half_reply_p99_ms`.

    python benchmarks/replay.py [--input FILE.jsonl] [--messages N] [--runs 5] [--json OUT]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from corpus import write_corpus
from pingpong import round_trip_us

CONFIG = Path(__file__).parent.parent / "examples" / "chatbot" / "rookery.toml"


PACED_RUNS = 3

GOALS = {"messages_per_second": (3000, "at least"), "half_reply_p99_ms": (20, "at most")}
"""Of the medians, on two processors and with nobody else on them."""


def run_once(config: Path, recording: Path, scratch: Path, rate: str = "max") -> dict[str, float]:
    """One replay; the figures of its summary and its CPU time.

    Args:
        rate: Messages a second.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    summary_file = scratch / "summary.json"
    command = [sys.executable, "-m", "rookery.supervisor.cli", "replay", str(config), str(recording)]
    command += ["--rate", rate, "--output", str(scratch / "replies.jsonl"), "--summary", str(summary_file)]
    done = subprocess.run(command, check=False, stdout=sys.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"the replay was not clean: exit {done.returncode}, see the lines above")
    summary = json.loads(summary_file.read_text())
    if summary["p50_ms"] is None:
        sys.exit("nothing in the recording was answered: there is no latency to measure")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    (scratch / "replies.jsonl").unlink()
    return {
        "messages_per_second": summary["accepted"] / summary["seconds"],
        "reply_p50_ms": summary["p50_ms"],
        "reply_p99_ms": summary["p99_ms"],
        "cpu_us_per_message": cpu / summary["accepted"] * 1e6,
        "r0_us": round_trip_us(1500),
    }


def measure(config: Path, recording: Path, runs: int) -> dict[str, Any]:
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        rows.extend(run_once(config, recording, Path(scratch)) for _ in range(runs + 1))
    rows = rows[1:]  # the first warms the file cache
    for row in rows:
        row["messages_per_r0"] = row["messages_per_second"] * row["r0_us"] / 1e6 * 1000
    figures = {name: _summary([row[name] for row in rows]) for name in rows[0]}
    figures |= _paced(config, recording, figures["messages_per_second"]["median"] / 2)
    machine = f"{platform.machine()}, {os.cpu_count()} CPUs, {platform.system()} {platform.release()}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return {"machine": machine, "python": python, "runs": runs, "figures": figures}


def _paced(config: Path, recording: Path, rate: float) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory() as scratch:
        rows = [run_once(config, recording, Path(scratch), f"{rate:.0f}") for _ in range(PACED_RUNS)]
    return {
        f"half_{name}": _summary([row[name] for row in rows])
        for name in ("messages_per_second", "reply_p50_ms", "reply_p99_ms")
    }


def _summary(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
    }


def _verdict(name: str, figure: dict[str, float]) -> str:
    if name not in GOALS:
        return ""
    limit, side = GOALS[name]
    holds = figure["median"] >= limit if side == "at least" else figure["median"] <= limit
    return f"  {side} {limit}: {'holds' if holds else 'MISSED'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--input", type=Path, help="a recording; without it a synthetic one is made")
    parser.add_argument("--messages", type=int, default=5000, help="how many the synthetic recording has")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path, help="where the result goes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        recording = arguments.input or Path(directory) / "corpus.jsonl"
        if arguments.input is None:
            write_corpus(recording, arguments.messages)
        result = measure(arguments.config, recording, arguments.runs)
    for name, figure in result["figures"].items():
        sys.stdout.write(
            f"{name:26} {figure['median']:>10.2f}  ({figure['min']:.2f} to {figure['max']:.2f}){_verdict(name, figure)}\n"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
