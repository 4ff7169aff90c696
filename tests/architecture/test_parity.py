"""Does the table of parity say something in each cell, and does what it names exist?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLE = (ROOT / "docs" / "parity.md").read_text(encoding="utf-8")

ROWS, WEAKNESSES = 95, 35
"""Features of the single-runner system, and faults that were seen in it."""


def rows(pattern: str) -> dict[str, list[str]]:
    found = {}
    for line in TABLE.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and re.fullmatch(pattern, cells[0]):
            assert cells[0] not in found, f"row {cells[0]} is there twice"
            found[cells[0]] = cells
    return found


def test_every_row_is_there_and_says_something() -> None:
    """No feature of the original and no weakness is passed over in silence."""
    features, weaknesses = rows(r"\d+"), rows(r"W\d+")

    assert list(features) == [str(number) for number in range(1, ROWS + 1)]
    assert list(weaknesses) == [f"W{number}" for number in range(1, WEAKNESSES + 1)]
    for cells in features.values():
        assert len(cells) == 5, cells
        assert all(cells), cells
    for cells in weaknesses.values():
        assert len(cells) == 3, cells
        assert all(cells), cells


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`(tests/[^`]+)`", TABLE))))
def test_every_test_that_is_named_exists(named: str) -> None:
    """By its file, and by its name in it."""
    path, _, name = named.partition("::")

    assert (ROOT / path).is_file()
    assert not name or re.search(rf"def {re.escape(name)}\(", (ROOT / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "named", sorted(set(re.findall(r"`((?:supervisor|runner|protocol|sharding)/[\w/.]+\.py)`", TABLE)))
)
def test_every_file_that_is_named_exists(named: str) -> None:
    """Where something lives is where the table says."""
    assert (ROOT / named).is_file()
