"""Does a shard's isolation keep what it promises, on this machine, now? Canaries are planted, and hunted from inside of it."""

from __future__ import annotations

import json
import os
import secrets
import select
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import attrs

from . import isolation_probe
from .isolation import child_environment
from .process import Launch, Process, start
from .profiles import Isolation, Reached

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rookery.protocol import AssignedPlugin

    from .confiner import Confiner
    from .settings import ShardSettings

PROBE = Path(isolation_probe.__file__)

SECONDS = 30.0
"""For the whole hunt."""

NETWORK = frozenset({"connect_by_tcp", "send_by_udp"})
"""What `network = true` allows."""
PROCESSES = frozenset({"start_a_process"})
"""What `allow_subprocess = true` allows."""
OF_A_PROCESS = frozenset({"read_own_environment", "find_descriptors"})
"""What even a plain process keeps away."""


class NoProof(Exception):
    """The probe could not be run; the text says why."""


@attrs.frozen(kw_only=True)
class Attempt:
    """One thing that was tried from inside."""

    name: str
    reached: str
    """What it has got; "" for nothing."""
    is_promised: bool
    """The profile promises that it gets nothing."""

    @property
    def is_breach(self) -> bool:
        return self.is_promised and bool(self.reached)


def prove(
    confiner: Confiner, settings: ShardSettings, plugins: Sequence[AssignedPlugin], config: Path
) -> tuple[Reached, tuple[Attempt, ...]]:
    """Run the probe in the isolation of a shard. Blocks for a second.

    Args:
        config: The file of the deployment, which is one of the canaries.

    Raises:
        NoProof: It could not be run: the profile is not to be had, or the probe failed.
    """
    reached = confiner.reach(settings)
    if isinstance(reached, str):
        raise NoProof(reached)
    token = secrets.token_hex(8)
    with _planted(token, config, plugins) as canaries:
        found = _hunt(confiner, settings, plugins, canaries)
    promised = promised_by(reached.profile, settings)
    attempts = [
        Attempt(name=name.replace("_", " "), reached=what, is_promised=name in promised)
        for name, what in found.items()
    ]
    return reached, tuple(attempts)


def promised_by(profile: Isolation, settings: ShardSettings) -> frozenset[str]:
    """The attempts that get nothing under a profile."""
    if profile is Isolation.PROCESS:
        return OF_A_PROCESS
    names = frozenset(attempt.__name__ for attempt in isolation_probe.ATTEMPTS)
    names -= NETWORK if settings.network else frozenset()
    return names - (PROCESSES if settings.allow_subprocess else frozenset())


def _hunt(
    confiner: Confiner, settings: ShardSettings, plugins: Sequence[AssignedPlugin], canaries: dict[str, Any]
) -> dict[str, str]:
    ours, theirs = socket.socketpair()
    reading, writing = os.pipe()
    errors_in, errors_out = os.pipe()
    with ExitStack() as stack:
        stack.enter_context(ours)
        stack.enter_context(theirs)
        for descriptor in (reading, writing, errors_in, errors_out):
            stack.callback(_close, descriptor)
        canaries = {**canaries, "own_descriptors": [theirs.fileno()]}
        launch = Launch(
            command=(sys.executable, "-I", "-S", "-c", PROBE.read_text("utf-8"), json.dumps(canaries)),
            environment=child_environment(os.environ, settings.environment),
            stdout=writing,
            stderr=errors_out,
            inherited=(theirs.fileno(),),
            limits=settings.limits,
            link=theirs.fileno(),
        )
        process = Process(start(confiner.confine(launch, settings, plugins)))
        stack.callback(_end, process)
        _close(writing)
        _close(errors_out)
        answer = _read_all(reading, SECONDS)
        try:
            found: dict[str, str] = json.loads(answer)
        except ValueError:
            said = _read_all(errors_in, 1.0).decode("utf-8", "replace").strip()
            raise NoProof(f"the probe gave no answer: {said or 'and said nothing'}") from None
    return found


def _end(process: Process) -> None:
    process.kill()
    while process.reap() is None:
        select.select([], [], [], 0.01)


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        pass  # closed before


def _read_all(descriptor: int, seconds: float) -> bytes:
    found = b""
    while select.select([descriptor], [], [], seconds)[0]:
        data = os.read(descriptor, 65536)
        if not data:
            break
        found += data
    return found


@contextmanager
def _planted(token: str, config: Path, plugins: Sequence[AssignedPlugin]) -> Iterator[dict[str, Any]]:
    """Everything that must not be found, for as long as the block runs."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="rookery-proof-")))
        directory.chmod(0o755)
        secret, other = directory / "secret", directory / "data" / "of another shard"
        other.parent.mkdir()
        for path in (secret, other):
            path.write_text(token, "utf-8")
        copy = directory / config.name
        copy.write_text("# a copy, which the probe may spoil\n", "utf-8")
        os.environ["ROOKERY_CANARY"] = token
        stack.callback(os.environ.pop, "ROOKERY_CANARY", None)
        sibling = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", "import sys; sys.stdin.read()", token],
                stdin=subprocess.PIPE,
                env={"ROOKERY_CANARY": token},
            )
        )
        assert sibling.stdin is not None
        stack.callback(sibling.stdin.close)
        servers = _Servers(token, str(directory / "socket"), f"rookery-proof-{token}")
        stack.callback(servers.close)
        yield {
            "token": token,
            "secret_file": str(secret),
            "other_data": str(other),
            "config_file": str(copy),
            "code": [each.path for each in plugins if each.path],
            "host": os.getpid(),
            "sibling": sibling.pid,
            **servers.addresses,
        }


class _Servers:
    """Listeners that tell the token to whoever reaches them."""

    def __init__(self, token: str, path: str, abstract: str) -> None:
        self._token = token.encode()
        tcp = socket.create_server(("127.0.0.1", 0))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        by_path, by_name = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        by_path.bind(path)
        os.chmod(path, 0o777)
        by_name.bind(f"\0{abstract}")
        for sock in (by_path, by_name):
            sock.listen()
        self._sockets = (tcp, udp, by_path, by_name)
        self.addresses = {
            "tcp": tcp.getsockname()[1],
            "udp": udp.getsockname()[1],
            "unix": path,
            "abstract": abstract,
        }
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="canaries", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.close()
        self._thread.join()
        for sock in (*self._sockets, self._stopped):
            sock.close()

    def _serve(self) -> None:
        while True:
            readable, _, _ = select.select([*self._sockets, self._stopped], [], [])
            if self._stopped in readable:
                return
            for sock in readable:
                if sock.type == socket.SOCK_DGRAM:
                    _, address = sock.recvfrom(64)
                    sock.sendto(self._token, address)
                else:
                    connection, _ = sock.accept()
                    with connection:
                        connection.sendall(self._token)
