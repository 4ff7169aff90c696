"""Does a plugin get what its operator lets it ask for, over real connections, and nothing of anybody else?"""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from rookery.supervisor.fetch.failure import FetchFailed, FetchKind, NotAllowed
from tests.doubles.certificates import make_certificate
from tests.doubles.fetching import Names, fetch, fetching, local
from tests.doubles.web_server import WebServer, open_web_server, page


async def test_an_address_is_fetched(server: WebServer, names: Names) -> None:
    """Status, headers and body as they came, without what belongs to the connection; and so it goes there."""
    server.pages["/x?y=1"] = page(201, "hellö", ETag="7", Set_Cookie="a=1")
    async with fetching(names, private_hosts=[local(server)], methods=["POST"]) as fetcher:
        got = await fetch(
            fetcher, f"{local(server)}/x?y=1", method="POST", body="data", headers={"X-Key": "v"}
        )

    assert (got.status, got.body.decode(), got.headers) == (201, "hellö", {"etag": "7"})
    assert got.url == f"{local(server)}/x?y=1"
    [visit] = server.visits
    assert (visit.method, visit.body) == ("POST", b"data")
    assert visit.headers == {
        "host": f"127.0.0.1:{server.port}",
        "user-agent": "rookery",
        "x-key": "v",
        "accept-encoding": "gzip",
        "connection": "close",
        "content-length": "4",
    }
    assert names.asked == [], "an address is no name"


async def test_no_cookie_is_kept(server: WebServer, names: Names) -> None:
    """Of one question for the next."""
    server.pages["/"] = page(200, "x", Set_Cookie="session=1; Path=/")
    async with fetching(names, private_hosts=[local(server)]) as fetcher:
        for _ in range(2):
            await fetch(fetcher, f"{local(server)}/")

    assert ["cookie" in visit.headers for visit in server.visits] == [False, False]


async def test_no_proxy_of_the_environment_is_used(
    server: WebServer, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is set there is for programs of the operator, not for plugins."""
    async with open_web_server() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        server.pages["/"] = page(200, "direct")
        async with fetching(names, private_hosts=[local(server)]) as fetcher:
            got = await fetch(fetcher, f"{local(server)}/")

        assert (got.body, proxy.connections) == (b"direct", 0)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/",
        "https://shop.test/",
        "http://shop.test:1/",
        "http://127.0.0.1:1/",
        "http://localhost/",
    ],
)
async def test_a_host_that_is_not_named_is_not_asked(names: Names, url: str) -> None:
    """Nor is its name looked up; the refusal says what to write and where."""
    async with fetching(names, hosts=["http://shop.test"]) as fetcher:
        with pytest.raises(NotAllowed, match=r"would have to add it to hosts in \[fetch\]"):
            await fetch(fetcher, url)

    assert names.asked == []


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["10.0.0.1", "::1"], ["169.254.169.254"], ["::ffff:127.0.0.1"], ["fd00:ec2::254"]],
)
async def test_a_name_of_the_world_leads_to_no_machine_of_ones_own(
    server: WebServer, names: Names, addresses: list[str]
) -> None:
    """Whoever owns the name could let it stand for anything."""
    names.known["shop.test"] = [addresses]
    async with fetching(names, hosts=[local(server, "shop.test")]) as fetcher:
        with pytest.raises(NotAllowed, match="private_hosts"):
            await fetch(fetcher, local(server, "shop.test"))

    assert server.connections == 0


async def test_an_address_in_place_of_a_name_is_judged_too(server: WebServer, names: Names) -> None:
    """Also one that the operator has named for the world and not for his own networks."""
    async with fetching(names, hosts=[local(server)]) as fetcher:
        with pytest.raises(NotAllowed, match="private_hosts"):
            await fetch(fetcher, local(server))

    assert server.connections == 0


async def test_a_name_is_looked_up_once(server: WebServer, names: Names) -> None:
    """What was judged is what is asked: the second answer of the server of names is asked for by nobody."""
    names.known["shop.test"] = [["127.0.0.1"], ["10.255.255.1"]]
    server.pages["/"] = page(200, "x")
    async with fetching(names, private_hosts=[local(server, "shop.test")]) as fetcher:
        await fetch(fetcher, local(server, "shop.test"))

    assert names.asked == ["shop.test"]
    assert server.visits[0].headers["host"] == f"shop.test:{server.port}"


async def test_the_next_address_is_tried_where_nobody_answers(server: WebServer, names: Names) -> None:
    """A name may stand for a machine that is down."""
    names.known["shop.test"] = [["127.0.0.9", "127.0.0.1"]]
    server.pages["/"] = page(200, "x")
    async with fetching(names, private_hosts=[local(server, "shop.test")]) as fetcher:
        got = await fetch(fetcher, local(server, "shop.test"))

    assert got.status == 200


async def test_a_certificate_is_held_against_the_name(names: Names, state_dir: Path) -> None:
    """Although the connection is made to an address; and one that nobody vouches for is not believed."""
    certificate = make_certificate(state_dir, "DNS:shop.test")
    knows = ssl.create_default_context(cafile=str(certificate.certificate))
    async with open_web_server(certificate.context()) as server:
        server.pages["/"] = page(200, "private")
        named, other = f"shop.test:{server.port}", f"other.test:{server.port}"

        async with fetching(names, knows, private_hosts=[named, other]) as fetcher:
            got = await fetch(fetcher, f"https://{named}/")
            with pytest.raises(FetchFailed, match="certificate") as wrong_name:
                await fetch(fetcher, f"https://{other}/")
        async with fetching(names, private_hosts=[named]) as fetcher:
            with pytest.raises(FetchFailed, match="certificate") as stranger:
                await fetch(fetcher, f"https://{named}/")

    assert got.body == b"private"
    assert server.visits[0].headers["host"] == named
    assert {wrong_name.value.kind, stranger.value.kind} == {FetchKind.UNREACHABLE}
    assert len(server.visits) == 1
