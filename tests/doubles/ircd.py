"""A real IRC server: `ngircd` on a free loopback port, with its files in a directory of the test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import pytest

START_TIMEOUT = 10.0  # seconds; it takes some 20 ms
STOP_TIMEOUT = 5.0

_CONFIG = """\
[Global]
Name = irc.test.local
Info = a server for tests
AdminEMail = admin@irc.test.local
Listen = 127.0.0.1
Ports = {port}
MotdPhrase = welcome
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxPenaltyTime = 0
MaxJoins = 0
MaxNickLength = 16
[Options]
DNS = no
Ident = no
PAM = no
IncludeDir = {directory}
[SSL]
{tls}
"""


def find_ngircd() -> str | None:
    """Where the server is; Debian keeps it beside the commands of the administrator."""
    return shutil.which("ngircd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """A port of the loopback that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@attrs.define
class Ircd:
    """A server that can be stopped and started again on the same port."""

    program: str
    directory: Path
    port: int = attrs.Factory(free_port)
    tls_port: int = 0
    """The port with TLS; 0 for none."""
    _process: subprocess.Popen[bytes] | None = None

    def start(self, *, certificate: Path | None = None, key: Path | None = None) -> None:
        """Start it and return when it takes connections."""
        tls = ""
        if certificate is not None and key is not None:
            self.tls_port = self.tls_port or free_port()
            tls = f"Ports = {self.tls_port}\nCertFile = {certificate}\nKeyFile = {key}"
        included = self.directory / "ngircd.conf.d"
        included.mkdir(exist_ok=True)
        config = self.directory / "ngircd.conf"
        config.write_text(_CONFIG.format(port=self.port, directory=included, tls=tls))
        with (self.directory / "ngircd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.program, "--nodaemon", "--config", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._wait_listening(self._process)

    def stop(self) -> None:
        """Stop it; its clients see the connection end."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _wait_listening(self, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + START_TIMEOUT
        while time.monotonic() < end and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1.0).close()
            except ConnectionRefusedError:
                time.sleep(0.005)  # a process that does not tell when it listens
            else:
                return
        self.stop()
        raise RuntimeError(f"ngircd did not start:\n{(self.directory / 'ngircd.log').read_text()}")


@contextmanager
def open_ircd(directory: Path) -> Iterator[Ircd]:
    """A running server; the test is skipped, visibly, where none is installed."""
    program = find_ngircd()
    if program is None:
        pytest.skip("ngircd is not installed (Debian package `ngircd`): no real IRC server to test with")
    ircd = Ircd(program, directory)
    ircd.start()
    try:
        yield ircd
    finally:
        ircd.stop()
