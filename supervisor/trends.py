"""How do counts of hours become what a plugin is shown: a series of days or hours by name, or the parts of a whole?

Days are those of UTC. A series has a value for each point of time, 0 where there was nothing, and names the largest keys only;
the total counts all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

HOUR = 3600
DAY = 24 * HOUR

Count = tuple[int, str, float]
"""The hour, what was counted, how much."""


@attrs.frozen(kw_only=True)
class Window:
    """The time that is asked for: so many days up to now, today included."""

    now: float
    """Unix seconds."""
    days: int
    step: int
    """Seconds of one point of time: an hour or a day."""

    @property
    def points(self) -> list[int]:
        """Where each begins, in Unix seconds."""
        last = int(self.now // self.step) * self.step
        return list(range(last - (self.count - 1) * self.step, last + 1, self.step))

    @property
    def count(self) -> int:
        return self.days * DAY // self.step

    @property
    def first_hour(self) -> int:
        return self.points[0] // HOUR


def make_series(
    window: Window,
    counts: Iterable[Count],
    *,
    top: int,
    label: Callable[[str], str] = str,
    weights: Iterable[Count] | None = None,
) -> dict[str, Any]:
    """A value for each point of time and each of the ``top`` largest keys.

    Args:
        weights: What the counts are divided by, for an average: one for each of them.
    """
    values, total = _summed(window, counts)
    if weights is not None:
        divisors, divisor = _summed(window, weights)
        values = {key: _divided(points, divisors.get(key)) for key, points in values.items()}
        total = total / divisor if divisor else 0.0
    largest = sorted(values, key=lambda key: (-sum(values[key]), key))[:top]
    return {
        "timestamps": window.points,
        "values_by_key": {key: [_number(value) for value in values[key]] for key in largest},
        "labels_by_key": {key: label(key) for key in largest},
        "total": _number(total),
        "source_count": len(values),
    }


def make_distribution(
    amounts: Mapping[str, float], *, top: int, label: Callable[[str], str] = str
) -> dict[str, Any]:
    """The parts of a whole, the largest first; what is not among the ``top`` is counted in the total only."""
    total = sum(amounts.values())
    largest = sorted(amounts, key=lambda key: (-amounts[key], key))[:top]
    return {
        "pies": [
            {
                "key": key,
                "label": label(key),
                "value": _number(amounts[key]),
                "ratio": amounts[key] / total if total else 0.0,
            }
            for key in largest
        ],
        "total": _number(total),
        "source_count": len(amounts),
    }


def _summed(window: Window, counts: Iterable[Count]) -> tuple[dict[str, list[float]], float]:
    values: dict[str, list[float]] = {}
    total = 0.0
    first, step, count = window.points[0], window.step, window.count
    for hour, key, amount in counts:
        index = (hour * HOUR - first) // step
        if 0 <= index < count:
            values.setdefault(key, [0.0] * count)[index] += amount
            total += amount
    return values, total


def _divided(points: list[float], divisors: list[float] | None) -> list[float]:
    if divisors is None:
        return [0.0] * len(points)
    return [value / by if by else 0.0 for value, by in zip(points, divisors, strict=True)]


def _number(value: float) -> int | float:
    """A count is a whole number, whatever it was added up in."""
    return int(value) if value == int(value) else round(value, 6)
