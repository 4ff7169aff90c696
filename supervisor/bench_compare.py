"""What moved between two results of `rookery bench`, beyond what either of them moves by itself?

A figure has moved when no repetition of one result reaches into those of the other, and the medians are further apart than
a margin. Few repetitions find each other's bands by chance: the margin is the larger, the fewer there are. Ratios are
compared where there are some, since another machine changes them less.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from enum import Enum
from typing import Any

import attrs

from .errors import UsageError

DISTURBED = 0.05
"""The part of the processors that others may use without being seen in the figures."""

LEAST_MARGIN = 0.05
MARGIN_OF_ONE = 0.35
"""Of a figure that was measured once; divided by the repetitions."""

SECTIONS = ("goals", "sweep", "open_loop")
NUMBERS = ("value", "low", "high", "ratio", "ratio_low", "ratio_high")


@attrs.frozen(kw_only=True)
class Band:
    """What is compared of one figure."""

    name: str
    middle: float
    low: float
    high: float
    repetitions: int
    is_larger_better: bool
    of: str
    """What it is a ratio to; "" when it is a value in `unit`."""
    unit: str


@attrs.frozen(kw_only=True)
class Result:
    """A result as it was written."""

    source: str
    machine: str
    python: str
    bands: Mapping[str, Band]
    moment: float = 0.0
    """Seconds for one case in one repetition; 0 where that is not known."""
    others: float = 0.0
    """Which part of the processors others used; 0 where that is not known."""


class Verdict(Enum):
    BETTER = "better"
    WORSE = "worse"
    SAME = "as before"


@attrs.frozen(kw_only=True)
class Move:
    """One figure in both results."""

    before: Band
    after: Band
    verdict: Verdict

    @property
    def change(self) -> float | None:
        """New by old; None when one of them is nothing, or less."""
        if self.before.middle <= 0 or self.after.middle <= 0:
            return None
        return self.after.middle / self.before.middle


@attrs.frozen(kw_only=True)
class Comparison:
    moves: tuple[Move, ...]
    remarks: tuple[str, ...]
    """What makes the two hard to compare, in sentences."""

    def of(self, verdict: Verdict) -> tuple[Move, ...]:
        return tuple(move for move in self.moves if move.verdict is verdict)


def compare(before: Result, after: Result) -> Comparison:
    """Judge every figure that both have."""
    both = [name for name in before.bands if name in after.bands]
    moves = tuple(_judge(before.bands[name], after.bands[name]) for name in both)
    remarks = []
    for what, old, new in (
        ("machine", before.machine, after.machine),
        ("interpreter", before.python, after.python),
    ):
        if old != new:
            remarks.append(f"another {what}: {old} then, {new} now; believe ratios at most")
    if before.moment != after.moment:
        told = f"{before.moment:g} s a case then, {after.moment:g} s now"
        remarks.append(f"{told}: measure both with the same options")
    remarks += [
        f"others used {result.others:.0%} of the CPUs in {result.source}: believe it with care"
        for result in (before, after)
        if result.others > DISTURBED
    ]
    remarks += [f"{name}: only in {before.source}" for name in before.bands.keys() - after.bands.keys()]
    return Comparison(moves=moves, remarks=tuple(sorted(remarks)))


def _judge(before: Band, after: Band) -> Move:
    verdict = Verdict.SAME
    margin = max(LEAST_MARGIN, MARGIN_OF_ONE / min(before.repetitions, after.repetitions))
    distance = after.middle - before.middle
    is_far = abs(distance) > margin * max(abs(before.middle), abs(after.middle))
    is_apart = after.low > before.high or after.high < before.low
    if before.of == after.of and is_far and is_apart:
        verdict = Verdict.BETTER if (distance > 0) is before.is_larger_better else Verdict.WORSE
    return Move(before=before, after=after, verdict=verdict)


# --- reading ---------------------------------------------------------------------------------------------------


def parse_result(text: str, source: str) -> Result:
    """Read a result that was written with ``--json``.

    Args:
        source: How the file is called.

    Raises:
        UsageError: It is none; says where.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise _wrong(
            source, f"line {error.lineno}, column {error.colno}", f"it is no JSON: {error.msg}"
        ) from None
    except RecursionError:
        raise _wrong(source, "", "it nests too deeply to be read") from None
    if type(document) is not dict or type(document.get("goals")) is not list:
        raise _wrong(source, "goals", "there is no list of that name")
    bands: dict[str, Band] = {}
    for section in SECTIONS:
        figures = document.get(section, [])
        if type(figures) is not list:
            raise _wrong(source, section, f"got {_kind(figures)}, expected a list")
        for place, figure in enumerate(figures):
            band = _parse_figure(figure, source, f"{section}[{place}]")
            if band is not None:
                bands[band.name] = band
    others, moment = document.get("others"), document.get("moment")
    return Result(
        source=source,
        moment=moment if type(moment) is float else 0.0,
        others=others if type(others) is float else 0.0,
        machine=str(document.get("machine", "unknown")),
        python=str(document.get("python", "unknown")),
        bands=bands,
    )


def _parse_figure(figure: Any, source: str, path: str) -> Band | None:
    """None for a figure that was not measured, or that is no merit of anybody's."""
    if type(figure) is not dict or type(figure.get("name")) is not str:
        raise _wrong(source, path, f"got {_kind(figure)}, expected a map with a name")
    numbers = {name: figure.get(name) for name in NUMBERS}
    for name, value in numbers.items():
        if value is not None and (type(value) not in (int, float) or not math.isfinite(value)):
            raise _wrong(source, f"{path}.{name}", f"got {_kind(value)}, expected a number or null")
    repetitions = figure.get("repetitions", 1)
    if type(repetitions) is not int or (repetitions < 1 and numbers["value"] is not None):
        raise _wrong(
            source, f"{path}.repetitions", f"got {_kind(repetitions)}, expected a whole number from 1 on"
        )
    if numbers["value"] is None or figure.get("is_of_machine") is True:
        return None
    prefix = "ratio" if numbers["ratio"] is not None else "value"
    middle = float(numbers[prefix] or 0)
    low, high = (
        ("ratio_low", "ratio_high") if prefix == "ratio" else ("low", "high")
    )  # absent in a figure that was measured once
    return Band(
        name=figure["name"],
        middle=middle,
        low=middle if numbers[low] is None else float(numbers[low] or 0),
        high=middle if numbers[high] is None else float(numbers[high] or 0),
        repetitions=repetitions,
        is_larger_better=figure.get("is_larger_better") is True,
        of=str(figure.get("of", "")) if prefix == "ratio" else "",
        unit=str(figure.get("unit", "")),
    )


def _kind(value: Any) -> str:
    names = {dict: "a map", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), f"{value!r}")


def _wrong(source: str, where: str, what: str) -> UsageError:
    place = f"{source}: {where}" if where else source
    return UsageError(
        f"{place}: {what}; give a file that `rookery bench --json` has written, whole and as it was"
    )
