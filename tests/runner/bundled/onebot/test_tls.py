"""The gateway talks TLS to whom it trusts, and says why it does not trust another."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
import trio

from rookery.runner.bundled.onebot.settings import Dial
from tests.doubles.certificates import Certificate, make_certificate
from tests.doubles.onebot_platform import open_platform_server

from .conftest import FakeHost, answer, dialling

pytestmark = pytest.mark.slow


@pytest.fixture
def certificate(state_dir: Path) -> Certificate:
    return make_certificate(state_dir)


async def test_a_platform_with_a_certificate_that_is_trusted(
    certificate: Certificate, host: FakeHost, nursery: trio.Nursery
) -> None:
    """The same conversation over TLS."""
    async with open_platform_server(context=certificate.context()) as server:
        client = dialling(host, server.url)
        client.settings = attrs.evolve(
            client.settings, way=Dial(url=server.url, ca_file=str(certificate.certificate))
        )
        nursery.start_soon(client.run)
        platform = await server.accept()
        await platform.say("hi")
        await host.wait_messages(1)

        assert (await client.say(answer())).message_id == "1000"


@pytest.mark.parametrize(
    ("ca_file", "words"),
    [
        ("", "certificate verify failed"),
        ("/nowhere/at/all.pem", "tls_ca_file '/nowhere/at/all.pem' cannot be used"),
    ],
)
async def test_a_platform_that_is_not_trusted_is_not_spoken_to(
    certificate: Certificate,
    host: FakeHost,
    nursery: trio.Nursery,
    caplog: pytest.LogCaptureFixture,
    ca_file: str,
    words: str,
) -> None:
    """The log says why, and the gateway goes on trying."""
    async with open_platform_server(context=certificate.context()) as server:
        client = dialling(host, server.url)
        client.settings = attrs.evolve(client.settings, way=Dial(url=server.url, ca_file=ca_file))
        nursery.start_soon(client.run)
        with trio.fail_after(20):
            while caplog.text.count("next attempt in") < 2:
                await trio.sleep(0.01)  # only the log tells

    assert words in caplog.text
    assert host.accounts == []
