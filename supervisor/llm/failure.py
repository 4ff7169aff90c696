"""What can go wrong when a language model is asked, and what may its caller do about it?"""

from __future__ import annotations

from enum import StrEnum

from rookery.protocol import RookeryError


class LlmKind(StrEnum):
    """What a caller can act on."""

    NOT_CONFIGURED = "not configured"
    """No such task, or its model cannot be used as it is configured: an operator has to do something."""
    REFUSED = "refused"
    """The provider does not want this question, or this key."""
    RATE_LIMITED = "rate limited"
    """The provider wants to be asked later."""
    UNAVAILABLE = "unavailable"
    """The provider cannot be reached, or is broken."""
    TIMEOUT = "timeout"
    BAD_ANSWER = "bad answer"
    """What came is no answer."""


class LlmFailed(RookeryError):
    """A language model gave no answer.

    Attributes:
        kind: Which kind of failure.
        retry_after: Seconds after which the provider wants to be asked again; None when it has not said.
        is_passing: Whether the same question may well be answered a moment later, or by another model.
    """

    def __init__(
        self, kind: LlmKind, message: str, *, retry_after: float | None = None, is_passing: bool = False
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry_after = retry_after
        self.is_passing = is_passing
