"""A certificate that nobody but a test trusts."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import attrs
import pytest


@attrs.frozen
class Certificate:
    """A self-signed certificate for 127.0.0.1, and for whoever was named besides."""

    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """For the server that shows it."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self.key)
        return context


def make_certificate(directory: Path, *names: str) -> Certificate:
    """Make one; a test is skipped where there is no openssl.

    Args:
        names: Whom it is for besides, such as ``DNS:shop.test``.
    """
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: no certificate to test TLS with")
    made = Certificate(directory / "certificate.pem", directory / "key.pem")
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        f" -subj /CN=127.0.0.1 -addext subjectAltName={','.join(('IP:127.0.0.1', *names))} -keyout {made.key} -out {made.certificate}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    return made
