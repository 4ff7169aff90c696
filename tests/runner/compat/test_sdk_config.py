"""Does the configuration of a plugin of the SDK come as its authors know it, and is no broken file taken for an empty one?"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from rookery.protocol import Manifest
from rookery.runner.compat.sdk_config import SdkConfig, overlay
from rookery.runner.config_file import read_config
from rookery.runner.errors import PluginConfigError

MANIFEST = Manifest(plugin_id="test.sdk", version="1.2.3", name="A plugin", is_native=False)


class Modelled:
    """What the runner uses of a plugin that has a model."""

    def get_default_config(self) -> dict[str, Any]:
        return {"plugin": {"enabled": True, "config_version": "1.1.0"}, "limits": {"most": 5, "name": "x"}}

    def normalize_plugin_config(self, values: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        limits = {**self.get_default_config()["limits"], **values.get("limits", {})}
        whole = {**values, "limits": limits}
        return whole, whole != values


def config_of(directory: Path, text: str | None) -> SdkConfig:
    path = directory / "config.toml"
    if text is not None:
        path.write_text(text)
    return SdkConfig(Modelled(), MANIFEST, path)


def check(directory: Path, text: str | None, **over: Any) -> dict[str, Any]:
    config = config_of(directory, text)
    return config.check(read_config(directory, over))


def test_without_a_file_the_defaults_hold_and_are_written(tmp_path: Path) -> None:
    """As the SDK would have it; the deployment's values go over them and not into the file."""
    default = Modelled().get_default_config()

    assert check(tmp_path, None) == default
    assert check(tmp_path, None, limits={"most": 9})["limits"] == {"most": 9, "name": "x"}
    assert config_of(tmp_path, None).make_file()
    assert tomllib.loads((tmp_path / "config.toml").read_text()) == default
    assert not config_of(tmp_path, None).make_file()


def test_a_file_of_the_same_version_stays_as_it_is(tmp_path: Path) -> None:
    """What it leaves out is filled in memory only; the deployment's values go over it."""
    text = '[plugin]\nconfig_version = "1.1.0"\n[limits]\nmost = 7\n'

    values = check(tmp_path, text, limits={"name": "y"})

    assert values == {"plugin": {"config_version": "1.1.0"}, "limits": {"most": 7, "name": "y"}}
    assert not config_of(tmp_path, None).make_file()
    assert (tmp_path / "config.toml").read_text() == text


def test_an_older_file_is_laid_over_the_newer_defaults(tmp_path: Path) -> None:
    """What still fits is kept with its comment, what does not is the default, and the version is the newer one."""
    text = (
        '[plugin]\nconfig_version = "1.0.9"\nenabled = false  # for now\n'
        '[limits]\nmost = "many"\nname = "z"\ngone = 1\n'
    )
    expected = {"plugin": {"enabled": False, "config_version": "1.1.0"}, "limits": {"most": 5, "name": "z"}}

    assert check(tmp_path, text) == expected
    assert not config_of(tmp_path, None).make_file()  # it is not touched before the newer code has come up
    assert config_of(tmp_path, None).upgrade_file()
    written = (tmp_path / "config.toml").read_text()
    assert tomllib.loads(written) == expected
    assert "# for now" in written


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[plugin\n", "line 1"),
        ("[plugin]\nenabled = true\n", 'config_version = "1.1.0"'),
        ("x = 1\n", "plugin.config_version"),
    ],
)
def test_a_file_that_means_nothing_keeps_its_plugin_out(tmp_path: Path, text: str, said: str) -> None:
    """The mistake names the file, the place and what to write; the file is left alone."""
    with pytest.raises(PluginConfigError) as refused:
        check(tmp_path, text)

    assert said in str(refused.value)
    assert str(tmp_path / "config.toml") in str(refused.value)
    assert (tmp_path / "config.toml").read_text() == text


def test_a_plugin_without_a_model_is_given_what_stands_there(tmp_path: Path) -> None:
    """No defaults, no version, nothing is written."""
    path = tmp_path / "config.toml"
    path.write_text("anything = [1, 2]\n")
    config = SdkConfig(object(), MANIFEST, path)

    assert config.check(read_config(tmp_path, {})) == {"anything": [1, 2]}
    assert config.schema() == {}
    assert not config.make_file()
    assert not config.upgrade_file()


@pytest.mark.parametrize(
    ("default", "old", "kept"),
    [
        (1, True, False),
        (True, 1, False),
        (1.5, 2, True),
        (1.5, True, False),
        (None, "anything", True),
        ([1], ["a"], True),
        ("a", 1, False),
    ],
)
def test_what_fits(default: Any, old: Any, kept: bool) -> None:
    """A whole number fits a fraction; true is no number."""
    assert (overlay({"key": default}, {"key": old})["key"] is old) is kept
