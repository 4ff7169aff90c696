"""`rookery new plugin` writes a plugin that works, and overwrites nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rookery.protocol import PLUGIN_ID
from rookery.supervisor.cli import new, run_command_line
from rookery.supervisor.cli.new import NewPlugin
from rookery.supervisor.plugin_directory import read_plugin
from tests.doubles.deployments import write_config


def test_it_writes_a_plugin_without_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Manifest, code and test, and the next things to type."""
    code = run_command_line(["new", "plugin", "my.word_count", "--dir", str(tmp_path / "plugins")])

    directory = tmp_path / "plugins" / "word_count"
    out = capsys.readouterr().out
    assert code == 0
    assert sorted(path.name for path in directory.iterdir()) == [
        "plugin.py",
        "plugin.toml",
        "test_word_count.py",
    ]
    assert read_plugin(directory, directory / "plugin.toml").mistakes == ()
    assert f"python -m pytest {directory}" in out
    assert "rookery check" in out


@pytest.mark.slow
def test_the_plugins_own_tests_pass(tmp_path: Path) -> None:
    """Whatever they are called: as a name of Python or like something that the template imports; all in one run."""
    ids = ["my.dice", "my.plugin", "a-b.42", "my.class", "my.message", "x.None", "x._"]
    for plugin_id in ids:
        assert run_command_line(["new", "plugin", plugin_id, "--dir", str(tmp_path / "plugins")]) == 0
    write_config(tmp_path, f'rookery.plugin_dirs = ["plugins"]\n[[shard]]\nname = "s"\nplugins = {ids}')

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", str(tmp_path / "plugins")],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(ids)} passed" in done.stdout
    assert run_command_line(["check", str(tmp_path)]) == 0


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not even an empty directory."""
    (tmp_path / "dice").mkdir()

    code = run_command_line(["new", "plugin", "my.dice", "--dir", str(tmp_path)])

    assert code == 1
    assert "is there already and nothing is overwritten" in capsys.readouterr().err
    assert list((tmp_path / "dice").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "example"),
    [
        ("dice", "my.dice"),
        ("my dice!", "my.dice"),
        ("", "my.plugin"),
        ("würfel", "w.rfel"),
        ("a..b", "a.b"),
        ("../x", "my.x"),
    ],
)
def test_a_name_that_is_no_id_is_answered_with_one(
    name: str, example: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing is written."""
    code = run_command_line(["new", "plugin", name, "--dir", str(tmp_path)])

    assert code == 1
    assert f"such as '{example}'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file where the directory should be."""
    (tmp_path / "file").touch()

    code = run_command_line(["new", "plugin", "my.dice", "--dir", str(tmp_path / "file" / "x")])

    assert code == 1
    assert "cannot be written: Not a directory" in capsys.readouterr().err


def test_the_grammar_of_ids_is_the_protocols() -> None:
    """The copy here saves an import; it must not differ."""
    assert new._PLUGIN_ID.pattern == PLUGIN_ID.pattern


def test_a_class_has_a_name_of_its_own() -> None:
    """From the last word of the id."""
    names = [
        NewPlugin(plugin_id).class_name
        for plugin_id in ("a.dice", "a-b.word_count", "a.1st", "a.plugin", "a.none")
    ]

    assert names == ["Dice", "WordCount", "My1st", "MyPlugin", "MyNone"]
