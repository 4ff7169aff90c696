"""A manifest says what it means, and everything that is wrong with it at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rookery.protocol import (
    Manifest,
    ManifestError,
    PackageDependency,
    PluginDependency,
    VersionRange,
    parse_manifest,
    satisfies,
)

ROOT = Path(__file__).parents[2]
SHIPPED = sorted([*ROOT.glob("examples/**/plugin.toml"), *ROOT.glob("runner/bundled/*/plugin.toml")])

ORIGINAL: dict[str, Any] = {
    "manifest_version": 2,
    "id": "someone.dice",
    "version": "1.2.3",
    "name": "Dice",
    "description": "Rolls dice.",
    "license": "MIT",
    "author": {"name": "Someone", "url": "https://example.org"},
    "urls": {"repository": "https://example.org/dice"},
    "host_application": {"min_version": "0.9.0", "max_version": "1.0.0"},
    "sdk": {"min_version": "2.0.0", "max_version": "2.9.9"},
    "capabilities": ["send.text", "send.text", " database.get "],
    "i18n": {"default_locale": "en", "supported_locales": ["en"]},
    "dependencies": [
        {"type": "plugin", "id": "other.plugin", "version_spec": ">=1.0"},
        {"type": "python_package", "name": "httpx", "version_spec": ">=0.28"},
    ],
    "llm_providers": [{"client_type": "openai"}],
    "plugin_type": "Adapter",
}


def _mistakes_of(file_name: str, text: str | bytes) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        parse_manifest(file_name, text if isinstance(text, bytes) else text.encode())
    return [str(mistake) for mistake in caught.value.mistakes]


def _original(**changes: Any) -> bytes:
    return json.dumps({**ORIGINAL, **changes}).encode()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_every_shipped_manifest_is_in_order(path: Path) -> None:
    """What newcomers copy is valid."""
    manifest = parse_manifest("plugin.toml", path.read_bytes())

    assert manifest.is_native
    assert manifest.plugin_id.endswith(path.parent.name)


def test_the_shortest_native_manifest_gets_defaults() -> None:
    """Id and version are enough."""
    manifest = parse_manifest("plugin.toml", b'[plugin]\nid = "a.b"\nversion = "1.0.0"')

    assert manifest == Manifest(plugin_id="a.b", version="1.0.0", name="a.b")


def test_a_byte_order_mark_is_no_mistake() -> None:
    """Editors of Windows write one, and nobody sees it."""
    manifest = parse_manifest("plugin.toml", b'\xef\xbb\xbf[plugin]\r\nid = "a.b"\r\nversion = "1.0.0"\r\n')

    assert manifest.plugin_id == "a.b"


def test_a_full_native_manifest() -> None:
    """Every key has its place, and the short forms are taken apart."""
    text = b"""
[plugin]
id = "a.b"
version = "1.0.0"
name = "Name"
description = "What it does."
license = "MIT"
author = "Somebody"
type = "adapter"
capabilities = ["send.text", "database.*"]
commands = ["roll"]
dependencies = ["other.plugin >=1.0,<2", "third.plugin"]
packages = ["httpx>=0.28"]
weight = 2
"""

    manifest = parse_manifest("plugin.toml", text)

    assert manifest.plugin_type == "adapter"
    assert manifest.capabilities == ("send.text", "database.*")
    assert manifest.commands == ("roll",)
    assert manifest.dependencies == (
        PluginDependency(plugin_id="other.plugin", version_spec=">=1.0,<2"),
        PluginDependency(plugin_id="third.plugin"),
    )
    assert manifest.packages == (PackageDependency(name="httpx", version_spec=">=0.28"),)
    assert manifest.weight == 2.0


def test_an_original_manifest() -> None:
    """Version 2 of the original kind means the same things."""
    manifest = parse_manifest("_manifest.json", _original())

    assert not manifest.is_native
    assert (manifest.plugin_id, manifest.author, manifest.plugin_type) == (
        "someone.dice",
        "Someone",
        "adapter",
    )
    assert manifest.capabilities == ("send.text", "database.get")
    assert manifest.dependencies == (PluginDependency(plugin_id="other.plugin", version_spec=">=1.0"),)
    assert manifest.packages == (PackageDependency(name="httpx", version_spec=">=0.28"),)
    assert manifest.sdk == VersionRange(min_version="2.0.0", max_version="2.9.9")
    assert [provider.client_type for provider in manifest.llm_providers] == ["openai"]


def test_all_mistakes_are_told_at_once() -> None:
    """Nobody has to run the check five times to find five mistakes."""
    text = """
[plugin]
id = "dice"
version = "1"
nam = "Dice"
capabilities = ["send.text", 5]
weight = -1
dependencies = ["dice..x", "a.b >=>1"]
[other]
"""

    mistakes = _mistakes_of("plugin.toml", text)

    assert [line.partition(":")[0] for line in mistakes] == [
        "other",
        "plugin.nam",
        "plugin.id",
        "plugin.version",
        "plugin.capabilities[1]",
        "plugin.dependencies",
        "plugin.dependencies",
        "plugin.weight",
    ]
    assert "did you mean 'name'?" in mistakes[1]
    assert mistakes[3] == "plugin.version: must be X.Y.Z, got '1'"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(b"[plugin\n", "line 1, column 8", id="toml syntax with its place"),
        pytest.param(b"\xff", "is not UTF-8 text (byte 0)", id="not text"),
        pytest.param(b"", "plugin: is required and missing", id="an empty file"),
        pytest.param(b"plugin = 3", "plugin: must be a table, got 3", id="not a table"),
        pytest.param(b"[plugin]\nid = 'a.b'", "plugin.version: is required and missing", id="no version"),
        pytest.param(
            b"[plugin]\nid = 'a.b'\nversion = '1.0.0'\ndependencies = ['a.b']",
            "plugin.dependencies: 'a.b' cannot depend on itself",
            id="its own dependency",
        ),
        pytest.param(
            b"[plugin]\nid = 'a.b'\nversion = '1.0.0'\npackages = ['A-b', 'a_B>1']",
            "plugin.packages: 'a_B' stands there twice",
            id="a package under two spellings",
        ),
        pytest.param(
            b"[plugin]\nid = 'a.b'\nversion = '1.0.0'\nweight = nan",
            "plugin.weight: must be a number greater than 0, got nan",
            id="a weight that is no number",
        ),
    ],
)
def test_a_native_mistake_says_where_and_what(text: bytes, expected: str) -> None:
    """The message names the key, what was given and what was expected."""
    assert any(expected in line for line in _mistakes_of("plugin.toml", text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(b'{\n "a" 1}', "at line 2, column 6", id="json syntax with its place"),
        pytest.param(b"[]", "must be a JSON object, got list", id="not an object"),
        pytest.param(b"[" * 100_000, "nests too deeply", id="nested without end"),
        pytest.param(
            _original(manifest_version=1), "manifest_version: must be 2, got 1", id="the old version"
        ),
        pytest.param(
            _original(urls={}), "urls.repository: is required and missing", id="a missing key below another"
        ),
        pytest.param(_original(colour="red"), "colour: is not a key of a manifest", id="an unknown key"),
        pytest.param(
            _original(sdk={"min_version": "2.0.0", "max_version": "1.0.0"}),
            "sdk.min_version: must not be above max_version '1.0.0'",
            id="a range that is upside down",
        ),
        pytest.param(
            _original(dependencies=[{"type": "plugin", "id": "x", "version_spec": ">=1"}]),
            "dependencies[0]: 'x' is not a plugin's id",
            id="a dependency that is no id",
        ),
        pytest.param(
            _original(i18n={"default_locale": "de", "supported_locales": ["en"]}),
            "i18n.default_locale: must be one of supported_locales",
            id="a locale that is not there",
        ),
    ],
)
def test_an_original_mistake_says_where_and_what(text: bytes, expected: str) -> None:
    """The other kind of file is held to the same standard."""
    assert any(expected in line for line in _mistakes_of("_manifest.json", text))


def test_another_file_is_not_a_manifest() -> None:
    """Asking for another file is a mistake of the caller."""
    with pytest.raises(ValueError, match=r"a manifest is called plugin\.toml or _manifest\.json"):
        parse_manifest("setup.py", b"")


@pytest.mark.parametrize(
    ("version", "spec", "expected"),
    [
        pytest.param("1.2.3", "", True, id="no range"),
        pytest.param("1.2.3", ">=1.0,<2", True, id="inside"),
        pytest.param("2.0.0", ">=1.0,<2", False, id="outside"),
        pytest.param("2.0.0rc1", ">=1.0", True, id="a pre-release counts"),
        pytest.param("yesterday", ">=1.0", False, id="no version"),
        pytest.param("1.0.0", "newest", False, id="no range that can be read"),
    ],
)
def test_satisfies(version: str, spec: str, expected: bool) -> None:
    """Ranges are those of PEP 440."""
    assert satisfies(version, spec) is expected


def test_a_native_manifest_names_the_client_types_that_it_serves() -> None:
    """Each once, in order."""
    text = '[plugin]\nid = "a.b"\nversion = "1.0.0"\nllm_providers = ["mine", "other", "mine"]\n'

    manifest = parse_manifest("plugin.toml", text.encode())

    assert [each.client_type for each in manifest.llm_providers] == ["mine", "other"]
