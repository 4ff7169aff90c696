"""What does a plugin want to be fetched, and which headers pass on the way there and back?

The host speaks for itself: how a message is framed and to whom it goes is its own to say, it keeps no cookies, and what is
meant for one server is not told to another that a redirect leads to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from rookery.protocol import BadPayload

from .allow_list import Target, read_target

MAX_HEADERS = 64
MAX_HEADER_BYTES = 16 * 1024
"""Of all headers that are sent."""

USER_AGENT = "rookery"
"""For who sends none."""

HOST_S_OWN = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "cookie",
        "cookie2",
        "date",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
    }
    | {
        "origin",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
    }
    | {"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"}
)
"""What no plugin sends."""

FOR_ANYBODY = frozenset({"accept", "accept-language", "content-type", "user-agent"})
"""What goes along when a redirect leads to another server."""

KEPT_BACK = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "keep-alive",
        "proxy-authenticate",
        "set-cookie",
        "set-cookie2",
    }
    | {"te", "trailer", "transfer-encoding", "upgrade"}
)
"""What no plugin is shown of an answer: how it came, and cookies."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


@attrs.frozen(kw_only=True)
class FetchWish:
    """One question to a server."""

    target: Target
    method: str = "GET"
    headers: Mapping[str, str] = attrs.field(factory=dict)
    """By name in small letters."""
    body: bytes = b""

    def redirected(self, status: int, target: Target) -> FetchWish:
        """The question that an answer of this status makes of it."""
        headers, body, method = self.headers, self.body, self.method
        if status == 303 or (status in (301, 302) and method == "POST"):
            method, body = "HEAD" if method == "HEAD" else "GET", b""
            headers = {name: value for name, value in headers.items() if name != "content-type"}
        if target.origin != self.target.origin:
            headers = {name: value for name, value in headers.items() if name in FOR_ANYBODY}
        return attrs.evolve(self, target=target, method=method, headers=headers, body=body)


def read_wish(args: Mapping[str, Any], *, methods: Iterable[str], max_body: int) -> FetchWish:
    """What a plugin wants.

    Raises:
        BadPayload: It is not as it has to be, with the argument.
    """
    url = args.get("url")
    if type(url) is not str or not url:
        raise BadPayload("must be a text that is not empty", "url")
    method = args.get("method") or "GET"
    if type(method) is not str or method.upper() not in methods:
        raise BadPayload(
            f"must be one of {', '.join(methods)}, which the operator allows, got {method!r:.50}", "method"
        )
    return FetchWish(
        target=read_target(url),
        method=method.upper(),
        headers=_read_headers(args.get("headers") or {}),
        body=_read_body(args.get("body"), max_body),
    )


def _read_body(body: Any, most: int) -> bytes:
    if body is None:
        return b""
    if type(body) not in (str, bytes):
        raise BadPayload(f"must be a text or bytes, got {type(body).__name__}", "body")
    data: bytes = body.encode("utf-8", "surrogatepass") if type(body) is str else body
    if len(data) > most:
        raise BadPayload(f"has {len(data)} bytes, the operator allows {most} ([fetch] max_request)", "body")
    return data


def _read_headers(headers: Any) -> dict[str, str]:
    if type(headers) is not dict:
        raise BadPayload(f"must be a map of texts, got {type(headers).__name__}", "headers")
    if len(headers) > MAX_HEADERS:
        raise BadPayload(f"has {len(headers)}, at most {MAX_HEADERS} are sent", "headers")
    read: dict[str, str] = {}
    for name, value in headers.items():
        if type(name) is not str or not _NAME.fullmatch(name):
            raise BadPayload(f"has a name that is no name of a header: {name!r:.50}", "headers")
        if type(value) is not str or not _VALUE.fullmatch(value):
            raise BadPayload("must be a text of one line, in Latin letters", f"headers.{name}")
        if name.lower() in HOST_S_OWN:
            raise BadPayload("is the host's own to send", f"headers.{name}")
        read[name.lower()] = value.strip()
    if sum(len(name) + len(value) for name, value in read.items()) > MAX_HEADER_BYTES:
        raise BadPayload(f"are more than {MAX_HEADER_BYTES} bytes", "headers")
    return read


def shown_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """What a plugin is shown of the headers of an answer: by name in small letters, several of one name in one text."""
    shown: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name not in KEPT_BACK:
            shown[name] = f"{shown[name]}, {value}" if name in shown else value
    return shown
