"""How can a runner not hand its host a descriptor, whose end the host would have to wait for?

Descriptors can be sent over a Unix socket. Those that the other side does not take are closed by whoever reads the bytes that they
came with, or closes the socket; and to close a TCP connection may mean to wait until its peer has taken everything, for as
long as its owner has said (``SO_LINGER``). So one message of a hostile runner would hold the host's loop for hours, in a read
that cannot block. From Linux 6.16 on a socket can refuse descriptors: then the runner's own call fails. On older kernels the
host takes each that comes, has a thread close it, and talks to that runner no more.
"""

from __future__ import annotations

import array
import errno
import os
import socket
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import trio

SO_PASSRIGHTS = 83
"""Of Linux, as on every processor that Python is built for there; Python has no name for it yet."""

MOST_DESCRIPTORS = 253
"""In one message (SCM_MAX_FD of Linux). What does not fit is closed by the kernel on the spot."""

_LAST_BYTES = 65536


def open_link_pair() -> tuple[socket.socket, socket.socket]:
    """The host's end of a link, which takes no descriptors, and the runner's.

    Raises:
        OSError: There are no descriptors left.
    """
    ours, theirs = socket.socketpair()
    if not refuse_descriptors(ours):
        ours = GuardedSocket(fileno=ours.detach())
    return ours, theirs


def refuse_descriptors(sock: socket.socket | trio.socket.SocketType) -> bool:
    """Have the kernel let nobody send descriptors to a socket; whether it does so."""
    if sys.platform != "linux":
        return False
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_PASSRIGHTS, 0)
        return sock.getsockopt(socket.SOL_SOCKET, SO_PASSRIGHTS) == 0
    except OSError:
        return False


class GuardedSocket(socket.socket):
    """A socket of the host's where the kernel cannot refuse descriptors for it."""

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """As of a socket.

        Raises:
            OSError: Descriptors have come, besides what a socket raises. They are closed elsewhere.
        """
        data, descriptors = self._receive(bufsize, flags)
        if descriptors:
            close_elsewhere(descriptors)
            raise OSError(errno.EBADMSG, "it sent descriptors, which nobody takes")
        return data

    def close(self) -> None:
        """As of a socket; what has come and was not read has no descriptors left then."""
        if self.fileno() >= 0:
            self._take_the_rest()
        super().close()

    def _receive(self, size: int, flags: int = 0) -> tuple[bytes, list[int]]:
        room = socket.CMSG_SPACE(MOST_DESCRIPTORS * array.array("i").itemsize)
        data, ancillary, _, _ = self.recvmsg(size, room, flags)
        found = array.array("i")
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                found.frombytes(content[: len(content) - len(content) % found.itemsize])
        return data, found.tolist()

    def _take_the_rest(self) -> None:
        try:
            self.shutdown(socket.SHUT_RD)  # so that it has an end
        except OSError:
            pass  # its peer has gone
        try:
            while True:
                data, descriptors = self._receive(_LAST_BYTES, socket.MSG_DONTWAIT)
                if descriptors:
                    close_elsewhere(descriptors)
                if not data:
                    return
        except OSError:
            return  # nothing more is there


def close_elsewhere(descriptors: Iterable[int]) -> None:
    """Close them in a thread, which may wait for as long as it likes."""
    threading.Thread(
        target=_close_all, args=(tuple(descriptors),), name="closes descriptors", daemon=True
    ).start()


def _close_all(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        try:
            os.close(descriptor)
        except OSError:
            pass  # it is closed all the same
