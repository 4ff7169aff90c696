"""A plugin is reloaded again and again under load, and nothing is lost and nothing grows. Short: the benchmark goes on for longer."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.whole.test_benchmarks import run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="it counts what the Linux kernel tells of processes"),
]


def test_reloads_under_load_lose_nothing_and_leave_nothing(tmp_path: Path) -> None:
    """No call, no event and no reload fails; handlers, descriptors, threads, loggers and instances are as many as before."""
    rows, text = run(tmp_path, "reloads.py", "--reloads", "16", "--callers", "4")

    missed = {name: row for name, row in rows.items() if row.get("holds") is False}
    assert missed == {}, text
    assert rows["a reload, ms"]["measured"] == 16
    assert len([row for row in rows.values() if "holds" in row]) == 11
