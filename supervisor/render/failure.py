"""What can go wrong when a picture of a page is made?"""

from __future__ import annotations

from enum import StrEnum

from rookery.protocol import RookeryError


class RenderKind(StrEnum):
    """What a caller can act on."""

    NOT_CONFIGURED = "not configured"
    """There is no browser that could be used: an operator has to do something."""
    REFUSED = "refused"
    """The page is not as it has to be, or wants what it may not have."""
    UNAVAILABLE = "unavailable"
    """The browser has ended, or does not answer."""
    TIMEOUT = "timeout"


class RenderFailed(RookeryError):
    """There is no picture.

    Attributes:
        kind: Which kind of failure.
    """

    def __init__(self, kind: RenderKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
