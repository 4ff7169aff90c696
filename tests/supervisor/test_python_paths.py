"""What of the file system a runner's interpreter is let read, and what of it a home keeps."""

from __future__ import annotations

import sys
from pathlib import Path

from rookery.supervisor.python_paths import is_below, outermost, python_paths


def made(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def covered(path: Path, paths: list[str]) -> bool:
    return any(is_below(str(path), each) for each in paths)


def test_the_hosts_own_interpreter_and_rookery_are_among_them() -> None:
    """Else no runner would start."""
    found = python_paths(sys.executable)

    assert covered(Path(sys.executable), ["/usr", *found])
    assert any(each.endswith(("/runner", "/lib")) or "site-packages" in each for each in found)


def test_an_interpreter_of_a_home_does_not_open_the_home(tmp_path: Path) -> None:
    """Below ``.local`` are keys, and the state of every program."""
    local = tmp_path / ".local"
    real = made(local / "share" / "pythons" / "3.12" / "bin" / "python3.12")
    library = made(local / "share" / "pythons" / "3.12" / "lib" / "python3.12" / "os.py")
    link = local / "bin" / "python3.12"
    link.parent.mkdir()
    link.symlink_to(real)
    secret = made(local / "state" / "rookery" / "bot" / "store.db")

    found = python_paths(str(link))

    assert covered(real, found)
    assert covered(library, found)
    assert covered(link, found)
    assert not covered(secret, found)


def test_an_environment_in_the_directory_of_the_bot_does_not_open_that(tmp_path: Path) -> None:
    """``python -m venv .`` is common."""
    python = made(tmp_path / "bin" / "python")
    made(tmp_path / "pyvenv.cfg", "home = /usr/bin")
    library = made(tmp_path / "lib" / "python3.11" / "site-packages" / "x.py")
    config = made(tmp_path / "rookery.toml")

    found = python_paths(str(python))

    assert covered(library, found)
    assert covered(tmp_path / "pyvenv.cfg", found)
    assert not covered(config, found)


def test_a_link_to_itself_ends(tmp_path: Path) -> None:
    """A broken installation is the start's complaint."""
    link = tmp_path / "bin" / "python"
    link.parent.mkdir()
    link.symlink_to(link)

    assert isinstance(python_paths(str(link)), list)


def test_what_is_below_another_is_not_told_twice() -> None:
    """Nor what is the system's, which every runner reads."""
    assert outermost(["/a/b/c", "/a/b", "/a/bc", "/usr/lib/x", "/"]) == ["/a/b", "/a/bc"]
