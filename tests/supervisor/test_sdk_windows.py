"""Does a plugin of the SDK get in by the rules that its authors know?"""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest

from rookery.protocol import Manifest
from rookery.protocol.manifest import VersionRange
from rookery.supervisor import ConfigError, make_plan
from rookery.supervisor.sdk_windows import complaints_about_windows, fits_host, numbers
from tests.doubles.deployments import load
from tests.whole.sdk_plugins import MANIFEST

SDK_PLUGIN = Manifest(
    plugin_id="test.sdk",
    version="1.0.0",
    name="x",
    is_native=False,
    host_application=VersionRange(min_version="1.0.0", max_version="1.2.0"),
    sdk=VersionRange(min_version="2.5.0", max_version="2.99.99"),
)


@pytest.mark.parametrize(
    ("host", "fits"),
    [
        ("1.0.0", True),
        ("1.2.0", True),
        ("1.2.9", True),  # newer by its last number
        ("1.3.0", False),
        ("0.9.9", False),
        ("2.2.0", False),
        ("1.1.0-snapshot.4", True),
        ("1.2", True),
        ("nonsense", False),
    ],
)
def test_a_bot_fits_a_closed_range_and_what_is_newer_by_its_last_number(host: str, fits: bool) -> None:
    """As the original judges it."""
    assert fits_host(host, "1.0.0", "1.2.0") is fits


def test_what_does_not_fit_is_told_with_what_to_do() -> None:
    """Each sentence names the range and what is there."""
    assert complaints_about_windows(SDK_PLUGIN, "1.2.1", "2.16.0") == []
    (host,) = complaints_about_windows(SDK_PLUGIN, "3.0.0", "2.16.0")
    (sdk,) = complaints_about_windows(SDK_PLUGIN, "1.2.1", "2.0.0")
    (missing,) = complaints_about_windows(SDK_PLUGIN, "1.2.1", "")

    assert "1.0.0 to 1.2.0" in host
    assert "3.0.0" in host
    assert "pip install 'maibot-plugin-sdk>=2.5.0,<=2.99.99'" in sdk
    assert "pip install maibot-plugin-sdk" in missing


def test_a_shard_without_a_loop_gets_no_plugin_of_the_sdk(tmp_path: Path) -> None:
    """Told before it runs, with the shard's key; with the default there is a loop."""
    path = tmp_path / "plugins" / "test.sdk"
    path.mkdir(parents=True)
    (path / "_manifest.json").write_text(json.dumps({**MANIFEST, "id": "test.sdk"}))
    (path / "plugin.py").touch()
    shard = '[[shard]]\nname = "s"\nplugins = ["test.sdk"]\n'

    with pytest.raises(ConfigError, match=r"shard\.s\.runtime: .*written for asyncio"):
        make_plan(*load(tmp_path, f'{shard}runtime = "trio"\n'))
    assert make_plan(*load(tmp_path, shard)).plugins_of("s") == ("test.sdk",)


def test_a_native_plugin_has_no_windows() -> None:
    """It names neither."""
    native = attrs.evolve(SDK_PLUGIN, is_native=True, host_application=None, sdk=None)

    assert complaints_about_windows(native, "0.0.0", "") == []


@pytest.mark.parametrize(
    ("text", "expected"), [("1", (1, 0, 0)), ("1.2.3.4", (1, 2, 3)), ("2.6.0rc1", (2, 6, 0)), ("", (0, 0, 0))]
)
def test_numbers(text: str, expected: tuple[int, int, int]) -> None:
    """The first three, whatever else a version has."""
    assert numbers(text) == expected


def test_a_deployment_says_what_does_not_fit_before_it_runs(tmp_path: Path) -> None:
    """As a mistake of the plugin's manifest; the configuration says which bot this host stands in for."""
    path = tmp_path / "plugins" / "test.sdk"
    path.mkdir(parents=True)
    window = {"min_version": "1.0.0", "max_version": "1.1.0"}
    (path / "_manifest.json").write_text(
        json.dumps({**MANIFEST, "id": "test.sdk", "host_application": window})
    )
    (path / "plugin.py").touch()

    _, refused = load(tmp_path, "")
    _, taken = load(tmp_path, 'rookery.sdk_host_version = "1.1.7"\n')

    assert ["1.0.0 to 1.1.0" in mistake.given for mistake in refused.mistakes] == [True]
    assert taken.mistakes == ()
