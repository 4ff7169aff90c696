"""Is everything there that plugins say they need: other plugins, in the right versions and without a circle, packages?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rookery.protocol import Manifest, PluginDependency, satisfies

from .errors import Mistake
from .suggestion import suggest

Manifests = Mapping[str, tuple[Manifest, Path]]
"""By plugin id: the manifest and its file."""


def check_dependencies(manifests: Manifests, absent: Mapping[str, str]) -> list[Mistake]:
    """What the plugins need and do not get.

    Args:
        manifests: The plugins that are going to be loaded.
        absent: Plugins that are installed and are not going to be loaded, each with a clause that says why.
    """
    mistakes: list[Mistake] = []
    for manifest, file in manifests.values():
        for dependency in manifest.dependencies:
            mistakes += _check_plugin(dependency, file, manifests, absent)
        for package in manifest.packages:
            mistakes += _check_package(package.name, package.version_spec, file)
    return [*mistakes, *_circles(manifests)]


def _check_plugin(
    dependency: PluginDependency, file: Path, manifests: Manifests, absent: Mapping[str, str]
) -> Iterator[Mistake]:
    needed, spec = dependency.plugin_id, dependency.version_spec
    wanted = f"{needed} {spec}".strip()
    if needed in manifests:
        found = manifests[needed][0].version
        if spec and not satisfies(found, spec):
            yield _mistake(
                file, f"{wanted!r}, but version {found} is installed", f"install {needed} in a version {spec}"
            )
    elif needed in absent:
        why = absent[needed]
        yield _mistake(
            file, f"{wanted!r}, {why}", "enable it" if "disabled" in why else "correct that one first"
        )
    else:
        close = suggest(needed, manifests)
        advice = close or "install it, put it into one of rookery.plugin_dirs, or name it in rookery.bundled"
        yield _mistake(file, f"{wanted!r}, which is not installed", advice)


def _check_package(name: str, spec: str, file: Path) -> Iterator[Mistake]:
    try:
        found = version(name)
    except PackageNotFoundError:
        found = ""
    if not found or (spec and not satisfies(found, spec)):
        told = f"but version {found} is installed" if found else "which is not installed"
        yield Mistake(
            file=str(file),
            key="plugin.packages",
            given=f"{name + spec!r}, {told}",
            advice=f"pip install '{name}{spec}'",
        )


def _mistake(file: Path, given: str, advice: str) -> Mistake:
    return Mistake(file=str(file), key="plugin.dependencies", given=given, advice=advice)


def _circles(manifests: Manifests) -> Iterator[Mistake]:
    """Each circle once, spelt from its smallest id; of two that share a plugin, the second may stay unseen."""
    needs = {
        plugin_id: sorted(
            dependency.plugin_id for dependency in manifest.dependencies if dependency.plugin_id in manifests
        )
        for plugin_id, (manifest, _) in sorted(manifests.items())
    }
    done: set[str] = set()
    for start in needs:
        circle = _find_circle(start, needs, done)
        if circle:
            first = circle.index(min(circle))
            circle = [*circle[first:], *circle[:first]]
            told = " needs ".join([*circle, circle[0]])
            yield _mistake(
                manifests[circle[0]][1],
                f"a circle: {told}",
                "take one of these dependencies out: none of them could be loaded first",
            )


def _find_circle(start: str, needs: Mapping[str, list[str]], done: set[str]) -> list[str]:
    """A circle that can be reached from a plugin over plugins that are not done; all that was seen is done then."""
    path: list[str] = []
    waiting = [(start, 0)]
    found: list[str] = []
    while waiting:
        plugin_id, depth = waiting.pop()
        del path[depth:]
        if plugin_id in path:
            found = found or path[path.index(plugin_id) :]
        elif plugin_id not in done:
            path.append(plugin_id)
            done.add(plugin_id)
            waiting += [(needed, depth + 1) for needed in reversed(needs[plugin_id])]
    return found
