"""An answer that leads elsewhere is followed as far as the operator lets it, and every other one is told by its kind."""

from __future__ import annotations

import gzip

import pytest

from rookery.supervisor.fetch.failure import FetchFailed, FetchKind, NotAllowed
from tests.doubles.fetching import Names, fetch, fetching, local
from tests.doubles.web_server import WebServer, lead_to, page


async def test_a_redirect_is_followed_to_a_host_that_is_named(server: WebServer, names: Names) -> None:
    """With the headers for anybody alone when it is another server."""
    server.pages["/start"] = lambda visit: (
        lead_to("/next") if visit.headers["host"].startswith("shop") else page(404)
    )
    server.pages["/next"] = lead_to(f"{local(server, 'other.test')}/end", 307)
    server.pages["/end"] = page(200, "there")
    hosts = [local(server, "shop.test"), local(server, "other.test")]
    async with fetching(names, private_hosts=hosts) as fetcher:
        got = await fetch(
            fetcher, f"{hosts[0]}/start", headers={"Authorization": "Bearer s", "Accept": "text/plain"}
        )

    assert (got.status, got.body, got.url) == (200, b"there", f"{hosts[1]}/end")
    assert [visit.headers.get("authorization") for visit in server.visits] == ["Bearer s", "Bearer s", None]
    assert server.visits[2].headers["accept"] == "text/plain"


@pytest.mark.parametrize(
    "location",
    [
        "http://evil.test/",
        "http://127.0.0.1:{port}/",
        "https://shop.test/",
        "//169.254.169.254/latest/meta-data",
    ],
)
async def test_a_redirect_to_what_is_not_named_is_denied(
    server: WebServer, names: Names, location: str
) -> None:
    """Other hosts, other schemes, addresses: nobody is asked there."""
    server.pages["/"] = lead_to(location.format(port=server.port))
    async with fetching(names, private_hosts=[local(server, "shop.test")]) as fetcher:
        with pytest.raises(NotAllowed, match=r"to which shop\.test leads"):
            await fetch(fetcher, f"{local(server, 'shop.test')}/")

    assert len(server.visits) == 1


async def test_a_redirect_by_name_to_ones_own_machine_is_denied(server: WebServer, names: Names) -> None:
    """A named host that is public leads to another named one, whose name stands for this machine now."""
    server.pages["/"] = lead_to(f"{local(server, 'turn.test')}/")
    names.known["turn.test"] = [["127.0.0.1"]]
    async with fetching(
        names, private_hosts=[local(server, "shop.test")], hosts=[local(server, "turn.test")]
    ) as fetcher:
        with pytest.raises(NotAllowed, match=r"turn\.test stands for 127\.0\.0\.1"):
            await fetch(fetcher, f"{local(server, 'shop.test')}/")

    assert len(server.visits) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        pytest.param(lead_to("/"), FetchKind.REDIRECTS, "more than 3 times", id="a circle"),
        pytest.param(lead_to("ftp://shop.test/"), FetchKind.REDIRECTS, "no address", id="another protocol"),
        pytest.param(lead_to("http://[/"), FetchKind.REDIRECTS, "no address", id="no address"),
        pytest.param(page(200, gzip.compress(b"x")[:-2], Content_Encoding="gzip"), FetchKind.BAD_ANSWER,
                     "its end is missing", id="packed badly"),
        pytest.param(page(200, b"x", Content_Encoding="br"), FetchKind.BAD_ANSWER, "not asked for", id="packed otherwise"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", FetchKind.BAD_ANSWER, "broke off", id="no HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", FetchKind.BAD_ANSWER, "broke off", id="half"),
        pytest.param(b"", FetchKind.BAD_ANSWER, "broke off", id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000, FetchKind.BAD_ANSWER, "broke off",
                     id="headers without an end"),
        pytest.param(page(200, b"x" * 5000), FetchKind.TOO_LARGE, "more than the 1000 bytes", id="too large"),
        pytest.param(page(200, gzip.compress(b"x" * 10**6), Content_Encoding="gzip"), FetchKind.TOO_LARGE,
                     "more than the 1000 bytes", id="too large when unpacked"),
    ],
)  # fmt: skip
async def test_what_is_no_answer_is_told_by_its_kind(
    server: WebServer, names: Names, answer: bytes, kind: FetchKind, words: str
) -> None:
    """Whatever the server does, the caller hears of it."""
    server.pages["/"] = answer
    async with fetching(
        names, private_hosts=[local(server, "shop.test")], max_answer=1000, redirects=3
    ) as fetcher:
        with pytest.raises(FetchFailed, match=words) as caught:
            await fetch(fetcher, f"{local(server, 'shop.test')}/")

    assert caught.value.kind is kind


async def test_a_redirect_is_shown_where_none_is_followed(server: WebServer, names: Names) -> None:
    """The plugin sees where it would lead."""
    server.pages["/"] = lead_to("http://evil.test/")
    async with fetching(names, private_hosts=[local(server)], redirects=0) as fetcher:
        got = await fetch(fetcher, f"{local(server)}/")

    assert (got.status, got.headers["location"]) == (302, "http://evil.test/")
