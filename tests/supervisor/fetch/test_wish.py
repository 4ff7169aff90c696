"""What may a plugin say to a server, what goes along when it leads elsewhere, and what is shown of its answer?"""

from __future__ import annotations

from typing import Any

import pytest

from rookery.protocol import BadPayload
from rookery.supervisor.fetch.allow_list import read_target
from rookery.supervisor.fetch.wish import FetchWish, read_wish, shown_headers

URL = "https://a.test/x"
HEADERS = {"accept": "x", "authorization": "Bearer s", "content-type": "y", "x-api-key": "s"}


def read(**args: Any) -> FetchWish:
    return read_wish({"url": URL, **args}, methods=("GET", "POST"), max_body=10)


@pytest.mark.parametrize(
    ("args", "argument"),
    [
        pytest.param({"url": None}, "url", id="no address"),
        pytest.param({"url": 5}, "url", id="no text"),
        pytest.param({"method": "DELETE"}, "method", id="a method that is not allowed"),
        pytest.param({"method": "GET /"}, "method", id="no method"),
        pytest.param({"body": "x" * 11}, "body", id="a body that is too large"),
        pytest.param({"body": {"a": 1}}, "body", id="a body that is a map"),
        pytest.param({"headers": [1]}, "headers", id="no map"),
        pytest.param({"headers": {"a b": "x"}}, "headers", id="no name of a header"),
        pytest.param({"headers": {"a": "x\r\nHost: b"}}, "headers.a", id="two lines"),
        pytest.param({"headers": {"a": 5}}, "headers.a", id="a number"),
        pytest.param({"headers": {"a": "\u4f60"}}, "headers.a", id="a letter that no header has"),
        pytest.param({"headers": {f"x-{n}": "x" for n in range(65)}}, "headers", id="too many"),
        pytest.param({"headers": {"x": "y" * 17_000}}, "headers", id="too long"),
        *(
            pytest.param({"headers": {name: "x"}}, f"headers.{name}", id=name)
            for name in ("Host", "Connection", "Transfer-Encoding", "Content-Length", "Cookie", "Proxy-Authorization")
        ),
    ],
)  # fmt: skip
def test_a_mistake_names_its_argument(args: dict[str, Any], argument: str) -> None:
    """Before anybody is asked."""
    with pytest.raises(BadPayload) as caught:
        read(**args)

    assert caught.value.path == argument


def test_a_wish_is_read() -> None:
    """Names of headers in small letters, texts as UTF-8."""
    wish = read(method="post", headers={"X-Key": " v "}, body="ä")

    assert (wish.method, dict(wish.headers), wish.body) == ("POST", {"x-key": "v"}, "ä".encode())


@pytest.mark.parametrize(
    ("method", "status", "following", "keeps_body"),
    [
        ("POST", 301, "GET", False),
        ("POST", 302, "GET", False),
        ("POST", 303, "GET", False),
        ("PUT", 302, "PUT", True),
        ("HEAD", 303, "HEAD", False),
        ("POST", 307, "POST", True),
        ("POST", 308, "POST", True),
        ("GET", 302, "GET", True),
    ],
)
def test_a_redirect_changes_the_method_as_browsers_do(
    method: str, status: int, following: str, keeps_body: bool
) -> None:
    """And takes the body along only where it stays the same question."""
    wish = FetchWish(target=read_target(URL), method=method, headers=HEADERS, body=b"b")

    then = wish.redirected(status, read_target("https://a.test/y"))

    assert (then.method, then.body == b"b", "content-type" in then.headers) == (
        following,
        keeps_body,
        keeps_body,
    )
    assert then.headers["authorization"] == "Bearer s"


@pytest.mark.parametrize("url", ["https://b.test/", "http://a.test/", "https://a.test:8443/"])
def test_secrets_do_not_go_to_another_server(url: str) -> None:
    """Another host, port or scheme is another server, and any header may be a key."""
    wish = FetchWish(target=read_target(URL), headers=HEADERS)

    assert set(wish.redirected(307, read_target(url)).headers) == {"accept", "content-type"}


def test_an_answers_headers_are_shown_without_its_frame_and_cookies() -> None:
    """Several of one name are one text."""
    shown = shown_headers(
        [
            (b"Set-Cookie", b"a=1"),
            (b"Content-Length", b"5"),
            (b"Transfer-Encoding", b"chunked"),
            (b"ETag", b'"x"'),
            (b"Vary", b"a"),
            (b"vary", b"b"),
            (b"X", b"\xe4"),
        ]
    )

    assert shown == {"etag": '"x"', "vary": "a, b", "x": "ä"}
