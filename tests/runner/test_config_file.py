"""A broken file is an error with its place, never a reason for defaults; a new one is written whole or not at all."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from rookery.runner import Field, PluginConfig, PluginConfigError
from rookery.runner.config_file import (
    default_text,
    merge_values,
    read_config,
    read_config_file,
    with_sources,
    write_default_file,
)


class Inner(PluginConfig):
    on: bool = Field(True, "Whether.")


class Sample(PluginConfig):
    config_version = 3
    name: str = Field('a "quoted" name\x7f 😀', "A name.\nOn two lines.")
    rate: float = 2.0
    tags: list[str] = Field(["x"])
    owner: str | None = Field(None, "Nobody.")
    token: str = Field(help="Secret.")
    inner: Inner = Field({}, "A table.")


def test_no_file_says_nothing(tmp_path: Path) -> None:
    """A plugin does not have to bring one."""
    assert read_config_file(tmp_path / "config.toml") == {}


@pytest.mark.parametrize(
    ("data", "place"),
    [
        pytest.param(b"a = 1\nb = = 2\n", "line 2, column 5", id="a mistake in a line"),
        pytest.param(b"a = 1\nb =", "at the end of the file", id="cut off"),
        pytest.param(b'a = 1\nb = "\xff"\n', "line 2, column 6: is not UTF-8", id="another encoding"),
        pytest.param(b"a = " + b"[" * 5000, "config.toml", id="too deep"),
    ],
)
def test_a_broken_file_is_an_error_with_its_place(tmp_path: Path, data: bytes, place: str) -> None:
    """File, line and column; defaults would hide the mistake."""
    path = tmp_path / "config.toml"
    path.write_bytes(data)

    with pytest.raises(PluginConfigError) as caught:
        read_config_file(path)

    assert str(path) in str(caught.value)
    assert place in str(caught.value)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """A directory in its place is not a missing file."""
    (tmp_path / "config.toml").mkdir()

    with pytest.raises(PluginConfigError, match="cannot be read: Is a directory"):
        read_config(tmp_path, {})


def test_the_deployment_goes_over_the_plugins_file(tmp_path: Path) -> None:
    """Tables are merged, lists are replaced."""
    (tmp_path / "config.toml").write_text("tags = ['a', 'b']\n[inner]\non = true\nspeed = 1\n")

    merged = read_config(tmp_path, {"tags": ["c"], "inner": {"on": False}})

    assert merged == {"tags": ["c"], "inner": {"on": False, "speed": 1}}
    assert merge_values({"a": 1}, {"a": {"b": 2}}) == {"a": {"b": 2}}


def test_a_mistake_names_the_file_that_says_it(tmp_path: Path) -> None:
    """The deployment's part and the plugin's own file are told apart."""
    path = tmp_path / "config.toml"
    path.write_text("rate = 'fast'\n")
    over = {"tags": [1], "token": "t"}
    with pytest.raises(PluginConfigError) as caught:
        Sample.from_values(read_config(tmp_path, over))

    told = with_sources(caught.value, path=path, overrides=over, plugin_id="test.sample")

    assert [str(mistake) for mistake in told.mistakes] == [
        f"{path}: rate: must be a number, got str 'fast'",
        '[plugins."test.sample".config] of the deployment: tags[0]: must be a text, got int 1',
    ]


def test_the_default_file_says_what_holds_anyway() -> None:
    """Read back, it gives the defaults; help texts are comments."""
    text = default_text(Sample)

    values = tomllib.loads(text)
    config = Sample.from_values({**values, "token": "t"})
    assert config == Sample(token="t")
    assert values["config_version"] == 3
    assert "# A name.\n# On two lines.\n" in text
    assert "# required: a text\n# token =\n" in text


def test_a_default_file_is_written_once(tmp_path: Path) -> None:
    """What an operator has written is never touched; nothing else stays in the directory."""
    path = tmp_path / "config.toml"

    first = write_default_file(path, Sample)
    path.write_text("rate = 5.0\n")
    second = write_default_file(path, Sample)

    assert (first, second) == (True, False)
    assert path.read_text() == "rate = 5.0\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    """No half file where a runner would read it."""
    path = tmp_path / "config.toml"

    with pytest.raises(OSError, match="No such file"):
        write_default_file(tmp_path / "missing" / "config.toml", Sample)

    assert not path.exists()
