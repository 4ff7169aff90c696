"""Who listens on the machine that is attacked, and what have they heard? A thread of the host's, so that it hears always."""

from __future__ import annotations

import os
import pty
import selectors
import socket
import termios
import threading
from collections.abc import Callable
from pathlib import Path

GREETING = "service"

STOP, TELL = b"x", b"?"


class Services:
    """Listeners of every kind, each of which greets whoever comes.

    Attributes:
        heard: What came, by kind, since it was last taken.
    """

    def __init__(self, root: Path, nonce: str, secret: str) -> None:
        self.heard: list[str] = []
        self._secret = secret.encode()
        self._selector = selectors.DefaultSelector()
        self._asked, self._ask = os.pipe()
        self._is_quiet = threading.Event()
        self._open: list[socket.socket] = []
        self.addresses: dict[str, object] = {
            "unix": str(root / "home" / "agent.sock"),
            "engine": str(root / "public" / "engine.sock"),
            "unix_datagram": str(root / "public" / "log.sock"),
            "abstract": f"rookery-{nonce}-service",
        }
        self._listen("tcp", socket.socket(), ("127.0.0.1", 0))
        self._listen("unix", socket.socket(socket.AF_UNIX), self.addresses["unix"])
        self._listen("engine", socket.socket(socket.AF_UNIX), self.addresses["engine"])
        self._listen("abstract", socket.socket(socket.AF_UNIX), f"\0{self.addresses['abstract']}")
        self._receive("udp", socket.socket(type=socket.SOCK_DGRAM), ("127.0.0.1", 0))
        self._receive(
            "log", socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), self.addresses["unix_datagram"]
        )
        os.chmod(root / "public" / "engine.sock", 0o666)
        os.chmod(root / "public" / "log.sock", 0o666)
        self._open_terminal()
        self._selector.register(self._asked, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._run, name="services", daemon=True)

    def __enter__(self) -> Services:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._ask, STOP)
        self._thread.join()
        self._selector.close()
        for made in self._open:
            made.close()
        for number in (self._asked, self._ask, *self._terminal):
            os.close(number)

    def take_heard(self) -> list[str]:
        """What came since the last time; nothing that was sent before this call is left to the next.

        Raises:
            AssertionError: Somebody did not let a listener come to an end.
        """
        self._is_quiet.clear()
        os.write(self._ask, TELL)
        assert self._is_quiet.wait(10.0), "the services are busy without end"
        heard, self.heard = self.heard, []
        return heard

    def _listen(self, name: str, made: socket.socket, address: object) -> None:
        made.bind(address)
        try:
            made.setsockopt(socket.IPPROTO_TCP, 23, 5)  # TCP_FASTOPEN
        except OSError:
            pass  # no TCP, or a kernel without
        made.listen()
        self._take(name, made, lambda: self._greet(name, made))

    def _receive(self, name: str, made: socket.socket, address: object) -> None:
        made.bind(address)
        self._take(name, made, lambda: self._note(name, made.recv(2048)))

    def _take(self, name: str, made: socket.socket, act: Callable[[], None]) -> None:
        self._open.append(made)
        if made.family == socket.AF_INET:
            self.addresses[name] = made.getsockname()[1]
        self._selector.register(made, selectors.EVENT_READ, act)

    def _open_terminal(self) -> None:
        leader, follower = self._terminal = pty.openpty()
        settings = termios.tcgetattr(follower)
        settings[3] |= termios.ECHO
        termios.tcsetattr(follower, termios.TCSANOW, settings)
        self.addresses["terminal"] = os.ttyname(follower)
        self._selector.register(
            leader, selectors.EVENT_READ, lambda: self._note("terminal", os.read(leader, 4096))
        )

    def _greet(self, name: str, made: socket.socket) -> None:
        came, _ = made.accept()
        with came:
            came.settimeout(0.3)
            try:
                came.sendall(GREETING.encode() + b" " + self._secret)
                self._note(name, came.recv(256))
            except OSError:
                self._note(name, b"")

    def _note(self, name: str, content: bytes) -> None:
        self.heard.append(f"{name} heard {content[:80]!r}")

    def _run(self) -> None:
        asked = b""
        while asked != STOP:
            ready = self._selector.select(0 if asked else None)
            for key, _ in ready:
                if key.data is None:
                    asked = os.read(self._asked, 1)
                else:
                    key.data()
            if asked == TELL and not ready:
                self._is_quiet.set()
                asked = b""
