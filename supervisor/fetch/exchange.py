"""How is one question put to one server, and how does nobody else answer it?

A name is resolved once, every address that it stands for is judged, and the connection is made to one that has passed: a server
of names that answers differently a moment later finds nobody who asks again. The certificate is held against the name. Each
question has a connection of its own; no proxy, cookie or setting of the host's environment has a part in it.

httpx is imported when it is opened, which is when a host is named that plugins may have asked.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import AsyncIterable, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, cast

import attrs
import trio

from ..authorities import reason_of, trusted_authorities
from .addresses import is_public
from .encoding import ACCEPTED, Unpacked
from .failure import FetchFailed, FetchKind, NotAllowed
from .wish import USER_AGENT

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    import httpx

    from .allow_list import Target
    from .wish import FetchWish

CONNECT_TIMEOUT = 5.0
"""Seconds for one address; a name may stand for several."""

MOST_ADDRESSES = 4
"""Of one name that are tried."""

RESOLVERS = 8
"""Names that are looked up at once, each in a thread that nobody can end."""

REDIRECTS = frozenset({301, 302, 303, 307, 308})

Resolve = Callable[[str, int], Awaitable[list[str]]]


@attrs.frozen(kw_only=True)
class FetchAnswer:
    """What a server said."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    """Unpacked; empty for an answer that leads elsewhere."""

    @property
    def leads_to(self) -> str:
        """Where a redirect leads; "" when it is none."""
        if self.status not in REDIRECTS:
            return ""
        found = (value for name, value in self.headers if name.lower() == b"location")
        return next(found, b"").decode("latin-1").strip()


class Exchange:
    """Asks servers.

    Args:
        context: Whom to believe; called once, when it is opened.
        resolve: What a name stands for.
    """

    def __init__(
        self,
        context: Callable[[], ssl.SSLContext] = trusted_authorities,
        resolve: Resolve | None = None,
    ) -> None:
        self._context = context
        self._resolve = resolve or _resolve
        self._transport: httpx.AsyncHTTPTransport | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Be able to ask while inside."""
        import httpx

        transport = httpx.AsyncHTTPTransport(
            verify=self._context(),
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        async with transport:
            self._transport = transport
            try:
                yield
            finally:
                self._transport = None

    async def ask(self, wish: FetchWish, *, may_be_private: bool, limit: int) -> FetchAnswer:
        """Ask once. The caller's own time ends it from outside.

        Args:
            may_be_private: Whether the machine may be one of the host's own networks.
            limit: Bytes of a body that are wanted.

        Raises:
            FetchFailed: There is no answer.
            NotAllowed: The name stands for a machine that may not be asked.
        """
        addresses = await self._addresses(wish.target, may_be_private=may_be_private)
        for address in addresses[:-1]:
            try:
                return await self._ask_at(address, wish, limit)
            except FetchFailed as failure:
                if failure.was_sent:
                    raise
        return await self._ask_at(addresses[-1], wish, limit)

    # --- whom ---------------------------------------------------------------------------------------------------

    async def _addresses(self, target: Target, *, may_be_private: bool) -> list[str]:
        found = [target.host] if _is_address(target.host) else await self._resolve(target.host, target.port)
        usable = [each for each in found if may_be_private or is_public(ipaddress.ip_address(each))]
        if usable:
            return usable[:MOST_ADDRESSES]
        shown = ", ".join(found[:MOST_ADDRESSES])
        raise NotAllowed(
            f"{target.host} stands for {shown}, which is no address of the world's: the operator would have to add"
            f' "{target.entry}" to private_hosts'
        )

    # --- what ---------------------------------------------------------------------------------------------------

    async def _ask_at(self, address: str, wish: FetchWish, limit: int) -> FetchAnswer:
        import httpx

        if self._transport is None:
            raise FetchFailed(FetchKind.UNAVAILABLE, "the host is stopping")
        host = wish.target.host
        try:
            response = await self._transport.handle_async_request(_request(address, wish))
            try:
                return await _read(response, wish, limit)
            finally:
                await response.aclose()
        except httpx.ConnectTimeout:
            text = f"{host} cannot be reached: no connection within {CONNECT_TIMEOUT:g} s"
            raise FetchFailed(FetchKind.UNREACHABLE, text) from None
        except httpx.ConnectError as error:
            raise FetchFailed(
                FetchKind.UNREACHABLE, f"{host} cannot be reached: {reason_of(error)}"
            ) from None
        except (httpx.HTTPError, httpx.StreamError) as error:
            text = f"the answer of {host} broke off: {reason_of(error)}"
            raise FetchFailed(FetchKind.BAD_ANSWER, text, was_sent=True) from None


def _request(address: str, wish: FetchWish) -> httpx.Request:
    import httpx

    target = wish.target
    url = httpx.URL(
        scheme=target.scheme, host=address, port=target.port, raw_path=target.path.encode("ascii")
    )
    headers = {
        "host": target.authority,
        "user-agent": USER_AGENT,
        **wish.headers,
        "accept-encoding": ACCEPTED,
        "connection": "close",
    }
    return httpx.Request(
        wish.method,
        url,
        headers=[(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()],
        content=wish.body,
        extensions={
            "sni_hostname": target.host,
            "timeout": {"connect": CONNECT_TIMEOUT, "read": None, "write": None, "pool": None},
        },
    )


async def _read(response: httpx.Response, wish: FetchWish, limit: int) -> FetchAnswer:
    answer = FetchAnswer(status=response.status_code, headers=tuple(response.headers.raw), body=b"")
    if answer.leads_to:
        return answer  # nobody reads what it says besides
    body = Unpacked(response.headers.get("content-encoding", ""), limit, wish.target.host)
    told = response.headers.get("content-length", "")
    if wish.method != "HEAD" and told.isdecimal():
        body.expect(int(told))
    failures: list[FetchFailed] = []
    # Left by a cancellation and not by a break: httpx reads in generators within generators, which only that ends in order.
    with trio.CancelScope() as scope:
        async for chunk in cast("AsyncIterable[bytes]", response.stream):
            if not failures:
                try:
                    body.feed(chunk)
                except FetchFailed as failure:
                    failures.append(failure)
                    scope.cancel()
    if failures:
        raise failures[0]
    return attrs.evolve(answer, body=body.finish())


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


_resolvers = trio.CapacityLimiter(RESOLVERS)


async def _resolve(host: str, port: int) -> list[str]:
    look = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    try:
        found = await trio.to_thread.run_sync(look, abandon_on_cancel=True, limiter=_resolvers)
    except OSError as error:
        raise FetchFailed(
            FetchKind.UNREACHABLE, f"nobody knows the name {host}: {error.strerror or error}"
        ) from None
    return list(dict.fromkeys(str(sockaddr[0]).partition("%")[0] for *_, sockaddr in found))
