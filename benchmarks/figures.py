"""How are figures gathered, judged by their goals and shown? Nearest-rank percentiles, one row a figure."""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@attrs.frozen(kw_only=True)
class Goal:
    """What a figure is to be at most."""

    limit: float
    of: str = "p99"
    """Which number of the row: ``median``, ``p99``, ``max`` or ``value``."""


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest rank: one of the values, never something between two of them.

    Args:
        share: 0.99 for the ninety-ninth.
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def summary(values: Sequence[float], goal: Goal | None = None) -> dict[str, Any]:
    """A row of many measurements."""
    row: dict[str, Any] = {
        "median": round(statistics.median(values), 3),
        "p99": round(percentile(values, 0.99), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
        "measured": len(values),
    }
    return _judged(row, goal)


def single(value: float, goal: Goal | None = None) -> dict[str, Any]:
    """A row of one number: a count, a share, a ratio."""
    return _judged({"value": round(value, 4)}, goal)


def _judged(row: dict[str, Any], goal: Goal | None) -> dict[str, Any]:
    if goal is not None:
        row["goal"] = f"{goal.of} <= {goal.limit:g}"
        row["holds"] = row[goal.of] <= goal.limit
    return row


def result(figures: dict[str, dict[str, Any]], **more: Any) -> dict[str, Any]:
    """What is written to a file: where it was measured, and what."""
    machine = f"{platform.machine()}, {os.cpu_count()} CPUs, {platform.system()} {platform.release()}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return {"machine": machine, "python": python, **more, "figures": figures}


def table(figures: dict[str, dict[str, Any]]) -> str:
    """Every row, with its goal and whether it holds."""
    lines = [f"{'':40}{'median':>10}{'p99':>10}{'max':>10}{'of':>8}  goal"]
    for name, row in figures.items():
        if "value" in row:
            text = f"{name:40}{row['value']:>10.2f}{'':28}"
        else:
            text = (
                f"{name:40}{row['median']:>10.2f}{row['p99']:>10.2f}{row['max']:>10.2f}{row['measured']:>8}"
            )
        if "goal" in row:
            text += f"  {row['goal']}: {'holds' if row['holds'] else 'MISSED'}"
        lines.append(text.rstrip())
    return "\n".join(lines) + "\n"


def write_result(path: Path | None, found: dict[str, Any]) -> None:
    """Write it where it was asked for."""
    if path is not None:
        path.write_text(json.dumps(found, indent=2) + "\n")
