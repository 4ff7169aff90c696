"""What does one call cost with rookery, and with others? The same message and handler for all, side by side, interleaved.

Each peer runs once in every repetition: its round trip with all its processes on one CPU, its throughput with 64 calls
in flight on all of them. What carries over to another machine are the ratios to R0, the raw ping-pong of the same run.

    python benchmarks/peers/compare_peers.py --install           # make the environments of those that pip installs
    python benchmarks/peers/compare_peers.py --json result.json
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from catalogue import DEFAULT_CACHE, PEERS, RAW, Absent, InstallFailed, Peer
from driven import Driver, DriverFailed

sys.path.append(str(Path(__file__).parents[1]))

from figures import percentile, result, summary, write_result

P50, P99, RATIO = "round trip p50, us", "round trip p99, us", "round trip p50, R0"
CPU_ALONE, CPU_MANY = "CPU a call alone, us", "CPU a call of 64, us"
SPAN_MANY = "time a call of 64, us"
BUSY = 0.05
"""Part of the CPUs that others used, from which on a run says that it was disturbed."""

Row = dict[str, float]


class Comparison:
    """Who runs, what was measured, and why the others were not.

    Attributes:
        rows: A row a repetition for each peer.
    """

    def __init__(self) -> None:
        self.rows: dict[str, list[Row]] = {}
        self.about: dict[str, dict[str, Any]] = {}
        self.skipped: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        self._drivers: dict[str, Driver] = {}
        self._strange, self._seconds = 0.0, 0.0

    def start(self, peers: list[Peer], cache: Path, stack: ExitStack) -> None:
        """Start the drivers of those that are there; the stack ends them."""
        for peer in peers:
            try:
                driver = Driver(peer.command(cache), peer.variant)
            except Absent as absent:
                self.skipped[peer.name] = str(absent)
            except DriverFailed as failure:
                self.failed[peer.name] = str(failure)
            else:
                stack.callback(driver.close)
                self._drivers[peer.name] = driver
                self.about[peer.name] = {
                    "version": driver.about["version"],
                    "runtime": driver.about["runtime"],
                }
                self.rows[peer.name] = []
                sys.stderr.write(f"{peer.name}: ready, {driver.about['version']}\n")

    def repeat(self, seconds: float, cpu: int, cpus: set[int]) -> None:
        """Both cases of everybody once."""
        now: dict[str, Row] = {name: {} for name in self._drivers}
        for name, row in now.items():
            if (found := self._ask(name, "round_trip", seconds, {cpu})) is not None:
                row[P50] = found["p50_us"]
                if name != RAW:
                    row |= {P99: found["p99_us"], CPU_ALONE: found["cpu_us"]}
        for name, row in now.items():
            found = None if name == RAW else self._ask(name, "throughput", seconds, cpus)
            if found is not None:
                row |= {SPAN_MANY: found["seconds"] / found["calls"] * 1e6, CPU_MANY: found["cpu_us"]}
        unit = now.get(RAW, {}).get(P50)
        for name, row in now.items():
            if name in self.failed:
                self.rows.pop(name, None)  # what it said before it failed is not to be believed either
                continue
            if unit and name != RAW:
                row[RATIO] = row[P50] / unit
            self.rows[name].append(row)

    def _ask(self, name: str, case: str, seconds: float, cpus: set[int]) -> dict[str, Any] | None:
        if name in self.failed:
            return None
        try:
            found = self._drivers[name].ask(case, seconds, cpus)
        except DriverFailed as failure:
            self.failed[name] = f"{case}: {failure}"
            return None
        if name != RAW:  # its processes are gone before their time can be read
            self._strange += found["others"]
            self._seconds += found["seconds"]
        return found

    def share_of_others(self) -> float:
        """The part of all CPUs that went to processes which were not being measured."""
        return self._strange / (self._seconds * (os.cpu_count() or 1)) if self._seconds else 0.0

    def figures(self) -> dict[str, dict[str, Any]]:
        """A row for each peer and figure, over the repetitions."""
        return {
            f"{name}: {figure}": summary([row[figure] for row in rows])
            for name, rows in self.rows.items()
            for figure in (rows[0] if rows else ())
        }

    def told_of(self, peer: Peer) -> dict[str, Any]:
        """What is kept of a peer: what it is, and what is shown of it, or why there is nothing to show."""
        about = {"how": peer.how, "spared": peer.spared, **self.about.get(peer.name, {})}
        for what, reasons in (("skipped", self.skipped), ("failed", self.failed)):
            if peer.name in reasons:
                return about | {what: reasons[peer.name]}
        return about | {"lower_quartiles": self.verdict(peer.name)}

    def range_of(self, name: str, figure: str) -> str:
        """The lowest and the highest of the repetitions."""
        values = [row[figure] for row in self.rows[name]]
        return f"({min(values):.2f} to {max(values):.2f})"

    def verdict(self, name: str) -> Row:
        """What is shown of a peer: of each figure the lower quartile, since noise only ever adds."""
        rows = self.rows[name]
        found = {figure: percentile([row[figure] for row in rows], 0.25) for figure in rows[0]}
        units = [row[P50] for row in self.rows.get(RAW, ())]
        if units and name != RAW:
            unit = percentile(units, 0.25)
            found |= {"round trip, R0": found[P50] / unit, "CPU of 64, R0": found[CPU_MANY] / unit}
        if SPAN_MANY in found:
            found["calls a second"] = 1e6 / found[SPAN_MANY]
        return {figure: round(value, 2) for figure, value in found.items()}


def table(peers: list[Peer], comparison: Comparison) -> str:
    """The peers side by side, then why some are missing, then what is compared."""
    lines = [
        f"{'':15}{'round trip':>25}{'p50':>9}{'p99':>9}{'64 in flight':>14}{'CPU a call, us':>19}{'of 64':>8}",
        f"{'':15}{'R0   (repetitions)':>25}{'us':>9}{'us':>9}{'calls/s':>14}{'alone':>11}{'of 64':>8}{'R0':>8}  version",
    ]
    lines += [_line(peer.name, comparison) for peer in peers if comparison.rows.get(peer.name)]
    for what, reasons in (("skipped", comparison.skipped), ("FAILED", comparison.failed)):
        lines += [f"{name:15}{what}: {reason}" for name, reason in reasons.items()]
    lines.append("\nhow each is called; what it was spared")
    lines += [f"{peer.name:15}{peer.how}; spared: {peer.spared}" for peer in peers]
    share = comparison.share_of_others()
    lines.append(f"\nothers used {share:.0%} of the CPUs meanwhile" + (": disturbed" if share > BUSY else ""))
    return "\n".join(lines) + "\n"


def _line(name: str, comparison: Comparison) -> str:
    found = comparison.verdict(name)

    def column(figure: str, width: int, digits: int = 1) -> str:
        return f"{found[figure]:>{width},.{digits}f}" if figure in found else " " * width

    spread = comparison.range_of(name, RATIO) if RATIO in found else ""
    line = f"{name:15}{column('round trip, R0', 8, 2)}{spread:>17}{column(P50, 9)}{column(P99, 9)}"
    line += f"{column('calls a second', 14, 0)}{column(CPU_ALONE, 11)}{column(CPU_MANY, 8)}"
    return f"{line}{column('CPU of 64, R0', 8, 2)}  {comparison.about[name]['version']}"


def install(peers: list[Peer], cache: Path) -> None:
    for peer in peers:
        try:
            if peer.install(cache):
                sys.stderr.write(f"{peer.name}: installed in {cache / peer.name}\n")
        except InstallFailed as failure:
            sys.stderr.write(f"{peer.name}: NOT installed: {failure}\n")


def chosen(names: str) -> list[Peer]:
    """The peers of a comma-separated list, and always the unit; all for an empty one."""
    known = {peer.name: peer for peer in PEERS}
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        sys.exit(f"unknown peer {', '.join(unknown)}; known are {', '.join(known)}")
    return [peer for peer in PEERS if not wanted or peer.name in (RAW, *wanted)]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", default="", help="a comma-separated list; all without it")
    parser.add_argument("--repetitions", type=int, default=7, help="of the whole round (default: 7)")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each case (default: 1)")
    parser.add_argument("--install", action="store_true", help="make the environments that are missing first")
    parser.add_argument(
        "--cache", type=Path, default=DEFAULT_CACHE, help="where the environments are (default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, help="where the result goes")
    arguments = parser.parse_args()
    if arguments.repetitions < 1 or arguments.seconds <= 0:
        parser.error("at least one repetition, and more than no seconds")
    return arguments


def main() -> None:
    arguments = _arguments()
    if sys.platform != "linux":
        sys.exit(
            "processor time and CPUs of whole process trees are read from Linux's /proc: this runs on Linux only"
        )
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))  # as Ctrl-C: whoever runs is ended
    peers = chosen(arguments.peers)
    if arguments.install:
        install(peers, arguments.cache)
    cpus = os.sched_getaffinity(0)
    comparison = Comparison()
    with ExitStack() as stack:
        comparison.start(peers, arguments.cache, stack)
        for count in range(1, arguments.repetitions + 1):
            sys.stderr.write(f"repetition {count} of {arguments.repetitions}\n")
            comparison.repeat(arguments.seconds, max(cpus), cpus)
    sys.stdout.write(table(peers, comparison))
    found = result(
        comparison.figures(),
        repetitions=arguments.repetitions,
        seconds=arguments.seconds,
        part_of_the_cpus_that_others_used=round(comparison.share_of_others(), 4),
        peers={peer.name: comparison.told_of(peer) for peer in peers},
    )
    write_result(arguments.json, found)
    if comparison.failed:
        sys.exit(f"failed: {', '.join(comparison.failed)}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; everything that was started has ended\n")
        sys.exit(128 + signal.SIGINT)
