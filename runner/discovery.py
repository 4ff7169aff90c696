"""Which plugins is this runner to load: those the host assigned, or those in the directories that an original host names?"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from rookery.protocol import (
    ADAPTER,
    MANIFEST_NAMES,
    AssignedPlugin,
    Assignment,
    Manifest,
    ManifestError,
    parse_manifest,
    satisfies,
)

if TYPE_CHECKING:
    from .start import Start

CODE_NAME = "plugin.py"
RESERVED_NAMES = {"data", "__pycache__"}


@attrs.frozen(kw_only=True)
class Candidate:
    """A plugin that could be loaded."""

    manifest: Manifest
    path: Path
    """Its directory."""
    assigned: AssignedPlugin

    @property
    def plugin_id(self) -> str:
        return self.manifest.plugin_id


@attrs.frozen
class Found:
    """What discovery found."""

    candidates: dict[str, Candidate] = attrs.Factory(dict)
    failed: dict[str, str] = attrs.Factory(dict)
    """Plugins that cannot be loaded, by id (by directory where no id could be read), with the reason."""


def find_assigned(assignment: Assignment) -> Found:
    """Look at what the host assigned."""
    found = Found()
    for assigned in assignment.plugins:
        plugin_id = assigned.plugin_id
        if plugin_id in assignment.blocked:
            found.failed[plugin_id] = assignment.blocked[plugin_id]
            continue
        try:
            if not assigned.path:
                raise _Unusable("the host named no directory for it")
            candidate = _look_at(Path(assigned.path), assigned)
        except _Unusable as error:
            found.failed[plugin_id] = str(error)
            continue
        if candidate.plugin_id != plugin_id:
            found.failed[plugin_id] = f"{assigned.path} holds the plugin {candidate.plugin_id!r} instead"
        else:
            found.candidates[plugin_id] = candidate
    return found


def find_in_directories(start: Start) -> Found:
    """Look for plugins as an original runner does: every directory with a manifest and a ``plugin.py``, once."""
    places: dict[str, list[Path]] = defaultdict(list)
    found = Found()
    for path in _plugin_directories(start.plugin_dirs):
        try:
            candidate = _look_at(path, None)
        except _Unusable as error:
            # Of its type nothing is known; an ordinary plugin is the most likely.
            if _is_wanted("extension", path, start):
                found.failed[path.name] = str(error)
            continue
        if _is_wanted(candidate.manifest.plugin_type, path, start):
            places[candidate.plugin_id].append(path)
            found.candidates[candidate.plugin_id] = candidate
    for plugin_id, paths in places.items():
        reason = start.blocked.get(plugin_id, "")
        if len(paths) > 1:
            reason = f"stands in several directories: {', '.join(sorted(map(str, paths)))}"
        if reason:
            found.failed[plugin_id] = reason
            del found.candidates[plugin_id]
    return found


class _Unusable(Exception):
    """A directory holds no plugin that can be loaded; the text says why."""


def _look_at(path: Path, assigned: AssignedPlugin | None) -> Candidate:
    for name in MANIFEST_NAMES:
        try:
            text = (path / name).read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _Unusable(f"{path / name} cannot be read: {error.strerror}") from None
        try:
            manifest = parse_manifest(name, text)
        except ManifestError as error:
            raise _Unusable(f"{path / name}: {error}") from None
        break
    else:
        raise _Unusable(f"{path} has neither a {' nor a '.join(MANIFEST_NAMES)}")
    if not (path / CODE_NAME).is_file():
        raise _Unusable(f"{path} has no {CODE_NAME}")
    if complaint := _complaint_about_packages(manifest):
        raise _Unusable(complaint)
    data_dir = str(Path.cwd() / "data" / "plugins" / manifest.plugin_id)
    assigned = assigned or AssignedPlugin(plugin_id=manifest.plugin_id, path=str(path), data_dir=data_dir)
    return Candidate(manifest=manifest, path=path, assigned=assigned)


def _complaint_about_packages(manifest: Manifest) -> str:
    if not manifest.packages:
        return ""
    import importlib.metadata  # a fiftieth of a second that most runners do not need

    complaints = []
    for wanted in manifest.packages:
        name = f"{wanted.name}{wanted.version_spec}"
        try:
            version = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            # An original plugin may name a package that it can do without.
            if manifest.is_native:
                complaints.append(f"needs the package {name}, which is not installed: pip install '{name}'")
            continue
        if not satisfies(version, wanted.version_spec):
            complaints.append(f"needs the package {name}, version {version} is installed")
    return "; ".join(complaints)


def _plugin_directories(roots: tuple[Path, ...]) -> list[Path]:
    found = []
    for root in roots:
        try:
            entries = sorted(root.iterdir())
        except OSError:
            continue
        found += [
            entry
            for entry in entries
            if entry.name.casefold() not in RESERVED_NAMES
            and not entry.name.startswith(".")
            and (entry / CODE_NAME).is_file()
        ]
    return found


def _is_wanted(plugin_type: str, path: Path, start: Start) -> bool:
    match start.type_filter:
        case "":
            return True
        case "not_adapter":
            return plugin_type != ADAPTER
        case "trusted_or_adapter":
            trusted = any(path.is_relative_to(root) for root in start.trusted_dirs)
            return trusted or plugin_type == ADAPTER
        case wanted:
            return plugin_type == wanted
