"""Counts of hours become series of days or hours, and parts of a whole."""

from __future__ import annotations

import pytest

from rookery.supervisor.trends import DAY, HOUR, Window, make_distribution, make_series

NOON = 20_000 * DAY + 12 * HOUR + 5.0


def days(count: int = 3) -> Window:
    return Window(now=NOON, days=count, step=DAY)


def hour_of(day: int, hour: int = 0) -> int:
    """An hour of a day; day 0 is today."""
    return (20_000 + day) * 24 + hour


def test_the_window_ends_today() -> None:
    """Today included; of hours there are twenty-four a day."""
    hours = Window(now=NOON, days=1, step=HOUR)

    assert days().points == [(20_000 + day) * DAY for day in (-2, -1, 0)]
    assert len(hours.points) == 24
    assert hours.points[-1] == 20_000 * DAY + 12 * HOUR
    assert hours.first_hour == hour_of(-1, 13)


def test_hours_are_added_up_to_days() -> None:
    """Every point has a value; what is outside of the window counts nothing."""
    counts = [
        (hour_of(-2, 0), "a", 1),
        (hour_of(-2, 23), "a", 2),
        (hour_of(0, 12), "a", 4),
        (hour_of(-3, 23), "a", 100),
        (hour_of(1, 0), "a", 100),
        (hour_of(-1, 5), "b", 0.5),
    ]

    series = make_series(days(), counts, top=10)

    assert series == {
        "timestamps": days().points,
        "values_by_key": {"a": [3, 0, 4], "b": [0, 0.5, 0]},
        "labels_by_key": {"a": "a", "b": "b"},
        "total": 7.5,
        "source_count": 2,
    }


def test_only_the_largest_are_named_and_all_are_counted() -> None:
    """Equal ones by name."""
    counts = [(hour_of(0), key, amount) for key, amount in (("a", 1), ("d", 5), ("c", 5), ("b", 9))]

    series = make_series(days(), counts, top=2, label=str.upper)

    assert list(series["values_by_key"]) == ["b", "c"]
    assert series["labels_by_key"] == {"b": "B", "c": "C"}
    assert (series["total"], series["source_count"]) == (20, 4)


def test_an_average_divides_each_point_by_its_own_weight() -> None:
    """And the total by all of them; nothing divided by nothing is nothing."""
    seconds = [(hour_of(0), "m", 6.0), (hour_of(-1), "m", 1.0), (hour_of(0), "unweighted", 3.0)]
    calls = [(hour_of(0), "m", 3), (hour_of(-1), "m", 1)]

    series = make_series(days(), seconds, top=5, weights=calls)

    assert series["values_by_key"] == {"m": [0, 1, 2], "unweighted": [0, 0, 0]}
    assert series["total"] == pytest.approx(2.5)


def test_a_distribution_is_the_parts_of_a_whole() -> None:
    """The largest first, with its share of everything."""
    found = make_distribution({"a": 1, "b": 3, "c": 4}, top=2)

    assert found["pies"] == [
        {"key": "c", "label": "c", "value": 4, "ratio": 0.5},
        {"key": "b", "label": "b", "value": 3, "ratio": 0.375},
    ]
    assert (found["total"], found["source_count"]) == (8, 3)


def test_nothing_has_no_parts() -> None:
    """And nobody divides by it."""
    assert make_distribution({}, top=5) == {"pies": [], "total": 0, "source_count": 0}
    assert make_distribution({"a": 0}, top=5)["pies"][0]["ratio"] == 0
    assert make_series(days(), [], top=5)["values_by_key"] == {}
