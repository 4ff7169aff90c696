"""Who is compared, what does each need, and what was it spared? Environments are made on demand, outside the repository."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import attrs

HERE = Path(__file__).parent
DEFAULT_CACHE = Path.home() / ".cache" / "rookery-peers"
RAW = "raw"
"""The unit: what the others are divided by."""


class Absent(Exception):
    """A peer is not on this machine; the text says what would bring it."""


class InstallFailed(Exception):
    """A peer's environment could not be made."""


@attrs.frozen(kw_only=True)
class Peer:
    """One that is compared."""

    name: str
    driver: str
    """A file of this folder."""
    needs: tuple[str, ...] = ()
    """What pip installs into an environment of its own; nothing: the interpreter that runs the comparison is enough."""
    programs: tuple[str, ...] = ()
    """Programs that must be on the machine; one that runs the driver, if it is no Python, is the first."""
    variant: str = ""
    how: str = ""
    """What a call is here, and how 64 are in flight."""
    spared: str = ""
    """What it need not do in this measurement, and rookery does."""

    def command(self, cache: Path) -> list[str | Path]:
        """What starts its driver.

        Raises:
            Absent: Something that it needs is not there.
        """
        for program in self.programs:
            if shutil.which(program) is None:
                raise Absent(f"there is no `{program}` on this machine")
        if self.driver.endswith(".mjs"):
            return [self.programs[0], HERE / self.driver]
        return [self._python(cache), HERE / self.driver]

    def _python(self, cache: Path) -> str | Path:
        if not self.needs:
            return sys.executable
        environment = cache / self.name
        if _made_of(environment) != self._recipe():
            raise Absent(f"not installed in {cache}: run once with --install")
        return environment / "bin" / "python"

    def _recipe(self) -> str:
        return "\n".join([sys.version, *self.needs])

    def install(self, cache: Path) -> bool:
        """Make its environment, unless it is there; False when there was nothing to do.

        Raises:
            InstallFailed: pip could not, with the end of what it said.
        """
        environment = cache / self.name
        if not self.needs or _made_of(environment) == self._recipe():
            return False
        # Cleared first: one that was begun and never finished has no recipe, and is made anew.
        _run([sys.executable, "-m", "venv", "--clear", environment])
        python = environment / "bin" / "python"
        _run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *self.needs])
        (environment / "recipe.txt").write_text(self._recipe())
        return True


def _made_of(environment: Path) -> str:
    try:
        return (environment / "recipe.txt").read_text()
    except FileNotFoundError:
        return ""


def _run(command: list[str | Path]) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise InstallFailed(f"{' '.join(map(str, command[:4]))} …: {said[-1] if said else 'it said nothing'}")


NOT_SUPERVISED = "no supervision, no deadline, no order"

PEERS = (
    Peer(
        name=RAW, driver="drive_raw.py", how="1 KB there and back on trio SocketStreams", spared="everything"
    ),
    Peer(
        name="rookery",
        driver="drive_rookery.py",
        how="Supervisor.invoke, async handler; 64 trio tasks",
        spared="nothing: supervised, deadlines, order, started marks, metrics",
    ),
    Peer(
        name="rookery-plain",
        driver="drive_rookery.py",
        variant="plain",
        how="the same, the handler a plain function in a worker thread",
        spared="nothing",
    ),
    Peer(
        name="pipe",
        driver="drive_pipe.py",
        how="multiprocessing.Pipe behind one executor thread; 64 asyncio tasks, one call on the pipe",
        spared=f"{NOT_SUPERVISED}, no ids",
    ),
    Peer(
        name="executor",
        driver="drive_executor.py",
        how="ProcessPoolExecutor of one process; 64 asyncio tasks",
        spared="no deadline, no order; a death breaks the pool",
    ),
    Peer(
        name="pyzmq",
        driver="drive_pyzmq.py",
        needs=("pyzmq", "msgpack"),
        how="DEALER to ROUTER on asyncio over ipc, msgpack; 64 asyncio tasks",
        spared=f"{NOT_SUPERVISED}; a lost peer is not told",
    ),
    Peer(
        name="grpc",
        driver="drive_grpc.py",
        needs=("grpcio", "msgpack"),
        how="grpc.aio over a Unix socket, generic handler, msgpack; 64 asyncio tasks",
        spared="no supervision, no order, no deadline set, no schema",
    ),
    Peer(
        name="rpyc",
        driver="drive_rpyc.py",
        needs=("rpyc", "msgpack"),
        how="a method over a Unix socket, msgpack; 64 asynchronous calls of one thread",
        spared=f"{NOT_SUPERVISED}; the host's thread waits",
    ),
    Peer(
        name="pyro5",
        driver="drive_pyro5.py",
        needs=("Pyro5",),
        how="a method over a Unix socket, serpent; 64 threads with a proxy and a connection each",
        spared=f"{NOT_SUPERVISED}; the host's threads wait",
    ),
    Peer(
        name="pluggy",
        driver="drive_pluggy.py",
        needs=("pluggy",),
        how="a hook call inside one process; nothing is ever in flight",
        spared="the second process, the codec, and all that isolates",
    ),
    Peer(
        name="node",
        driver="drive_node.mjs",
        programs=("node",),
        how="child_process.fork and its JSON IPC; 64 promises",
        spared=f"{NOT_SUPERVISED}; V8 compiles",
    ),
    Peer(
        name="erlang",
        driver="drive_erlang.py",
        programs=("erl", "erlc"),
        how="gen_server:call to another node over loopback TCP; 64 processes",
        spared="no supervisor in the way, no order over callers; deadline and monitor are on; BEAM compiles",
    ),
)
