"""Whom does the host believe when a server on the other side of TLS says who it is, and what is told when it does not?"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl


@functools.cache
def trusted_authorities() -> ssl.SSLContext:
    """A context for connections to servers of the world; ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` add to whom it believes.

    To make it takes a fifth of a second, once.
    """
    import httpx

    return httpx.create_ssl_context()


def reason_of(error: BaseException) -> str:
    """What was wrong in the first place: of TLS, httpx itself says nothing."""
    told = [str(error)]
    while (before := error.__cause__ or error.__context__) is not None:
        error = before
        told.append(str(error))
    return next((" ".join(text.split())[:300] for text in reversed(told) if text), type(error).__name__)
