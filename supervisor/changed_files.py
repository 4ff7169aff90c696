"""Which plugin does a changed file belong to, and what does its change mean? Pure: paths in, names out."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

import attrs

from rookery.protocol import CONFIG_NAME, MANIFEST_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CODE_SUFFIX = ".py"


@attrs.frozen(kw_only=True)
class Meaning:
    """What a burst of changes asks for."""

    code: tuple[str, ...] = ()
    """Plugins with other code, or another manifest: they are reloaded, and read their configuration with it."""
    config: tuple[str, ...] = ()
    """Plugins with nothing but another configuration."""
    new: tuple[PurePath, ...] = ()
    """Directories with a manifest that belong to no plugin of this bot."""


def is_of_interest(path: PurePath) -> bool:
    """Whether a change of this file can mean anything. Editors' own files, caches and data do not."""
    if any(part.startswith(".") or part == "__pycache__" for part in path.parts[-2:]):
        return False
    return path.suffix == CODE_SUFFIX or path.name in MANIFEST_NAMES or path.name == CONFIG_NAME


def read_changes(
    changed: Iterable[PurePath], plugins: Mapping[str, PurePath], roots: Iterable[PurePath]
) -> Meaning:
    """What changes mean.

    Args:
        changed: Files that were written, made or removed.
        plugins: The directory of each plugin of this bot; one may lie within another's.
        roots: The directories in which plugins are looked for.
    """
    code: set[str] = set()
    config: set[str] = set()
    new: set[PurePath] = set()
    tops = tuple(roots)
    for path in filter(is_of_interest, changed):
        owner = max(
            (each for each, directory in plugins.items() if path.is_relative_to(directory)),
            key=lambda each: len(plugins[each].parts),
            default="",
        )
        if owner:
            is_config = path == plugins[owner] / CONFIG_NAME
            if is_config:
                config.add(owner)
            elif path.name != CONFIG_NAME:
                code.add(owner)
        elif path.name in MANIFEST_NAMES and (path.parent in tops or path.parent.parent in tops):
            new.add(path.parent)
    return Meaning(code=tuple(sorted(code)), config=tuple(sorted(config - code)), new=tuple(sorted(new)))
