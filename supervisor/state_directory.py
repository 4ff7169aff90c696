"""Where does a deployment keep its state, and what are the files called that host and command line share?

Imports nothing heavy: `rookery status` finds the directory of a running host without loading the event loop.
"""

from __future__ import annotations

import os
import sys
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


CONFIG_NAME = "rookery.toml"
CONTROL_SOCKET = "control.sock"
RUN_LOCK = "run.lock"
LOG_FILE = Path("log", "rookery.log")
AUDIT_FILE = Path("audit.jsonl")
APPROVALS_FILE = Path("approvals.json")

MAX_SOCKET_PATH = 103
"""Bytes in the path of a Unix socket: 104 with the final zero on macOS, 108 on Linux."""


def state_dir_of(config_path: Path, name: str, configured: str | None, environ: Mapping[str, str]) -> Path:
    """Say where the state of a deployment lies; an absolute path that need not exist.

    Args:
        name: The deployment's name; the directory below the user's state home is called so.
        configured: `state_dir` of the configuration; relative to the configuration's directory, `~` is the home.
            ``None`` or empty takes the user's state home.
        environ: `XDG_STATE_HOME` is read, and `HOME` without it.
    """
    if configured:
        return Path(os.path.abspath(config_path.absolute().parent / Path(configured).expanduser()))
    home = Path(environ.get("XDG_STATE_HOME", ""))
    if not home.is_absolute():  # the XDG rules: a relative value is as good as none
        home = Path(environ.get("HOME") or Path.home()) / ".local" / "state"
    return home / "rookery" / name


def find_state_dir(config_path: Path, environ: Mapping[str, str]) -> Path:
    """Read from a configuration file only what says where its state lies.

    Args:
        config_path: The file, or the directory that has it under the name rookery.toml.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not TOML, or the two keys that are read are not texts.
    """
    config_path = locate_config(config_path)
    table = tomllib.loads(config_path.read_bytes().decode("utf-8-sig")).get("rookery", {})
    if not isinstance(table, dict):
        raise ValueError("[rookery] must be a table")
    name, configured = table.get("name") or default_name(config_path), table.get("state_dir")
    for key, value in (("name", name), ("state_dir", configured or "")):
        if not isinstance(value, str):
            raise ValueError(f"rookery.{key} must be a text, got {value!r}")
    return state_dir_of(config_path, name, configured, environ)


def locate_config(path: Path) -> Path:
    """The file that is meant by a file or by a directory with a rookery.toml in it; absolute, links followed."""
    return (path / CONFIG_NAME if path.is_dir() else path).resolve()


def default_name(config_path: Path) -> str:
    """What a deployment is called that does not say so: as its directory."""
    return config_path.absolute().parent.name or "rookery"


def make_state_dir(path: Path) -> None:
    """Create the directory, readable by nobody else; one that exists keeps its permissions.

    Raises:
        OSError: It cannot be created, or something that is no directory has its name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def control_address(state_dir: Path) -> Iterator[str]:
    """Give an address of the control socket that fits into a socket address, valid inside the block.

    The path of a Unix socket has room for about a hundred bytes. A directory that lies deeper is reached through an
    open descriptor where the kernel names descriptors in a file system.

    Raises:
        OSError: The directory is not there, or its path is too long on this system.
    """
    path = state_dir / CONTROL_SOCKET
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH:
        yield str(path)
        return
    if sys.platform != "linux":
        raise OSError(f"the path {path} is longer than the {MAX_SOCKET_PATH} bytes a socket's path may have")
    descriptor = os.open(state_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{CONTROL_SOCKET}"
    finally:
        os.close(descriptor)
