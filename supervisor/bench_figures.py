"""How do measurements become figures: a value, its ratio to the unit, how far both are to be believed, and a goal?

A case is measured once in each repetition, and so is the unit. Others who use the machine only ever make a repetition
worse: what is shown is the quartile on the good side, of figure and unit alike. The band is all repetitions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence


GOOD_SHARE = 0.25


@attrs.frozen(kw_only=True)
class Goal:
    """What a figure is to be, in the ratio where it has one, else in its value."""

    must: float
    aim: float


@attrs.frozen(kw_only=True)
class Figure:
    """One row of a result."""

    name: str
    unit: str
    is_larger_better: bool = False
    value: float | None = None
    """None when it could not be measured; `reason` says why."""
    low: float | None = None
    high: float | None = None
    """The least and the largest of the repetitions."""
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    of: str = ""
    """What the ratio is to: ``R0``, ``R``, or in words."""
    repetitions: int = 0
    must: float | None = None
    aim: float | None = None
    reason: str = ""
    """Why it has no value, or is not judged."""
    is_of_machine: bool = False
    """It tells how fast the machine is, and is nobody's merit."""
    case: Mapping[str, Any] = attrs.Factory(dict)
    """What was measured, for programs; empty where the name says all."""

    @property
    def judged(self) -> float | None:
        """The number that a goal is about."""
        return self.value if self.ratio is None else self.ratio

    @property
    def holds(self) -> bool | None:
        """Whether its goal is kept; None without a goal or without a value."""
        return self._within(self.must)

    @property
    def is_aim_reached(self) -> bool | None:
        return self._within(self.aim)

    def _within(self, limit: float | None) -> bool | None:
        if limit is None or self.judged is None:
            return None
        return self.judged >= limit if self.is_larger_better else self.judged <= limit

    @property
    def verdict(self) -> str:
        """``holds``, ``missed``, or why neither."""
        if self.value is None:
            return "not measured"
        if self.holds is None:
            return ""
        return ("aim reached" if self.is_aim_reached else "holds") if self.holds else "missed"

    def as_json(self) -> dict[str, Any]:
        """A flat map; numbers of four digits."""
        found = {name: _rounded(value) for name, value in attrs.asdict(self).items()}
        return {**found, "holds": self.holds, "verdict": self.verdict}


def make_figure(
    name: str,
    unit: str,
    values: Sequence[float],
    *,
    value: float | None = None,
    ratios: Sequence[float] = (),
    ratio: float | None = None,
    of: str = "",
    goal: Goal | None = None,
    is_larger_better: bool = False,
    reason: str = "",
) -> Figure:
    """A row of what the repetitions gave.

    Args:
        values: One for each repetition; with none, the figure could not be measured, and `reason` says why.
        ratios: One for each repetition, or none.
        value, ratio: What is shown, when it is not the good one of those.
    """
    bare = Figure(
        name=name,
        unit=unit,
        is_larger_better=is_larger_better,
        must=None if goal is None else goal.must,
        aim=None if goal is None else goal.aim,
        of=of,
        reason=reason,
    )
    if not values:
        return bare
    measured = attrs.evolve(
        bare,
        value=good(values, is_larger_better=is_larger_better) if value is None else value,
        low=min(values),
        high=max(values),
        repetitions=len(values),
    )
    if not ratios:
        return measured
    if ratio is None:
        ratio = good(ratios, is_larger_better=is_larger_better)
    return attrs.evolve(measured, ratio=ratio, ratio_low=min(ratios), ratio_high=max(ratios))


def good(values: Sequence[float], *, is_larger_better: bool = False) -> float:
    """The quartile on the good side, as a nearest rank: the best of up to four, the second of up to eight."""
    ordered = sorted(values, reverse=is_larger_better)
    return ordered[math.ceil(len(ordered) * GOOD_SHARE) - 1]


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest rank: one of the values, never something between two of them.

    Args:
        share: 0.99 for the ninety-ninth.
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def shown_number(value: float | None) -> str:
    """As many digits as mean something."""
    if value is None:
        return ""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def _rounded(value: Any) -> Any:
    return float(f"{value:.4g}") if type(value) is float else value
