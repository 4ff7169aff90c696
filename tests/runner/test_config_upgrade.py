"""A configuration file that is written anew stays its owner's: comments, order, and what nobody reads any more."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest

from rookery.runner import Field, PluginConfig, PluginConfigError
from rookery.runner.config_file import is_switched_on, take_switch, upgrade_file
from rookery.runner.config_upgrade import upgraded_text
from rookery.runner.whole_file import replace_file

OLD = """\
# Mine, all mine.
config_version = 1
rate = 5  # five a minute
name = "x"  # who

[inner]
# deep
on = true
old_one = 3

[plugin]
enabled = true
"""


class Inner(PluginConfig):
    on: bool = True


class Newer(PluginConfig):
    config_version = 2
    speed: int = Field(1, "Was called rate.")
    name: str = "nobody"
    inner: Inner = Field({}, "A table.")

    @classmethod
    def upgrade(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        values["speed"] = values.pop("rate")
        values["inner"] = {"on": values["inner"]["on"]}
        return values


class Named(PluginConfig):
    new: int = 0


class Own(PluginConfig):
    config_version = 2
    plugin: Named = Field({}, "A table.")

    @classmethod
    def upgrade(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        return {"plugin": {"new": values["plugin"]["old"]}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(OLD)
    return path


def test_an_older_file_says_what_the_newer_version_reads(path: Path) -> None:
    """Comments stay where they are, and nothing that somebody has written is lost."""
    changed = upgrade_file(path, Newer)

    text = path.read_text()
    assert changed
    assert tomllib.loads(text) == {
        "config_version": 2,
        "name": "x",
        "speed": 5,
        "inner": {"on": True},
        "plugin": {"enabled": True},
    }
    for kept in ("# Mine, all mine.", '"x"  # who', "# deep", "# rate = 5  # five a minute", "# old_one = 3"):
        assert kept in text
    assert Newer.from_values(take_switch(tomllib.loads(text), is_own=False)[0]).speed == 5


def test_a_file_is_upgraded_once(path: Path) -> None:
    """What it says already is not written again."""
    upgrade_file(path, Newer)
    before = path.stat().st_mtime_ns

    assert not upgrade_file(path, Newer)
    assert path.stat().st_mtime_ns == before


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """A plugin's directory may be under version control."""
    assert not upgrade_file(tmp_path / "config.toml", Newer)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_file_stays(path: Path) -> None:
    """W21: whoever cut it off gets it back as it is, and the place of the mistake."""
    path.write_text("config_version = 1\nrate = ")

    with pytest.raises(PluginConfigError, match="at the end of the file"):
        upgrade_file(path, Newer)

    assert path.read_text() == "config_version = 1\nrate = "


def test_a_table_within_a_line_is_replaced_whole(path: Path) -> None:
    """There is no room for a comment within its braces; what it said stands beside it."""
    path.write_text("config_version = 1\nrate = 5\ninner = {on = true, old_one = 3}  # mine\n")

    assert upgrade_file(path, Newer)

    text = path.read_text()
    assert tomllib.loads(text) == {"config_version": 2, "speed": 5, "inner": {"on": True}}
    assert "# inner = {on = true, old_one = 3}  # mine  (not used since config_version 2)" in text


def test_a_plugins_own_table_of_the_name_of_the_switch_is_upgraded(path: Path) -> None:
    """Where the plugin declares it, it is the plugin's."""
    path.write_text("config_version = 1\n[plugin]\nold = 7\n")

    assert upgrade_file(path, Own)

    assert tomllib.loads(path.read_text()) == {"config_version": 2, "plugin": {"new": 7}}


def test_a_file_is_replaced_as_a_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """W21: a disk that is full half-way leaves the old one, and nothing beside it; the mode stays."""
    path.chmod(0o640)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            replace_file(path, "half")
    replace_file(path, "a = 1\n")

    assert path.read_text() == "a = 1\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(path.parent.iterdir()) == [path]


def test_a_link_is_followed(path: Path) -> None:
    """A configuration that is kept elsewhere is still kept there."""
    link = path.with_name("link.toml")
    link.symlink_to(path)

    replace_file(link, "a = 1\n")

    assert link.is_symlink()
    assert path.read_text() == "a = 1\n"


def test_a_text_without_a_version_gets_one() -> None:
    """At the top, before any table."""
    assert upgraded_text('name = "x"\n', {"name": "y"}, 2) == 'config_version = 2\nname = "y"\n'


@pytest.mark.parametrize(
    ("value", "is_on"),
    [
        (True, True),
        (False, False),
        (0, False),
        (1, True),
        ("off", False),
        (" No ", False),
        ("yes", True),
        ("x", True),
    ],
)
def test_a_switch_is_read_as_original_plugins_mean_it(value: object, is_on: bool) -> None:
    """Numbers and words too."""
    assert is_switched_on(value) is is_on
    assert take_switch({"plugin": {"enabled": value}, "a": 1}, is_own=False) == ({"a": 1}, is_on)


def test_the_table_of_the_switch_has_nothing_else() -> None:
    """A word that nobody reads is a mistake, as elsewhere; a plugin's own table of this name is its own."""
    with pytest.raises(PluginConfigError, match=r"plugin\.enable: is not known"):
        take_switch({"plugin": {"enable": False}}, is_own=False)

    assert take_switch({"plugin": {"x": 1}}, is_own=True) == ({"plugin": {"x": 1}}, True)
