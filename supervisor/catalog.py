"""Which plugins are installed, where is each, and what is wrong with them before any of their code runs?

Three sources: directories that the configuration names, plugins that come with rookery, and other distributions by the
entry-point group `rookery.plugins`. Nothing is imported: a plugin's code must not run in the host, and a broken one is
found here, with its line. Plugins of a directory are all used; of the other two sources, those that are named.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from enum import StrEnum
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import attrs

from rookery.protocol import Manifest

from .config_routes import strange_gateways
from .dependencies import Manifests, check_dependencies
from .errors import Mistake
from .original_settings import plugins_of_originals
from .plugin_directory import (
    MODULE_NAME,
    NATIVE_MANIFEST,
    PluginFiles,
    find_manifest,
    guess_plugin_id,
    list_plugins,
    read_plugin,
)
from .sdk_windows import complaints_about_windows, installed_sdk
from .suggestion import one_of, suggest

if TYPE_CHECKING:
    from .settings import Settings

ENTRY_POINTS = "rookery.plugins"


class Source(StrEnum):
    """Where a plugin comes from."""

    DIRECTORY = "dir"
    BUNDLED = "bundled"
    ENTRY_POINT = "entry point"


@attrs.frozen(kw_only=True)
class InstalledPlugin:
    """A plugin whose manifest is right."""

    manifest: Manifest
    path: Path
    """Its directory, absolute."""
    source: Source
    shard: str | None = None
    """The one in whose directories it was found."""

    @property
    def plugin_id(self) -> str:
        return self.manifest.plugin_id


def _wrong_windows(manifests: Manifests, host: str, elsewhere: frozenset[str]) -> Iterator[Mistake]:
    """Plugins that are written for other versions of the bot or of the SDK.

    Args:
        elsewhere: Those that a runner of the original kind has; its SDK is not the one that is looked at here.
    """
    if all(manifest.is_native for manifest, _ in manifests.values()):
        return
    sdk = installed_sdk()
    for plugin_id, (manifest, file) in manifests.items():
        for complaint in complaints_about_windows(manifest, host, None if plugin_id in elsewhere else sdk):
            advice = (
                "" if "pip install" in complaint else "set rookery.sdk_host_version, or disable the plugin"
            )
            yield Mistake(file=str(file), key="", given=complaint, advice=advice)


def _by_id(plugins: Mapping[str, InstalledPlugin]) -> Mapping[str, InstalledPlugin]:
    return MappingProxyType(dict(sorted(plugins.items())))


@attrs.frozen(kw_only=True)
class Catalog:
    """Every plugin of a deployment."""

    plugins: Mapping[str, InstalledPlugin] = attrs.field(converter=_by_id)
    """By id, in that order; disabled ones too."""
    mistakes: tuple[Mistake, ...] = ()
    """Everything that is wrong with plugins that are not disabled, and with what they depend on."""
    code_mistakes: tuple[Mistake, ...] = ()
    """Modules that cannot be compiled, if that was looked for. They are no obstacle to a plan: such a plugin fails to
    load, with its reason, and takes nobody along."""
    broken: frozenset[str] = frozenset()
    """Ids of plugins that are there but have a mistake."""


def find_plugins(settings: Settings, *, with_code: bool = False) -> Catalog:
    """Look into every source. Never raises for what it finds: see `Catalog.mistakes`.

    Args:
        with_code: Whether modules are compiled to see their mistakes; nothing is ever imported.
    """
    search = _Search(settings, with_code=with_code)
    for shard in settings.shards:  # first: what lies in a directory of all as well stays a shard's own
        for text in shard.plugin_dirs:
            search.take_directory(Path(text), f"shard.{shard.name}.plugin_dirs", shard.name)
    for directory in settings.plugin_dirs:
        search.take_directory(directory, "rookery.plugin_dirs")
    search.take_bundled()
    search.take_entry_points()
    enabled = {
        plugin_id: (plugin.manifest, search.manifest_files[plugin_id])
        for plugin_id, plugin in sorted(search.plugins.items())
        if settings.plugin(plugin_id).enabled
    }
    known = search.plugins.keys() | search.broken
    strangers = strange_gateways(
        settings.routes, known, search.plugins.keys() - enabled.keys(), str(settings.path)
    )
    absent = dict.fromkeys(search.broken, "which has mistakes of its own")
    absent |= dict.fromkeys(search.plugins.keys() - enabled.keys(), "which is disabled")
    return Catalog(
        plugins=search.plugins,
        mistakes=(
            *search.mistakes,
            *strangers,
            *check_dependencies(enabled, absent),
            *_wrong_windows(enabled, settings.sdk_host_version, plugins_of_originals(settings)),
        ),
        code_mistakes=tuple(search.code_mistakes),
        broken=frozenset(search.broken),
    )


def find_bundled() -> dict[str, Path]:
    """The directories of the plugins that come with rookery, by id."""
    # find_spec imports the parents of what it looks for: this one imports only the namespace `rookery`.
    spec = importlib.util.find_spec("rookery.runner")
    found = {}
    for place in (spec and spec.submodule_search_locations) or ():
        for directory in list_plugins(Path(place, "bundled")):
            if (manifest_file := find_manifest(directory)) is not None:
                found[guess_plugin_id(manifest_file.name, manifest_file.read_bytes())] = directory
    return found


class _Search:
    """The catalog in the making; the first plugin with an id keeps it."""

    def __init__(self, settings: Settings, *, with_code: bool) -> None:
        self._settings = settings
        self._with_code = with_code
        self.plugins: dict[str, InstalledPlugin] = {}
        self.manifest_files: dict[str, Path] = {}
        """Of every plugin whose id is known, broken ones too."""
        self.mistakes: list[Mistake] = []
        self.code_mistakes: list[Mistake] = []
        self.broken: set[str] = set()

    def take_directory(self, directory: Path, key: str, shard: str | None = None) -> None:
        """All plugins of a directory, or the one that it is.

        Args:
            key: Where the configuration names it.
            shard: The one that they are for.
        """
        if not directory.is_dir():
            what = "a file" if directory.exists() else "nothing"
            advice = "create the directory, or correct the path: a relative one begins where this file is"
            self._blame_config(key, f"{directory}, where there is {what}", "a directory", advice)
            return
        try:
            candidates = list_plugins(directory)
        except OSError as error:
            self._blame_config(key, f"{directory}, which cannot be read: {error.strerror}")
            return
        for candidate in candidates:
            manifest_file = find_manifest(candidate)
            if manifest_file is not None:
                self._take(candidate, manifest_file, Source.DIRECTORY, shard=shard)
            elif (candidate / MODULE_NAME).exists():
                told = f"a {MODULE_NAME} without a {NATIVE_MANIFEST} beside it"
                advice = "write one ('rookery new plugin' shows how), or move the directory elsewhere"
                self.mistakes.append(Mistake(file=str(candidate), key="", given=told, advice=advice))

    def take_bundled(self) -> None:
        bundled = find_bundled()
        for plugin_id in dict.fromkeys(self._settings.bundled):
            if (directory := bundled.get(plugin_id)) is not None:
                self._take(directory, directory / NATIVE_MANIFEST, Source.BUNDLED)
            else:
                told, advice = f"{plugin_id!r}, which does not come with rookery", suggest(plugin_id, bundled)
                self._blame_config("rookery.bundled", told, one_of(bundled), advice)

    def take_entry_points(self) -> None:
        """Those that the configuration names: what happens to be installed must not join a bot by itself."""
        named = {plugin_id for shard in self._settings.shards for plugin_id in shard.plugins}
        named |= self._settings.plugins.keys()
        for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: (entry.name, entry.value)):
            if entry.name not in named:
                continue
            directory = _directory_of(entry)
            manifest_file = find_manifest(directory) if directory is not None else None
            if directory is None:
                self._blame_entry_point(entry, f"{entry.value!r}, which is no package with a directory")
            elif manifest_file is None:
                self._blame_entry_point(entry, f"{directory}, which has no {NATIVE_MANIFEST}")
            else:
                self._take(directory, manifest_file, Source.ENTRY_POINT, entry)

    def _take(
        self,
        directory: Path,
        manifest_file: Path,
        source: Source,
        entry: EntryPoint | None = None,
        shard: str | None = None,
    ) -> None:
        files = read_plugin(directory, manifest_file, with_code=self._with_code)
        if self._is_taken(files):
            self._check_claim(files.plugin_id, directory, shard)
            return
        if entry is not None and files.plugin_id not in ("", entry.name):
            self._blame_entry_point(entry, f"a plugin that calls itself {files.plugin_id!r}")
            return
        if files.plugin_id:
            self.manifest_files[files.plugin_id] = manifest_file
        if files.manifest is not None:
            self.plugins[files.plugin_id] = InstalledPlugin(
                manifest=files.manifest, path=directory, source=source, shard=shard
            )
        # A disabled plugin may be as broken as it likes: that is how one waits for its author.
        if not self._settings.plugin(files.plugin_id).enabled:
            return
        self.code_mistakes += files.code_mistakes
        if files.mistakes:
            self.mistakes += files.mistakes
            if files.plugin_id:
                self.broken.add(files.plugin_id)

    def _is_taken(self, files: PluginFiles) -> bool:
        """Whether its id is another plugin's, which is a mistake, or it is here already, by another way."""
        other = self.manifest_files.get(files.plugin_id)
        if other is None:
            return False
        if other.resolve() != files.manifest_file.resolve():
            self.mistakes.append(
                Mistake(
                    file=str(files.manifest_file),
                    key="plugin.id",
                    given=f"{files.plugin_id!r}, which is the id of the plugin in {other.parent} too",
                    expected="an id of its own",
                    advice="remove one of the two, or give one another id",
                )
            )
        return True

    def _check_claim(self, plugin_id: str, directory: Path, shard: str | None) -> None:
        """Two shards may not have one plugin by two names of its directory."""
        taken = self.plugins.get(plugin_id)
        if taken is not None and shard is not None and taken.shard not in (None, shard):
            told = f"{directory}, whose plugin {plugin_id!r} shard {taken.shard!r} has too"
            advice = "take the directory out of one of them: a plugin lives in one shard"
            self._blame_config(f"shard.{shard}.plugin_dirs", told, advice=advice)

    def _blame_config(self, key: str, given: str, expected: str = "", advice: str = "") -> None:
        self.mistakes.append(
            Mistake(file=str(self._settings.path), key=key, given=given, expected=expected, advice=advice)
        )

    def _blame_entry_point(self, entry: EntryPoint, given: str) -> None:
        owner = f"distribution {entry.dist.name}" if entry.dist is not None else "an installed distribution"
        self.broken.add(entry.name)
        self.mistakes.append(
            Mistake(
                file=owner,
                key=f'entry point "{entry.name}" of {ENTRY_POINTS}',
                given=given,
                expected=f"a package whose directory has the {NATIVE_MANIFEST} of {entry.name}",
                advice="tell its author, or take the plugin out of the configuration",
            )
        )


def _directory_of(entry: EntryPoint) -> Path | None:
    """The directory of the package that an entry point names, found without importing the package."""
    top, *inner = entry.value.partition(":")[0].strip().split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    places = spec.submodule_search_locations if spec is not None else None
    return next((path for place in places or () if (path := Path(place, *inner)).is_dir()), None)
