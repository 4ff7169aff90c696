"""A connection whose last owner waits when it closes it. Nothing of rookery is imported: a hostile runner makes one too."""

from __future__ import annotations

import socket
import struct


def open_lingering(seconds: int) -> tuple[socket.socket, socket.socket]:
    """One end, full, on which a close waits for so long; and its peer, which reads nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        full = socket.create_connection(server.getsockname())
        peer, _ = server.accept()
    full.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, seconds))
    full.setblocking(False)
    try:
        while True:
            full.send(b"x" * 65536)
    except BlockingIOError:
        return full, peer
