"""The gateway talks TLS to whom it trusts, and says why it does not trust another."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
import trio
import trio.testing

from rookery.runner.bundled.irc.settings import Endpoint
from tests.doubles.certificates import Certificate, make_certificate
from tests.doubles.irc_peers import open_person, open_scripted_server, welcome
from tests.doubles.ircd import Ircd

from .conftest import FakeHost, client_for

pytestmark = pytest.mark.slow


@pytest.fixture
def certificate(state_dir: Path) -> Certificate:
    return make_certificate(state_dir)


async def test_tls_with_a_real_server(
    ircd: Ircd, certificate: Certificate, host: FakeHost, nursery: trio.Nursery
) -> None:
    """With the CA file, the same conversation goes over TLS."""
    ircd.stop()
    ircd.start(certificate=certificate.certificate, key=certificate.key)
    endpoint = Endpoint(host="127.0.0.1", port=ircd.tls_port, tls=True, ca_file=str(certificate.certificate))
    client = client_for(host, ircd.tls_port, endpoint=endpoint)
    nursery.start_soon(client.run)
    await host.wait_reports(1)

    async with open_person(ircd.port, "alice", "#rookery") as alice:
        await alice.send("PRIVMSG #rookery :over TLS?")
        await host.wait_messages(1)
        await client.say("#rookery", "yes")
        assert (await alice.wait_text()).param(1) == "yes"


async def test_a_certificate_that_nobody_vouches_for_is_refused(
    certificate: Certificate, host: FakeHost, nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    """Without the CA file there is no connection and the log says why; with verification off there is one."""
    async with open_scripted_server(certificate.context()) as server:
        endpoint = Endpoint(host="127.0.0.1", port=server.port, tls=True)
        client = client_for(host, server.port, endpoint=endpoint)
        nursery.start_soon(client.run)
        async with server.accept() as refused:
            with pytest.raises((EOFError, trio.BrokenResourceError)):
                await refused.read()
        client.reconfigure(attrs.evolve(client.settings, endpoint=attrs.evolve(endpoint, verify=False)))
        async with welcome(server):
            await host.wait_reports(1)

    assert "certificate verify failed" in caplog.text


async def test_a_ca_file_that_is_missing_is_named(
    host: FakeHost, nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the setting and the file."""
    endpoint = Endpoint(host="127.0.0.1", port=1, tls=True, ca_file="/does/not/exist.pem")
    nursery.start_soon(client_for(host, 1, endpoint=endpoint).run)

    await trio.testing.wait_all_tasks_blocked(0.01)

    assert "tls_ca_file '/does/not/exist.pem'" in caplog.text
