"""What is in the folders is in the distribution: setuptools cannot find packages through a directory mapping."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.architecture.source import FOLDERS, ROOT, files_under

OFFLINE = ("Temporary failure in name resolution", "NewConnectionError", "Could not find a version")


def _installed_name(path: Path) -> str:
    return f"rookery/{path.relative_to(ROOT).as_posix()}"


def test_every_package_directory_is_listed() -> None:
    """A directory with an __init__.py that pyproject.toml does not list would be missing from the wheel."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    listed = set(settings["tool"]["setuptools"]["packages"])

    directories = {
        ".".join(Path(_installed_name(path)).parent.parts)
        for path in files_under(*FOLDERS)
        if path.name == "__init__.py"
    }

    assert directories == listed


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_says_that_it_is_typed(folder: str) -> None:
    """A namespace has no marker of its own: each of its parts carries one."""
    assert (ROOT / folder / "py.typed").is_file()


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_folders(tmp_path: Path) -> None:
    """Nothing that a plugin author or an operator needs stays behind in the repository."""
    if importlib.util.find_spec("pip") is None:
        pytest.skip("this environment has no pip to build a wheel with")
    # From a copy: a build leaves `build/` and an egg-info beside the sources.
    copy = tmp_path / "copy"
    for name in FOLDERS:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)

    pip = f"-m pip wheel --quiet --no-deps --wheel-dir {tmp_path} {copy}"
    done = subprocess.run([sys.executable, *pip.split()], capture_output=True, text=True, check=False)
    if any(sign in done.stderr for sign in OFFLINE):
        pytest.skip("the package index cannot be reached for the build's requirements")
    assert done.returncode == 0, done.stderr
    [wheel] = tmp_path.glob("rookery-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("rookery/")}

    assert packed == {_installed_name(path) for path in files_under(*FOLDERS, suffixes=None)}
