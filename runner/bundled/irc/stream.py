"""How is the way to the server opened: TCP, or TLS over TCP?"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import trio

from .errors import NotConnected

if TYPE_CHECKING:
    from .settings import Endpoint


async def open_stream(endpoint: Endpoint) -> trio.abc.Stream:
    """Connect, and shake hands when TLS is asked for. The caller owns the stream and bounds the time.

    Raises:
        NotConnected: Nobody answers there, or the certificate is not good; the text says which.
    """
    context = _tls_context(endpoint) if endpoint.tls else None
    try:
        tcp = await trio.open_tcp_stream(endpoint.host, endpoint.port)
    except OSError as error:
        raise NotConnected(f"cannot connect to {endpoint}: {describe(error)}") from error
    if context is None:
        return tcp
    # https_compatible: IRC servers close without the closing words of TLS, and a line that was cut is dropped anyway.
    stream = trio.SSLStream(tcp, context, server_hostname=endpoint.host, https_compatible=True)
    try:
        await stream.do_handshake()
    except BaseException as error:
        await trio.aclose_forcefully(stream)
        if isinstance(error, trio.BrokenResourceError):
            raise NotConnected(f"no TLS with {endpoint}: {describe(error)}") from error
        raise
    return stream


def describe(error: BaseException) -> str:
    """What went wrong, in the words of the layer that saw it first."""
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(sorted({describe(each) for each in error.exceptions}))
    return str(error) or type(error).__name__


def _tls_context(endpoint: Endpoint) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=endpoint.ca_file or None)
    except OSError as error:
        raise NotConnected(f"tls_ca_file {endpoint.ca_file!r} cannot be used: {error}") from error
    if not endpoint.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
