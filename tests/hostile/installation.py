"""Where do users who are not the developer find an interpreter, rookery, and what it needs?

The developer's own environment may lie in a home that nobody else may enter, as may the interpreter that it is made of. So a
virtual environment is put together on the spot, of an interpreter that everybody may run and of copies of what is installed
here. An operator has the like of it, and owns it: it is among the things that are attacked.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("protocol", "sharding", "runner", "supervisor")
VERSION = "{}.{}".format(*sys.version_info[:2])


class NoInterpreter(Exception):
    """There is none that another user could run; the text says what was looked at."""


def find_interpreter() -> Path:
    """One of this version that everybody may run.

    Raises:
        NoInterpreter: Every one that is known lies behind a directory that only its owner may enter.
    """
    named = [
        Path(sys.executable).resolve(),
        *(Path(each, f"python{VERSION}") for each in ("/usr/bin", "/usr/local/bin")),
    ]
    for path in named:
        if path.exists() and _is_for_everybody(path.resolve()):
            return path
    raise NoInterpreter(f"no Python {VERSION} that everybody may run; looked at {', '.join(map(str, named))}")


def _is_for_everybody(path: Path) -> bool:
    ways = all(each.stat().st_mode & stat.S_IXOTH for each in path.parents)
    return ways and path.stat().st_mode & 0o005 == 0o005


def install(place: Path, interpreter: Path) -> Path:
    """Make the environment, compiled, and readable by everybody.

    Returns:
        Its interpreter.
    """
    site = site_of(place)
    site.mkdir(parents=True)
    python = place / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(interpreter)
    (place / "pyvenv.cfg").write_text(f"home = {interpreter.parent}\ninclude-system-site-packages = false\n")
    for folder in FOLDERS:
        shutil.copytree(
            ROOT / folder, site / "rookery" / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copytree(Path(__file__).parent, site / "hostile", ignore=shutil.ignore_patterns("__pycache__"))
    for found in _needed("rookery", set()):
        _copy(found, site)
    subprocess.run([python, "-m", "compileall", "-q", site], check=True)
    subprocess.run(["chmod", "-R", "go+rX", place], check=True)
    return python


def site_of(place: Path) -> Path:
    """Where its packages lie."""
    return place / "lib" / f"python{VERSION}" / "site-packages"


def _needed(name: str, seen: set[str]) -> Iterator[Distribution]:
    """A distribution and everything that it needs, each once; extras are left out."""
    if name in seen:
        return
    seen.add(name)
    found = distribution(name)
    yield found
    for requirement in found.requires or ():
        wanted, _, marker = requirement.partition(";")
        if "extra" in marker:
            continue
        plain = re.split(r"[^A-Za-z0-9._-]", wanted.strip())[0].lower().replace("_", "-")
        try:
            yield from _needed(plain, seen)
        except PackageNotFoundError:
            continue  # for another system or version


def _copy(found: Distribution, site: Path) -> None:
    for file in found.files or ():
        source = Path(str(found.locate_file(file)))
        is_code = ".." not in file.parts and "__pycache__" not in file.parts and file.suffix != ".pth"
        if not is_code or file.name.startswith("__editable__") or not source.is_file():
            continue
        target = site / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def copy_for(place: Path, original: Path, uid: int) -> Path:
    """A copy for another user, who owns it.

    Returns:
        Its interpreter.
    """
    shutil.copytree(original, place, symlinks=True)
    give(place, uid)
    return place / "bin" / "python"


def give(place: Path, uid: int) -> None:
    """All below belongs to a user from now on; only root can do that."""
    if os.getuid() == uid:
        return
    for directory, folders, files in os.walk(place):
        for name in (".", *folders, *files):
            os.chown(Path(directory, name), uid, uid, follow_symlinks=False)
