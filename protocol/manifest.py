"""What does a plugin declare about itself before any of its code runs: the manifest, its mistakes, version ranges.

Two files say the same thing: ``plugin.toml`` for plugins written for rookery, ``_manifest.json`` (version 2) for those
of the original kind. How their text is read is in ``manifest_text.py``; this is what it means.
"""

from __future__ import annotations

import attrs
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from .errors import RookeryError
from .payloads import LLMProviderDeclaration

ADAPTER = "adapter"
"""The ``plugin_type`` of a plugin that carries messages from outside."""


@attrs.frozen(kw_only=True)
class PluginDependency:
    """Another plugin that has to be loaded first."""

    plugin_id: str
    version_spec: str = ""
    """A PEP 440 range; "" is satisfied by every version."""


@attrs.frozen(kw_only=True)
class PackageDependency:
    """A distribution that has to be installed."""

    name: str
    version_spec: str = ""
    """A PEP 440 range; "" is satisfied by every version."""


@attrs.frozen(kw_only=True)
class VersionRange:
    """A closed range of X.Y.Z versions."""

    min_version: str
    max_version: str


@attrs.frozen(kw_only=True)
class Manifest:
    """What a plugin says about itself."""

    plugin_id: str
    version: str
    """X.Y.Z."""
    name: str
    """For people; the plugin's id when the file has none."""
    description: str = ""
    license: str = ""
    author: str = ""
    plugin_type: str = "extension"
    """``adapter`` carries messages from outside; anything else is a plugin like any other."""
    capabilities: tuple[str, ...] = ()
    """Patterns of the host services that it wants to use, e.g. ``database.*``."""
    commands: tuple[str, ...] = ()
    """The commands that it is going to offer, as far as it says so."""
    dependencies: tuple[PluginDependency, ...] = ()
    packages: tuple[PackageDependency, ...] = ()
    weight: float = 1.0
    """What it costs in a shard, compared with an ordinary plugin; greater than 0."""
    host_application: VersionRange | None = None
    """Original manifests only."""
    sdk: VersionRange | None = None
    """Original manifests only."""
    llm_providers: tuple[LLMProviderDeclaration, ...] = ()
    is_native: bool = True
    """False for a manifest of the original kind."""


@attrs.frozen
class ManifestMistake:
    """One thing that is wrong, and where."""

    path: str
    """Where in the file, e.g. ``plugin.version``; "" is the file itself."""
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ManifestError(RookeryError):
    """A manifest cannot be used.

    Attributes:
        mistakes: Everything that is wrong, in the order of the file's keys as we read them.
    """

    def __init__(self, mistakes: tuple[ManifestMistake, ...]) -> None:
        super().__init__("; ".join(str(mistake) for mistake in mistakes))
        self.mistakes = mistakes


def satisfies(version: str, spec: str) -> bool:
    """Whether the version lies in the PEP 440 range; pre-releases count, what cannot be parsed satisfies nothing."""
    try:
        return SpecifierSet(spec).contains(Version(version), prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return False


def is_version_spec(text: str) -> bool:
    """Whether this is a PEP 440 range; "" is one."""
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return False
    return True


def is_same_package(one: str, other: str) -> bool:
    """Whether two names mean the same distribution: case and ``-_.`` do not count."""
    return str(canonicalize_name(one)) == str(canonicalize_name(other))
