"""A duration is as exact as people need it."""

from __future__ import annotations

import pytest

from rookery.supervisor.cli.durations import seconds


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0 s"), (0.34, "0.3 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1 m 00 s"),
        (3599.4, "59 m 59 s"), (3599.6, "1 h 00 m"), (7391, "2 h 03 m"), (86400, "1 d 00 h"), (350_000, "4 d 01 h"),
    ],
)  # fmt: skip
def test_two_units_at_most(value: float, text: str) -> None:
    """No unit is ever full."""
    assert seconds(value) == text
