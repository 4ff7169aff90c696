"""Mistakes are listed by file, with paths as short as they can be."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.supervisor.cli.mistake_lines import count_of, mistake_lines, short_path
from rookery.supervisor.errors import Mistake

MISTAKES = [
    Mistake(file="/b/rookery.toml", key="x", given="0", expected="1"),
    Mistake(file="/a/plugin.py", key="", given="it is gone"),
    Mistake(file="/b/rookery.toml", key="y", given="bad \x1b[2J"),
]


def test_mistakes_are_listed_by_file() -> None:
    """Files in the order in which they first occur; nothing moves the cursor."""
    assert mistake_lines(MISTAKES, colour=False) == [
        "/b/rookery.toml", "  x: got 0, expected 1", "  y: bad \\x1b[2J", "",
        "/a/plugin.py", "  it is gone", "",
        "3 mistakes in 2 files",
    ]  # fmt: skip


def test_colour_changes_nothing_but_the_colour() -> None:
    """The key is what the eye looks for."""
    lines = mistake_lines(MISTAKES[:1], colour=True)

    assert lines[1] == "  \x1b[31mx\x1b[0m: got 0, expected 1"


def test_a_path_below_this_directory_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other stays as it is, and so does what is no path."""
    monkeypatch.chdir(tmp_path)

    assert short_path(str(tmp_path / "a" / "b")) == "a/b"
    assert short_path("/elsewhere/b") == "/elsewhere/b"
    assert short_path(str(tmp_path)) == str(tmp_path)
    assert short_path("distribution dice") == "distribution dice"


def test_one_is_no_plural() -> None:
    assert (count_of(1, "shard"), count_of(0, "shard")) == ("1 shard", "0 shards")
