"""How does a runner of the original kind reach its host, and how does it prove that it is the one that was started?

It gets no descriptor, but an address and a token in its environment (protocol 1.0.0, 1.6 and 1.14). So each incarnation has a
socket of its own in a directory that nobody else can open, and a token of its own. Three things are looked at: the kernel says
which process has connected, which must be the one that was started or come from it; the token is compared in constant time,
and holds for one hello; and nobody is let in after the first.

The original one loads every plugin that it finds below its roots. What it is to load is therefore laid out for it: one
directory with a symbolic link to each plugin of its shard.
"""

from __future__ import annotations

import hmac
import os
import secrets
import shutil
import socket
import struct
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from .guarded_socket import refuse_descriptors
from .process_look import stat_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DIRECTORY = "originals"
"""Below the state directory; one for each living incarnation."""

MAX_ADDRESS = 103
"""Bytes of the path of a socket that every system has room for."""

SOCKET_NAME = "s"
ROOT_NAME = "plugins"

TOKEN_BYTES = 32
MOST_ANCESTORS = 16
"""So many steps a process may stand below the one that was started: wrappers, not a forest."""

ACCEPT_PERIOD = 0.1
"""Seconds until a connection is taken again that could not be taken for want of a descriptor."""

_UNUSABLE = ("data", "__pycache__")
"""Names of directories in which an original runner looks for no plugin; nor in those that begin with a dot."""


class Reception:
    """Where one runner is awaited. ``close`` must be called.

    Args:
        directory: Is made; what an earlier host has left there is removed.
        plugins: The directory of each plugin, by id.

    Raises:
        OSError: It cannot be made; nothing is left of it.
    """

    def __init__(self, directory: Path, plugins: Mapping[str, str]) -> None:
        self._token = secrets.token_hex(TOKEN_BYTES)
        with ExitStack() as stack:
            self._directory = _make(directory)
            stack.callback(shutil.rmtree, self._directory, ignore_errors=True)
            self.root = self._directory / ROOT_NAME
            self.address = self._directory / SOCKET_NAME
            _lay_out(self.root, plugins)
            self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            stack.callback(self._listener.close)
            os.fchmod(self._listener.fileno(), 0o600)
            refuse_descriptors(self._listener)  # so that nothing lies there before the connection is taken
            self._listener.bind(str(self.address))
            self._listener.listen(1)
            self._ours = stack.pop_all()

    @property
    def token(self) -> str:
        """For the environment of the one that is started; "" when it has been shown."""
        return self._token

    def admits(self, token: str) -> bool:
        """Whether this is the token. It holds once: every later hello is refused."""
        expected, self._token = self._token, ""
        return bool(expected) and hmac.compare_digest(expected.encode(), token.encode("utf-8", "replace"))

    async def receive(self, into: socket.socket, pid: int, on_stranger: Callable[[int], None]) -> None:
        """Wait for the runner and put its connection in the place of another one; nobody is let in from then on.

        Args:
            into: Nobody waits on it yet. Its number becomes that of the connection.
            pid: The process that was started, the leader of its session.
            on_stranger: Told the process id of each that has no business here; it is not read, and is turned away.
        """
        with trio.socket.from_stdlib_socket(self._listener) as listener:
            while True:
                try:
                    connection, _ = await listener.accept()
                except OSError:
                    await trio.sleep(ACCEPT_PERIOD)
                    continue
                with connection:
                    peer = _peer_of(connection)
                    if peer is None or comes_from(peer, pid):
                        refuse_descriptors(connection)
                        os.dup2(connection.fileno(), into.fileno(), inheritable=False)
                        break
                    on_stranger(peer)
        self.address.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove all of it; doing it twice is fine."""
        self._ours.close()


def comes_from(pid: int, ancestor: int) -> bool:
    """Whether a process is another one, in its session, or a descendant of it."""
    try:
        if pid == ancestor or os.getsid(pid) == ancestor:
            return True
    except OSError:
        return False
    for _ in range(MOST_ANCESTORS):
        fields = stat_fields(pid)
        pid = int(fields[1]) if fields is not None else 0
        if pid == ancestor:
            return True
        if pid <= 1:
            break
    return False


def _peer_of(connection: trio.socket.SocketType) -> int | None:
    """The process that has connected; None where the kernel does not say, and the token is the only proof."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    credentials = connection.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[0])


def _make(directory: Path) -> Path:
    """A fresh directory for nobody else; elsewhere where a socket's path would be too long."""
    if len(os.fsencode(directory / SOCKET_NAME)) > MAX_ADDRESS:
        return Path(tempfile.mkdtemp(prefix="rookery-"))
    directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shard = directory.name.rpartition(".")[0]
    for left in directory.parent.glob(f"{shard}.*"):
        if left.name.rpartition(".")[0] == shard:
            shutil.rmtree(left, ignore_errors=True)
    directory.mkdir(mode=0o700)
    return directory


def _lay_out(root: Path, plugins: Mapping[str, str]) -> None:
    root.mkdir(mode=0o700)
    for plugin_id, path in plugins.items():
        name = Path(path).name
        if name.startswith(".") or name.casefold() in _UNUSABLE or os.path.lexists(root / name):
            name = plugin_id
        (root / name).symlink_to(path, target_is_directory=True)
