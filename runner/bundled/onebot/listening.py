"""How does the platform connect to us, and whom do we let in?"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import attrs
from websockets.trio.server import ServerConnection, serve

from .dialling import CLOSE_TIMEOUT, CONNECT_TIMEOUT, QUIET
from .settings import Listen, Settings

if TYPE_CHECKING:
    import trio
    from websockets.http11 import Request, Response

SCHEMES = ("bearer ", "token ")
"""What may stand before the token in the header: implementations differ."""


@attrs.frozen(eq=False)
class Door:
    """Decides who is let in.

    Args:
        current_account: The account that is connected now; "" when none is.
    """

    settings: Settings
    way: Listen
    current_account: Callable[[], str]
    logger: logging.Logger

    def refuse(self, connection: ServerConnection, request: Request) -> Response | None:
        """The answer to somebody who is not let in; ``None`` for somebody who is."""
        refusal = self.complaint_about(request)
        if refusal is None:
            return None
        status, reason = refusal
        self.logger.warning("a connection from %s is refused: %s", _address(connection), reason)
        return connection.respond(status, f"{reason}\n")

    def complaint_about(self, request: Request) -> tuple[int, str] | None:
        """The HTTP status and the reason why somebody is not let in."""
        headers, url = request.headers, urlsplit(request.path)
        if self.settings.token:
            shown = shown_token(headers.get("Authorization", ""), url.query)
            if not shown:
                return 401, "no access token"
            # Compared in the same time wherever the first difference is.
            if not hmac.compare_digest(shown.encode(), self.settings.token.encode()):
                return 403, "a wrong access token"
        elif headers.get("Origin"):
            return 403, "it comes from a web page, and there is no access_token"
        if self.way.path and url.path != self.way.path:
            return 404, f"path {url.path[:80]!r}, expected {self.way.path!r}"
        role = headers.get("X-Client-Role", "Universal")
        if role.lower() != "universal":
            return 400, f"role {role[:40]!r}, expected 'Universal': one connection for events and actions"
        return self._complaint_about_account(headers.get("X-Self-ID", "").strip())

    def _complaint_about_account(self, account: str) -> tuple[int, str] | None:
        wanted, current = self.settings.account, self.current_account()
        if account and wanted and account != wanted:
            return 403, f"account {account[:40]!r}, expected {wanted!r}"
        if account and current and account != current:
            return (
                409,
                f"account {account[:40]!r}, and {current!r} is connected: one gateway serves one account",
            )
        return None


async def listen(
    door: Door,
    listeners: list[trio.SocketListener],
    live: Callable[[ServerConnection], Awaitable[None]],
) -> None:
    """Serve connections until cancelled; the listeners are closed then.

    Args:
        live: Runs one connection.
    """
    settings = door.settings
    await serve(
        live,
        listeners=listeners,
        process_request=door.refuse,
        compression=None,
        open_timeout=CONNECT_TIMEOUT,
        close_timeout=CLOSE_TIMEOUT,
        ping_interval=settings.ping_interval,
        ping_timeout=settings.ping_interval,
        max_size=settings.max_frame_bytes,
        logger=QUIET,
        server_header=None,
    )


def shown_token(header: str, query: str) -> str:
    """The token that somebody shows, in the header or in the query; "" for none."""
    for scheme in SCHEMES:
        if header.lower().startswith(scheme):
            return header[len(scheme) :].strip()
    return parse_qs(query).get("access_token", [""])[0]


def _address(connection: ServerConnection) -> str:
    try:
        return str(connection.remote_address[0])
    except (OSError, NotImplementedError):
        return "somewhere"
