"""One value of a configuration file is set; everything else in it stays its owner's."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.supervisor.config_edit import edited, read_text, write_text
from rookery.supervisor.errors import UsageError


@pytest.mark.parametrize(
    ("before", "key", "after"),
    [
        pytest.param("a = 1  # one\n", ["a"], "a = 2  # one\n", id="a value with a comment"),
        pytest.param("", ["a"], "a = 2\n", id="a new value"),
        pytest.param("[t]\nb = 1\n", ["t", "a"], "[t]\nb = 1\na = 2\n", id="in a table"),
        pytest.param("", ["t", "a"], "[t]\na = 2\n", id="in a new table"),
    ],
)
def test_one_value_is_set(before: str, key: list[str], after: str) -> None:
    """The rest of the text stays as it is."""
    assert edited(before, key, 2, Path("config.toml")) == after


def test_a_table_in_several_places_is_a_table() -> None:
    """Another may stand between its parts."""
    text = "[a.x]\nv = 1\n[b]\n[a.y]\n"

    assert edited(text, ["a", "x", "v"], 2, Path("c.toml")) == text.replace("1", "2")


def test_a_value_has_no_room_within_another() -> None:
    """What is no table cannot hold a key."""
    with pytest.raises(UsageError, match="'a' is no table"):
        edited("a = 1\n", ["a", "b"], 2, Path("config.toml"))


def test_a_broken_file_is_not_edited() -> None:
    """W21: the place of the mistake is told, and the file stays as it is."""
    with pytest.raises(UsageError, match=r"config\.toml: .*line 1"):
        edited("a = = 1\n", ["a"], 2, Path("config.toml"))


def test_a_file_is_made_and_replaced(tmp_path: Path) -> None:
    """Where there is none it begins empty; nothing is left beside it."""
    path = tmp_path / "config.toml"

    before = read_text(path)
    write_text(path, "a = 1\n")
    write_text(path, "a = 2\n")

    assert before == ""
    assert read_text(path) == "a = 2\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """With its name and what the system says."""
    with pytest.raises(UsageError, match="cannot be written: No such file or directory"):
        write_text(tmp_path / "missing" / "config.toml", "")
