"""A plugin's files are read and its code is compiled, but never run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rookery.supervisor.plugin_directory import find_manifest, guess_plugin_id, list_plugins, read_plugin
from tests.doubles.deployments import write_plugin


def test_a_plugin_is_read_and_not_run(tmp_path: Path) -> None:
    """Code that would end the process is only compiled."""
    directory = write_plugin(tmp_path, "a.dice", code="import os\nos._exit(3)\n")

    files = read_plugin(directory, directory / "plugin.toml")

    assert files.mistakes == ()
    assert files.manifest is not None
    assert (files.plugin_id, files.manifest.version) == ("a.dice", "1.0.0")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        pytest.param(b"x = 1\ndef f(:\n", "line 2: this is not Python: invalid syntax: def f(:", id="a slip"),
        pytest.param(b"def f():\nreturn 1\n", "line 2: this is not Python: expected an indented block", id="no indent"),
        pytest.param(b"x = '\xff'\n", "this is not Python: ", id="no UTF-8"),
        pytest.param(b"x = 1\0", "null bytes", id="a zero byte"),
        pytest.param(b"x = " + b"-" * 100_000 + b"1", "cannot compile it|not Python", id="too deep"),
    ],
)  # fmt: skip
def test_code_that_does_not_parse_is_a_mistake(code: bytes, told: str, tmp_path: Path) -> None:
    """With the line, the reason and the code."""
    directory = write_plugin(tmp_path, "a.dice")
    (directory / "plugin.py").write_bytes(code)

    [mistake] = read_plugin(directory, directory / "plugin.toml", with_code=True).code_mistakes

    assert mistake.file == str(directory / "plugin.py")
    assert any(word in mistake.explain() for word in told.split("|"))


def test_an_odd_escape_is_no_mistake(tmp_path: Path) -> None:
    """What Python only warns of is the author's to see."""
    directory = write_plugin(tmp_path, "a.dice", code="x = '\\d'\n")

    assert read_plugin(directory, directory / "plugin.toml", with_code=True).code_mistakes == ()


def test_a_manifest_without_code_is_a_mistake(tmp_path: Path) -> None:
    """The manifest itself is fine and is kept."""
    directory = write_plugin(tmp_path, "a.dice")
    (directory / "plugin.py").unlink()

    files = read_plugin(directory, directory / "plugin.toml", with_code=True)

    assert [mistake.explain() for mistake in files.code_mistakes] == [
        "there is no such file; write the plugin's class there"
    ]
    assert files.manifest is not None


def test_code_that_is_no_file_is_a_mistake(tmp_path: Path) -> None:
    """A pipe is not waited for."""
    directory = write_plugin(tmp_path, "a.dice")
    (directory / "plugin.py").unlink()
    os.mkfifo(directory / "plugin.py")

    files = read_plugin(directory, directory / "plugin.toml", with_code=True)

    assert [mistake.explain() for mistake in files.code_mistakes] == ["it is not a regular file"]


def test_code_is_looked_at_only_when_asked(tmp_path: Path) -> None:
    """A start leaves it to the runner, which fails that plugin alone."""
    directory = write_plugin(tmp_path, "a.dice", code="def")

    files = read_plugin(directory, directory / "plugin.toml")

    assert (files.mistakes, files.code_mistakes) == ((), ())


def test_every_mistake_of_a_manifest_is_told_with_its_key(tmp_path: Path) -> None:
    """And the plugin keeps its name, so that others can speak of it."""
    directory = write_plugin(tmp_path, "a.dice", version="1", wieght=2)

    files = read_plugin(directory, directory / "plugin.toml")

    assert files.manifest is None
    assert files.plugin_id == "a.dice"
    assert {mistake.key for mistake in files.mistakes} == {"plugin.version", "plugin.wieght"}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("plugin.toml", b'[plugin]\nid = "a.b"\nbad = 1', "a.b"),
        ("plugin.toml", b'\xef\xbb\xbf[plugin]\r\nid = "a.b"\r\nbad = 1', "a.b"),
        ("plugin.toml", b'[plugin]\nid = "dice"', ""),
        ("plugin.toml", b"[plugin", ""),
        ("plugin.toml", b"plugin = 3", ""),
        ("plugin.toml", b"\xff", ""),
        ("_manifest.json", b'{"id": "a.b"}', "a.b"),
        ("_manifest.json", b"[]", ""),
        ("_manifest.json", b"{", ""),
    ],
)
def test_the_id_of_a_broken_manifest_is_guessed(name: str, text: bytes, expected: str) -> None:
    """Never an error: the manifest's own mistakes are told elsewhere."""
    assert guess_plugin_id(name, text) == expected


def test_the_native_manifest_comes_first(tmp_path: Path) -> None:
    """A plugin for both hosts has both files."""
    (tmp_path / "_manifest.json").touch()

    alone = find_manifest(tmp_path)
    (tmp_path / "plugin.toml").touch()

    assert alone == tmp_path / "_manifest.json"
    assert find_manifest(tmp_path) == tmp_path / "plugin.toml"


def test_what_might_be_a_plugin_is_listed_by_name(tmp_path: Path) -> None:
    """No files, nothing hidden, no caches."""
    for name in ("b", "a", ".git", "__pycache__"):
        (tmp_path / name).mkdir()
    (tmp_path / "README.md").touch()

    assert list_plugins(tmp_path) == [tmp_path / "a", tmp_path / "b"]


def test_a_plugin_is_listed_as_itself(tmp_path: Path) -> None:
    """A directory of plugins may be one plugin's."""
    directory = write_plugin(tmp_path, "a.dice")
    (directory / "inner").mkdir()

    assert list_plugins(directory) == [directory]
