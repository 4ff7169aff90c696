"""What an attack reaches is in its own books, and not in those of the next."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

from .services import Services


def test_nothing_that_came_before_is_heard_later() -> None:
    """Whoever came and went unheard at once is heard by the time one asks: nobody else is blamed for it."""
    with tempfile.TemporaryDirectory(prefix="rk") as directory:  # the paths of sockets have to be short
        root = Path(directory)
        for name in ("home", "public"):
            (root / name).mkdir()
        with Services(root, "nonce", "secret") as services:
            for _ in range(20):
                with socket.socket() as made:
                    made.connect(("127.0.0.1", services.addresses["tcp"]))
            heard = services.take_heard()
            late = services.take_heard()

    assert (heard, late) == (["tcp heard b''"] * 20, [])
