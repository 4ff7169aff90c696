"""Is this address of the web one of those that the operator has named?

An entry names a host, and everything below a host with ``*.`` in front; it means ``https`` at its usual port unless it says
otherwise. One text is read once, here, and what is made of it is both what is judged and what is asked: two readers that
disagree about where a host ends are how such lists are got around.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import attrs

from rookery.protocol import BadPayload

if TYPE_CHECKING:
    from collections.abc import Iterable

PORTS = {"http": 80, "https": 443}

MAX_URL_CHARS = 8_000

_NAME = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
_ENTRY = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<host>\*|(?:\*\.)?[^\s/:@\[\]*?#]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
)
_STRANGE = re.compile(r"[\x00-\x20\x7f\\]")

_SAFE = "/%:@!$&'()*+,;=~-._[]"
"""Of a path, what stands for itself; a ``%`` was written by somebody who had quoted already."""


@attrs.frozen(kw_only=True)
class Target:
    """An address, taken apart."""

    scheme: str
    host: str
    """In small ASCII letters, without a dot at its end; an IPv6 address without brackets."""
    port: int
    path: str
    """With the query; begins with a slash."""

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """Host and port as they stand in an address and in the header ``Host``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def entry(self) -> str:
        """What would have to stand in a list of hosts."""
        return f"{'http://' if self.scheme == 'http' else ''}{self.authority}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


@attrs.frozen(kw_only=True)
class _Entry:
    scheme: str
    host: str
    """``*`` for any; with a dot in front for everything below."""
    port: int

    def fits(self, target: Target) -> bool:
        if (self.scheme, self.port) != (target.scheme, target.port):
            return False
        if self.host.startswith("."):
            return target.host.endswith(self.host) and len(target.host) > len(self.host)
        return self.host in ("*", target.host)


@attrs.frozen
class AllowList:
    """Whom the operator lets plugins ask."""

    public: tuple[_Entry, ...]
    private: tuple[_Entry, ...]

    @classmethod
    def of(cls, hosts: Iterable[str], private_hosts: Iterable[str]) -> AllowList:
        """Of entries that have their form, see ``is_entry``."""
        return cls(tuple(_entry(text) for text in hosts), tuple(_entry(text) for text in private_hosts))

    def allows(self, target: Target) -> bool:
        """Whether it is named at all."""
        return any(entry.fits(target) for entry in (*self.public, *self.private))

    def may_be_private(self, target: Target) -> bool:
        """Whether the machine behind it may be one of the host's own networks."""
        return any(entry.fits(target) for entry in self.private)


def is_entry(text: str) -> bool:
    """Whether this is an entry of a list of hosts."""
    found = _ENTRY.fullmatch(text)
    if found is None or int(found["port"] or 1) not in range(1, 65_536):
        return False
    host = found["host"].removeprefix("*.")
    return host == "*" or _host_of(host) is not None


def is_private_entry(text: str) -> bool:
    """The same without a ``*``: a machine of one's own network is named, not guessed."""
    return "*" not in text and is_entry(text)


def read_target(text: str, argument: str = "url") -> Target:
    """Take an address apart.

    Raises:
        BadPayload: It is none, or one with a user's name, a password or a scheme that is not of the web.
    """
    if len(text) > MAX_URL_CHARS or _STRANGE.search(text):
        raise BadPayload(
            f"must be an address without blanks, at most {MAX_URL_CHARS} characters, got {text!r:.100}",
            argument,
        )
    try:
        parts = urlsplit(text)
        host, port = _host_of(parts.hostname or ""), parts.port
    except ValueError as error:
        raise BadPayload(
            f"must be an address such as 'https://example.org/page', got {text!r:.100}: {error}", argument
        ) from None
    scheme = parts.scheme.lower()
    if scheme not in PORTS or host is None or port == 0:
        raise BadPayload(
            f"must be an address such as 'https://example.org/page', got {text!r:.100}", argument
        )
    if "@" in parts.netloc:
        raise BadPayload("must have no user and no password in it; send a header 'Authorization'", argument)
    path = quote(parts.path or "/", safe=_SAFE)
    query = f"?{quote(parts.query, safe=f'{_SAFE}?')}" if parts.query else ""
    return Target(scheme=scheme, host=host, port=port or PORTS[scheme], path=f"{path}{query}")


def _entry(text: str) -> _Entry:
    found = _ENTRY.fullmatch(text)
    assert found is not None, "it was checked"
    scheme, host = found["scheme"] or "https", found["host"]
    name = host if host == "*" else _host_of(host.removeprefix("*."))
    assert name is not None, "likewise"
    return _Entry(
        scheme=scheme,
        host=f".{name}" if host.startswith("*.") else name,
        port=int(found["port"] or PORTS[scheme]),
    )


def _host_of(text: str) -> str | None:
    """A host as it is compared; ``None`` for what is none."""
    bare = text.removeprefix("[").removesuffix("]")
    if "%" in bare:
        return None  # a zone of this machine, or quoted letters
    if ":" in bare:
        try:
            return str(ipaddress.IPv6Address(bare))
        except ValueError:
            return None
    try:
        name = bare.removesuffix(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
    return name if _NAME.fullmatch(name) else None
