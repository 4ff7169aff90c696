"""A figure is the median of its repetitions, its band all of them, and its goal is about the ratio where it has one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rookery.supervisor.bench_figures import Goal, make_figure, percentile, shown_number

GOAL = Goal(must=1.5, aim=1.2)


def test_a_figure_is_the_quartile_on_the_good_side_and_keeps_both_ends() -> None:
    """Of values and of ratios alike; the second of seven, as what disturbs a repetition only makes it worse."""
    figure = make_figure(
        "call", "µs", [90.0, 60.0, 80.0, 70.0, 90.0, 90.0, 90.0], ratios=[1.8, 1.4, 1.6, 1.2, 2, 2, 2]
    )
    rate = make_figure("rate", "calls/s", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], is_larger_better=True)

    assert (figure.value, figure.low, figure.high) == (70.0, 60.0, 90.0)
    assert (figure.ratio, figure.ratio_low, figure.ratio_high) == (1.4, 1.2, 2)
    assert rate.value == 6.0
    assert figure.repetitions == 7
    assert figure.verdict == ""


@pytest.mark.parametrize(
    ("values", "options", "verdict"),
    [
        pytest.param([80.0], {"ratios": [1.1]}, "aim reached", id="the aim"),
        pytest.param([80.0], {"ratios": [1.5]}, "holds", id="just so"),
        pytest.param([80.0], {"ratios": [1.51]}, "missed", id="above"),
        pytest.param([1.3], {}, "holds", id="a value without a ratio"),
        pytest.param([1.3], {"is_larger_better": True}, "missed", id="larger is better"),
        pytest.param([], {"reason": "no such clock"}, "not measured", id="nothing"),
    ],
)  # fmt: skip
def test_a_goal_is_judged(values: list[float], options: dict[str, Any], verdict: str) -> None:
    """By the ratio, or else by the value."""
    figure = make_figure("call", "µs", values, goal=GOAL, **options)

    assert figure.verdict == verdict
    assert figure.as_json()["holds"] is {"missed": False, "not measured": None}.get(verdict, True)


def test_a_figure_is_written_with_four_digits() -> None:
    """And can be written as JSON."""
    written = make_figure("call", "µs", [80.123456], goal=GOAL).as_json()

    assert written["value"] == 80.12
    assert json.loads(json.dumps(written)) == written


def test_a_percentile_is_one_of_the_values() -> None:
    """The nearest rank."""
    values = [float(number) for number in range(1, 101)]

    assert [percentile(values, share) for share in (0.5, 0.99, 1.0)] == [50.0, 99.0, 100.0]
    assert percentile([7.0], 0.01) == 7.0


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (0.0, "0"), (0.98765, "0.988"), (42.04, "42.0"), (12345.6, "12,346"), (-183.2, "-183")],
)
def test_a_number_is_shown_with_the_digits_that_mean_something(value: float | None, text: str) -> None:
    """Three of them, or all before the point."""
    assert shown_number(value) == text
