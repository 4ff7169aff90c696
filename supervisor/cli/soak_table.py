"""How does a person read a soak test: a line for each fault, and a summary whose last line is the verdict."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ..soak_rules import MIB
from .durations import seconds
from .run import count

if TYPE_CHECKING:
    from ..soak import SoakSummary
    from ..soak_faults import FaultTold
    from ..soak_rules import Slope

WIDTH = 28
"""Of what was done."""


def fault_line(told: FaultTold) -> str:
    """When, what, to whom, what came of it, and how soon it was over."""
    mark = "" if told.is_as_expected else "WRONG: "
    return (
        f"{told.at:7.1f} s  {told.kind.value:<{WIDTH}}{told.shard:<10}"
        f"{seconds(told.recovery):>7}  {mark}{told.outcome}"
    )


def soak_lines(summary: SoakSummary) -> list[str]:
    """The whole summary."""
    lines = [
        "",
        f"{'faults':<{WIDTH}}{'times':>6}{'recovery, half':>16}{'longest':>10}",
        *_kind_lines(summary),
    ]
    lines += ["", f"{'calls':<{WIDTH}}{'ok':>6}  failed"]
    for kind, endings in summary.calls.items():
        failed = ", ".join(f"{count} {ending}" for ending, count in endings.items() if ending != "ok")
        lines.append(f"{kind:<{WIDTH}}{endings.get('ok', 0):>6}  {failed or 'none'}")
    lines += [
        "",
        f"{'99 % of calls within':<{WIDTH}}{_ms(summary.p99_quiet_ms)}, of hurt shards {_ms(summary.p99_hurt_ms)}",
        f"{'largest lag of the host':<{WIDTH}}{_ms(summary.largest_lag_ms)}",
        f"{'slowest status':<{WIDTH}}{_ms(summary.largest_status_ms)}",
        f"{'suspicions without a fault':<{WIDTH}}{summary.suspicions}",
        *(_slope_line(name, slope, name in summary.growing) for name, slope in summary.slopes.items()),
        "",
        *(f"broken: {broken.describe()}" for broken in summary.broken),
        _verdict(summary),
    ]
    return lines


def _kind_lines(summary: SoakSummary) -> list[str]:
    times = Counter(told.kind for told in summary.faults)
    lines = []
    for kind, number in times.items():
        took = sorted(told.recovery for told in summary.faults if told.kind is kind)
        lines.append(
            f"{kind.value:<{WIDTH}}{number:>6}{seconds(took[len(took) // 2]):>16}{seconds(took[-1]):>10}"
        )
    return lines


def _slope_line(name: str, slope: Slope, is_growing: bool) -> str:
    scale, unit = (MIB, " MiB") if name == "memory" else (1, "")
    text = f"{slope.per_minute / scale:+.2f}{unit} a minute, {slope.growth / scale:+.1f}{unit} in all"
    text += f", scatter {slope.scatter / scale:.1f}{unit}, {slope.samples} samples"
    return f"{name:<{WIDTH}}{text}{'  GROWS' if is_growing else ''}"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"


def _verdict(summary: SoakSummary) -> str:
    early = "" if summary.is_complete else ", ended early"
    after = f"after {seconds(summary.seconds)} and {count(len(summary.faults), 'fault')}{early}, seed {summary.seed}"
    if summary.is_clean:
        return f"clean {after}"
    wrong = [f"{count(len(summary.broken), 'rule')} broken"] if summary.broken else []
    wrong += [f"{name} grow" if name.endswith("s") else f"{name} grows" for name in summary.growing]
    return f"NOT CLEAN {after}: {', '.join(wrong)}"
