"""A broken file is an error with its place, never a reason for defaults; the deployment's values go over it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.runner import Field, PluginConfig, PluginConfigError
from rookery.runner.config_file import (
    merge_values,
    read_config,
    read_config_file,
    with_sources,
)


class Sample(PluginConfig):
    rate: float = 2.0
    tags: list[str] = Field(["x"])
    token: str = Field(help="Secret.")


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
