"""What of the file system does an interpreter need to read, to run a runner: itself, its libraries, and rookery?

Never a whole prefix. That of an interpreter below a home is the home's `.local`, with keys and the state of every program in it,
and an environment may have been made in the directory of the bot.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from .launch_stage import __file__ as STAGE_FILE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PARTS = ("bin", "lib", "lib64", "ssl", "pyvenv.cfg")
"""Of a prefix: programs, libraries, certificates, and what makes it an environment."""

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
"""Every runner reads these anyway."""

PACKAGES = ("rookery", "rookery.runner", "rookery.protocol")
INSTALLED = {"site-packages", "dist-packages"}

MOST_LINKS = 16


def python_paths(command: str) -> list[str]:
    """Absolute paths of files and directories that are there, none of them below another.

    Args:
        command: The interpreter.
    """
    found = [STAGE_FILE, *_parts_of(Path(sys.prefix)), *_parts_of(Path(sys.base_prefix))]
    for package in PACKAGES:
        spec = find_spec(package)  # found, not imported: a host knows nothing of what a runner does
        found += spec.submodule_search_locations or () if spec is not None else ()
    for program in (command, sys.executable):
        for path in _links_of(program):
            found += _parts_of(path.parent.parent) if path.parent.name == "bin" else [str(path)]
    found += [path for path in sys.path if INSTALLED & set(Path(path).parts)]
    return outermost(os.path.abspath(each) for each in found if os.path.exists(each))


def outermost(paths: Iterable[str]) -> list[str]:
    """Those that are below no other, and not the system's."""
    kept: list[str] = []
    for path in sorted(dict.fromkeys(paths)):
        if path != "/" and not any(is_below(path, other) for other in (*SYSTEM, *kept)):
            kept.append(path)
    return kept


def is_below(path: str, other: str) -> bool:
    """Whether it is that path, or stands somewhere in it."""
    return path == other or path.startswith(f"{other}/")


def _parts_of(prefix: Path) -> list[str]:
    return [str(prefix / part) for part in PARTS]


def _links_of(program: str) -> Iterator[Path]:
    """The path, what it leads to, what that leads to, and what all of it comes to in the end."""
    path = Path(os.path.abspath(program))
    for _ in range(MOST_LINKS):
        yield path
        if not path.is_symlink():
            break
        path = Path(os.path.abspath(path.parent / path.readlink()))
    yield Path(os.path.realpath(program))
