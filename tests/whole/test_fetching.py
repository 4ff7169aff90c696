"""A stranger's plugin in a real runner has addresses fetched by a real host from a real server, as far as it may."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rookery.supervisor.audit_lines import read_audit
from rookery.supervisor.profiles import Isolation
from tests.doubles.confinement import need
from tests.doubles.web_server import lead_to, open_web_server, page
from tests.whole.host import Deployment

pytestmark = pytest.mark.slow

ASKS = """
    @tool(description="")
    async def fetch(self, url: str) -> list:
        try:
            answer = await self.ctx.http.fetch(url)
        except Exception as error:
            return [type(error).__name__, str(getattr(error, "kind", "")), str(error)]
        return [answer.status, answer.url, answer.text[:10], len(answer.body)]
"""


DIRECTLY = (
    ASKS
    + """
    @tool(description="")
    async def connect(self, port: int) -> str:
        import socket
        try:
            socket.create_connection(("127.0.0.1", port), 2).close()
        except OSError as error:
            return type(error).__name__
        return "connected"
"""
)


@pytest.mark.parametrize("isolation", [Isolation.CONFINED, Isolation.SANDBOX])
async def test_a_shard_without_network_has_the_hosts_word(
    tmp_path: Path, state_dir: Path, isolation: Isolation
) -> None:
    """It connects to nobody itself, and gets what is named for it."""
    need(isolation)
    deployment = Deployment(tmp_path, state_dir)
    deployment.plugin("guests", "guest", DIRECTLY, capabilities=["http.fetch"])
    deployment.tables["guests"] = (
        f'trust = "untrusted"\nisolation = "{isolation.value}"\nnetwork = false\nown_user = false'
    )
    async with open_web_server() as server:
        here = f"http://127.0.0.1:{server.port}"
        server.pages = {"/": page(200, "welcome")}
        deployment.more = f'[grants.untrusted]\nallow = ["http.fetch"]\n[fetch]\nprivate_hosts = ["{here}"]\n'
        async with deployment.run() as supervisor:
            direct = await supervisor.invoke("test.guest", "connect", {"port": server.port})
            asked = await supervisor.invoke("test.guest", "fetch", {"url": f"{here}/"})

        assert direct == "PermissionError"
        assert asked == [200, f"{here}/", "welcome", 7]
        assert server.connections == 1


async def test_a_stranger_gets_what_is_named_for_it_and_nothing_else(tmp_path: Path, state_dir: Path) -> None:
    """By two words of the operator: the capability, and the host. Every other wish is refused and written down."""
    deployment = Deployment(tmp_path, state_dir)
    deployment.plugin("guests", "guest", ASKS, capabilities=["http.fetch"])
    deployment.plugin("guests", "other", ASKS, capabilities=["http.fetch"])
    deployment.tables["guests"] = 'trust = "untrusted"\nown_user = false'
    async with open_web_server() as server:
        here = f"http://127.0.0.1:{server.port}"
        server.pages = {
            "/": page(200, "welcome"),
            "/big": page(200, b"x" * 400_000),
            "/huge": page(200, b"x" * 600_000),
            "/away": lead_to("http://169.254.169.254/latest/meta-data"),
        }
        deployment.more = (
            '[grants.untrusted]\nallow = ["http.fetch"]\n'
            f'[plugins."test.guest".fetch]\nprivate_hosts = ["{here}"]\nburst = 100\n'
        )
        async with deployment.run() as supervisor:

            async def fetch(plugin: str, url: str) -> list[Any]:
                found: list[Any] = await supervisor.invoke(f"test.{plugin}", "fetch", {"url": url})
                return found

            got = [await fetch("guest", f"{here}{path}") for path in ("/", "/big", "/huge", "/away", "/none")]
            elsewhere = await fetch("guest", "https://example.org/")
            other = await fetch("other", f"{here}/")

    assert got[0] == [200, f"{here}/", "welcome", 7]
    assert got[1][0::3] == [200, 400_000]
    assert got[2][:2] == ["CapabilityFailed", "too large"]
    assert got[3][0] == "RemoteError"
    assert "169.254.169.254" in got[3][2]
    assert got[4][0] == 404
    assert 'add it to hosts in [plugins."test.guest".fetch]' in elsewhere[2]
    assert "add it to hosts in [fetch]" in other[2]
    denials = [entry for entry in read_audit(deployment.state) if entry["what"] == "denied"]
    assert {(entry["plugin"], entry["capability"]) for entry in denials} == {
        ("test.guest", "http.fetch"),
        ("test.other", "http.fetch"),
    }
