"""In which order are plugins loaded, and which cannot be because of what they depend on?"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import attrs

from rookery.protocol import Manifest, satisfies

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@attrs.frozen
class LoadOrder:
    """A plan for loading."""

    sequence: tuple[str, ...]
    """Plugin ids, each behind everything it depends on."""
    failed: dict[str, str]
    """Plugins that cannot be loaded, with the reason."""


def plan_order(
    manifests: Mapping[str, Manifest], available: Mapping[str, str], *, unusable: Iterable[str] = ()
) -> LoadOrder:
    """Order plugins by their dependencies; the outcome depends on nothing but the arguments.

    Args:
        manifests: The plugins to load, by id.
        available: Plugins that are there already, here or elsewhere: id to version.
        unusable: Plugins that are known to fail.
    """
    failed = {
        plugin_id: reason
        for plugin_id, manifest in sorted(manifests.items())
        if (reason := _unsatisfied(manifest, manifests, available, set(unusable)))
    }
    _spread(failed, manifests)
    needs = {
        plugin_id: {wanted.plugin_id for wanted in manifest.dependencies if wanted.plugin_id in manifests}
        for plugin_id, manifest in manifests.items()
        if plugin_id not in failed
    }
    sequence = sort_by_needs(needs)
    rest = {plugin_id: needs[plugin_id] for plugin_id in needs.keys() - set(sequence)}
    failed |= _name_cycles(rest)
    return LoadOrder(tuple(sequence), failed)


def sort_by_needs(needs: Mapping[str, Iterable[str]]) -> list[str]:
    """Kahn's algorithm with a sorted queue; what stands in a circle, or behind one, is left out.

    Args:
        needs: For each name the names that come before it; names that are no keys do not count.
    """
    missing = {name: {other for other in before if other in needs} for name, before in needs.items()}
    queue = deque(sorted(name for name, before in missing.items() if not before))
    sequence = []
    while queue:
        name = queue.popleft()
        sequence.append(name)
        for other in sorted(missing):
            if name in missing[other]:
                missing[other].discard(name)
                if not missing[other]:
                    queue.append(other)
    return sequence


def dependents_of(roots: Iterable[str], needs: Mapping[str, Iterable[str]]) -> set[str]:
    """The roots and everything that needs one of them, directly or not."""
    found = set(roots)
    grew = True
    while grew:
        more = {name for name, before in needs.items() if name not in found and not found.isdisjoint(before)}
        found |= more
        grew = bool(more)
    return found


def groups_of(names: Iterable[str], needs: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """The names, in groups of which no member needs one of another group; each group and all of them in their order."""
    left = sorted(names)
    groups = []
    while left:
        group = {left[0]}
        while more := {
            name
            for name in left
            if name not in group
            and (
                not group.isdisjoint(needs.get(name, ()))
                or any(name in needs.get(member, ()) for member in group)
            )
        }:
            group |= more
        groups.append([name for name in left if name in group])
        left = [name for name in left if name not in group]
    return groups


def _unsatisfied(
    manifest: Manifest, manifests: Mapping[str, Manifest], available: Mapping[str, str], unusable: set[str]
) -> str:
    complaints = []
    for wanted in manifest.dependencies:
        other = manifests.get(wanted.plugin_id)
        version = other.version if other is not None else available.get(wanted.plugin_id)
        name = f"{wanted.plugin_id} {wanted.version_spec}".strip()
        if version is None:
            state = "cannot be loaded" if wanted.plugin_id in unusable else "is not there"
            complaints.append(f"needs the plugin {name}, which {state}")
        elif not satisfies(version, wanted.version_spec):
            complaints.append(f"needs the plugin {name}, its version is {version}")
    return "; ".join(complaints)


def _spread(failed: dict[str, str], manifests: Mapping[str, Manifest]) -> None:
    grew = True
    while grew:
        grew = False
        for plugin_id, manifest in sorted(manifests.items()):
            broken = [wanted.plugin_id for wanted in manifest.dependencies if wanted.plugin_id in failed]
            if broken and plugin_id not in failed:
                failed[plugin_id] = f"needs the plugin {broken[0]}, which cannot be loaded"
                grew = True


def _name_cycles(rest: Mapping[str, set[str]]) -> dict[str, str]:
    failed = {}
    for plugin_id in sorted(rest):
        walk = [plugin_id]
        while (step := min(other for other in rest[walk[-1]] if other in rest)) not in walk:
            walk.append(step)
        circle = walk[walk.index(step) :]
        # Everybody in one circle is told the same, whichever member the walk came in by.
        start = circle.index(min(circle))
        circle = circle[start:] + circle[:start]
        text = "depend on each other in a circle" if plugin_id in circle else "needs plugins in a circle"
        failed[plugin_id] = f"{text}: {' → '.join([*circle, circle[0]])}"
    return failed
