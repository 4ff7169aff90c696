"""What can go wrong when an address is fetched?"""

from __future__ import annotations

from enum import StrEnum

from rookery.protocol import RookeryError


class FetchKind(StrEnum):
    """What a caller can act on."""

    UNREACHABLE = "unreachable"
    """The name means nothing, or nobody answers there."""
    TIMEOUT = "timeout"
    TOO_LARGE = "too large"
    """The answer has more bytes than the operator allows."""
    BAD_ANSWER = "bad answer"
    """It is none of HTTP, broke off, or is packed in a way that cannot be undone."""
    REDIRECTS = "redirects"
    """It leads on and on, or to no address at all."""
    RATE_LIMITED = "rate limited"
    UNAVAILABLE = "unavailable"
    """The host is stopping."""


class FetchFailed(RookeryError):
    """There is no answer.

    Attributes:
        kind: Which kind of failure.
        retry_after: Seconds after which asking again makes sense; ``None`` where nobody knows.
        was_sent: Whether the question was on its way, so that it may have been worked on.
    """

    def __init__(
        self, kind: FetchKind, message: str, *, retry_after: float | None = None, was_sent: bool = False
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry_after = retry_after
        self.was_sent = was_sent


class NotAllowed(RookeryError):
    """The operator has not named the host, or the machine behind it may not be asked. Unlike a ``FetchFailed`` it is told
    to the operator as every denial is, and nothing was sent."""
