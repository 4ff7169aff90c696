"""How do we connect to the platform, once?"""

from __future__ import annotations

import logging
import ssl
from typing import TYPE_CHECKING

import trio
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException
from websockets.trio.client import connect

from .errors import BadSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from websockets.trio.connection import Connection as WebSocket

    from .settings import Dial, Settings

CONNECT_TIMEOUT = 30.0  # seconds for TCP, TLS and the handshake
CLOSE_TIMEOUT = 2.0  # seconds for the closing words

QUIET = logging.getLogger("rookery.runner.bundled.onebot.websockets")
"""What the library has to say; everything that an operator needs is said by ourselves."""
QUIET.setLevel(logging.CRITICAL)

_REFUSED = frozenset({401, 403})


async def dial(settings: Settings, way: Dial, live: Callable[[WebSocket], Awaitable[str]]) -> str:
    """Connect, live, and tell why it ended.

    Args:
        live: Runs the connection and returns why it ended.
    """
    headers = {"Authorization": f"Bearer {settings.token}"} if settings.token else {}
    try:
        context = tls_context(way)
        attempt = connect(
            way.url,
            ssl=context,
            additional_headers=headers,
            proxy=None,
            compression=None,
            open_timeout=CONNECT_TIMEOUT,
            close_timeout=CLOSE_TIMEOUT,
            ping_interval=settings.ping_interval,
            ping_timeout=settings.ping_interval,
            max_size=settings.max_frame_bytes,
            logger=QUIET,
        )
        # Entered by hand: what is caught here is about the handshake, and not about the life that follows.
        socket = await attempt.__aenter__()
    except (OSError, WebSocketException, BadSettings, trio.BrokenResourceError) as error:
        return explain(error)
    try:
        return await live(socket)
    finally:
        await attempt.__aexit__(None, None, None)


def explain(error: Exception) -> str:
    """Why nobody let us in, for people."""
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        advice = ": check access_token" if status in _REFUSED else ""
        return f"the platform refuses us (HTTP {status}){advice}"
    if isinstance(error, InvalidHandshake):
        return f"no WebSocket there: {error}"
    # trio wraps what TLS says into an error without words.
    cause: BaseException = error
    while cause.__cause__ is not None and not str(cause):
        cause = cause.__cause__
    return f"cannot connect: {str(cause) or type(cause).__name__}"


def tls_context(way: Dial) -> ssl.SSLContext | None:
    """What to trust; ``None`` where nothing is encrypted.

    Raises:
        BadSettings: The file with certificates cannot be used.
    """
    if not way.url.startswith("wss:"):
        return None
    try:
        return ssl.create_default_context(cafile=way.ca_file or None)
    except OSError as error:
        raise BadSettings(f"tls_ca_file {way.ca_file!r} cannot be used: {error}") from error
