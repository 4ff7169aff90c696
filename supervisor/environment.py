"""Which Python do the runners of a shard run on, where that is not the host's own, and how is it built?

Two plugins that need different versions of one library live in two shards, each with packages of its own. An operator names an
interpreter (``python``), or a list of requirements; an environment for that is built once and found again by what it was built
from. While it is built its shard waits, the others do not, and a restart never builds anything. A runner takes the packages
of its environment first and the host's after them, so rookery itself need not be installed there.

One environment for all shards lost: it cannot hold two versions of a library. To install into the host's was never a choice:
what a plugin asks for must not change what the host imports.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import shutil
import signal
import sys
import sysconfig
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .process import Launch
    from .settings import ShardSettings

DIRECTORY = "environments"
"""Below the state directory; one for each list of requirements, by its digest."""

DONE, LOCK = ".complete", ".lock"

BUILD_TIMEOUT = 900.0
"""Seconds that building one may take, downloads included."""

LOCK_PERIOD = 0.2
"""Seconds between two looks whether another host has finished building the same."""

TAIL_CHARS = 400
"""Of what the installer says when it fails: its last lines name the reason."""

BOOT = (
    "import runpy,site,sys;"
    "[site.addsitedir(p) for p in {sites!r}];"
    "runpy.run_module('rookery.runner',run_name='__main__',alter_sys=True)"
)
"""How an interpreter of another environment becomes a runner: the host's packages come last."""

_LOG = logging.getLogger(__name__)


class NotBuilt(Exception):
    """An environment could not be built. The text names the reason and what was built from."""


@attrs.frozen
class Interpreter:
    """A Python that an operator has made."""

    python: Path

    def command(self) -> tuple[str, ...]:
        """What is started for a runner, without its arguments.

        Raises:
            OSError: There is no such interpreter.
        """
        if not os.access(self.python, os.X_OK):
            raise FileNotFoundError(None, f"there is no interpreter {self.python}")
        return command_of(self.python)

    @property
    def is_ready(self) -> bool:
        return True

    async def build(self) -> None:
        """There is nothing to build."""


@attrs.define(eq=False)
class Built:
    """An environment with what a file of requirements asks for."""

    requirements: Path
    directory: Path
    """Where all of them are."""
    failure: str = ""
    """Why the last attempt failed; "" when it did not, or there was none."""

    def command(self) -> tuple[str, ...]:
        """What is started for a runner, without its arguments.

        Raises:
            OSError: It is not there; the text says why.
        """
        place = self.place
        if not (place / DONE).is_file():
            raise FileNotFoundError(
                None, self.failure or f"the packages of {self.requirements} are not installed yet"
            )
        return command_of(place / "bin" / "python")

    @property
    def is_ready(self) -> bool:
        try:
            return (self.place / DONE).is_file()
        except OSError:
            return False

    @property
    def place(self) -> Path:
        """Where it is, or will be: another place when the file says something else.

        Raises:
            OSError: The file cannot be read.
        """
        made_from = (self.requirements.read_bytes(), sys.version.encode(), version("rookery").encode())
        return self.directory / hashlib.sha256(b"\0".join(made_from)).hexdigest()[:16]

    async def build(self) -> None:
        """Build it if it is not there; only one host at a time does.

        Raises:
            NotBuilt: It failed; nothing half-built is ever used.
        """
        try:
            place = self.place
            place.mkdir(parents=True, exist_ok=True)
            place.chmod(0o755)  # nothing in it is a secret, and shards that are users of their own read it
            async with _alone(place / LOCK):
                if not (place / DONE).is_file():
                    with trio.fail_after(BUILD_TIMEOUT):
                        await self._install(place)
                    (place / DONE).touch()
        except OSError as error:
            self.failure = (
                f"the environment for {self.requirements} cannot be made: {error.strerror or error}"
            )
        except trio.TooSlowError:
            self.failure = f"installing {self.requirements} took longer than {BUILD_TIMEOUT:g} s"
        except NotBuilt as error:
            self.failure = str(error)
        else:
            self.failure = ""
            return
        raise NotBuilt(self.failure)

    async def _install(self, place: Path) -> None:
        await trio.to_thread.run_sync(_empty, place)
        python = place / "bin" / "python"
        for step in _steps(place, str(python), str(self.requirements)):
            await self._run(step)

    async def _run(self, command: list[str]) -> None:
        ended = await trio.run_process(
            command,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            start_new_session=True,
            umask=0o022,  # shards that are users of their own have to be able to read it
            deliver_cancel=_end_group,
        )
        if ended.returncode:
            told = (ended.stderr or ended.stdout).decode("utf-8", "replace").strip()
            raise NotBuilt(
                f"installing {self.requirements} failed ({Path(command[0]).name} ended with {ended.returncode}):"
                f" {' '.join(told.split())[-TAIL_CHARS:]}"
            )


Environment = Interpreter | Built


async def _end_group(process: trio.Process) -> None:
    """An installer that is not wanted any more ends with all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _empty(place: Path) -> None:
    """Nothing is left of an attempt that did not end well."""
    for entry in place.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != LOCK:
            entry.unlink()


def _steps(place: Path, python: str, requirements: str) -> list[list[str]]:
    """The commands that make an environment: by uv where that is installed, else by pip, the host's own where it has one,
    because to give each environment its own takes longer than most lists of requirements."""
    uv = shutil.which("uv")
    if uv is not None:
        return [
            [uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(place)],
            [uv, "pip", "install", "--quiet", "--python", python, "-r", requirements],
        ]
    install = ["install", "--quiet", "--disable-pip-version-check", "-r", requirements]
    if find_spec("pip") is None:
        return [[sys.executable, "-m", "venv", str(place)], [python, "-m", "pip", *install]]
    return [
        [sys.executable, "-m", "venv", "--without-pip", str(place)],
        [sys.executable, "-m", "pip", "--python", python, *install],
    ]


def environment_of(shard: ShardSettings, state_dir: Path) -> Environment | None:
    """What a shard's settings ask for; ``None`` is the host's own."""
    if shard.python is not None:
        return Interpreter(Path(shard.python))
    if shard.requirements is not None:
        return Built(Path(shard.requirements), state_dir / DIRECTORY)
    return None


def with_command(launch: Launch, environment: Environment, runner_command: tuple[str, ...]) -> Launch:
    """The same start on another Python, never forked.

    Raises:
        OSError: The environment is not there.
    """
    arguments = launch.command[len(runner_command) :]
    return attrs.evolve(launch, command=(*environment.command(), *arguments), may_be_forked=False)


def command_of(python: Path) -> tuple[str, ...]:
    """What makes a runner of an interpreter, whatever is installed for it."""
    sites = list(dict.fromkeys((sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))))
    return (str(python), "-P", "-c", BOOT.format(sites=sites))


@asynccontextmanager
async def _alone(path: Path) -> AsyncIterator[None]:
    """Held while an environment is built: other hosts, and other shards of this one, wait."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            await trio.sleep(LOCK_PERIOD)
        yield
    finally:
        os.close(descriptor)
