"""How can a dispatch end other than well, and what may its caller do about it?"""

from __future__ import annotations

from enum import Enum

from rookery.protocol import (
    CannotEncode,
    ConnectionLost,
    ErrorCode,
    FrameTooLarge,
    LocalProtocolError,
    RemoteError,
    RequestTimedOut,
    RookeryError,
)


class Fate(Enum):
    """The kinds of failure that a caller can act on; each maps to a wire code of protocol 1.0.0."""

    TIMEOUT = "timeout"
    RUNNER_LOST = "runner lost"
    HUNG = "hung"
    """Its own code was what its runner was killed for."""
    UNAVAILABLE = "unavailable"
    OVERLOADED = "overloaded"
    QUARANTINED = "quarantined"
    DEAD_LETTERED = "dead-lettered"
    """The event has ended several runners and is not dispatched any more."""
    REFUSED = "refused"
    HANDLER_ERROR = "handler error"
    RESULT_UNENCODABLE = "result unencodable"
    RESULT_TOO_LARGE = "result too large"
    SHUTTING_DOWN = "shutting down"

    @property
    def code(self) -> ErrorCode:
        return _CODES[self]


_CODES = {
    Fate.TIMEOUT: ErrorCode.E_TIMEOUT,
    Fate.RUNNER_LOST: ErrorCode.E_PLUGIN_CRASHED,
    Fate.HUNG: ErrorCode.E_PLUGIN_CRASHED,
    Fate.UNAVAILABLE: ErrorCode.E_PLUGIN_CRASHED,
    Fate.OVERLOADED: ErrorCode.E_BACK_PRESSURE,
    Fate.QUARANTINED: ErrorCode.E_PLUGIN_NOT_FOUND,
    Fate.DEAD_LETTERED: ErrorCode.E_BAD_PAYLOAD,
    Fate.REFUSED: ErrorCode.E_METHOD_NOT_ALLOWED,
    Fate.HANDLER_ERROR: ErrorCode.E_UNKNOWN,
    Fate.RESULT_UNENCODABLE: ErrorCode.E_BAD_PAYLOAD,
    Fate.RESULT_TOO_LARGE: ErrorCode.E_BAD_PAYLOAD,
    Fate.SHUTTING_DOWN: ErrorCode.E_SHUTTING_DOWN,
}

_LOSSES = {
    Fate.RUNNER_LOST,
    Fate.HUNG,
    Fate.UNAVAILABLE,
    Fate.OVERLOADED,
    Fate.QUARANTINED,
    Fate.DEAD_LETTERED,
    Fate.SHUTTING_DOWN,
}

_MAY_HAVE_RUN = {Fate.TIMEOUT, Fate.HANDLER_ERROR, Fate.SHUTTING_DOWN}
"""What a runner says of a call that it cut off as well as of one that it did not begin; it tells the second apart."""

_BY_CODE = {
    ErrorCode.E_TIMEOUT: Fate.TIMEOUT,
    ErrorCode.E_PLUGIN_CRASHED: Fate.RUNNER_LOST,
    ErrorCode.E_PLUGIN_NOT_FOUND: Fate.UNAVAILABLE,
    ErrorCode.E_BACK_PRESSURE: Fate.OVERLOADED,
    ErrorCode.E_HOST_OVERLOADED: Fate.OVERLOADED,
    ErrorCode.E_SHUTTING_DOWN: Fate.SHUTTING_DOWN,
    ErrorCode.E_METHOD_NOT_ALLOWED: Fate.REFUSED,
    ErrorCode.E_BAD_PAYLOAD: Fate.REFUSED,
}


class DispatchFailed(RookeryError):
    """A dispatch ended without a result.

    Attributes:
        fate: Which kind.
        maybe_executed: True when the plugin's code may have run: only then a repetition is a risk.
    """

    def __init__(self, fate: Fate, message: str, *, maybe_executed: bool = False) -> None:
        super().__init__(f"{fate.value}: {message}" if message else fate.value)
        self.fate = fate
        self.message = message
        self.maybe_executed = maybe_executed

    @property
    def is_loss(self) -> bool:
        """True when the work was lost by no doing of the plugin: it counts as lost and not as an error."""
        return self.fate in _LOSSES or (self.fate is Fate.TIMEOUT and not self.maybe_executed)


def never_began(error: RookeryError) -> bool:
    """Whether the end of a request proves that its handler has not begun, so that it can be sent again."""
    if isinstance(error, ConnectionLost):
        return not error.maybe_executed
    return isinstance(error, RemoteError) and (
        error.details.get("kind") == "Recalled" or takes_nothing(error)
    )


def takes_nothing(error: RookeryError) -> bool:
    """Whether a runner has given a call back because it, or the plugin, leaves: others would come back as well."""
    if not isinstance(error, RemoteError) or error.code is not ErrorCode.E_SHUTTING_DOWN:
        return False
    return error.details.get("kind") == "NotStarted"


def failure_of(error: RookeryError, *, has_run: bool = False) -> DispatchFailed:
    """What the end of a request means for the dispatch that sent it.

    Args:
        has_run: An earlier request for the same dispatch had begun: whatever this one says, it speaks for itself alone.
    """
    failure = _failure_of(error)
    failure.maybe_executed = failure.maybe_executed or has_run
    return failure


def _failure_of(error: RookeryError) -> DispatchFailed:
    if isinstance(error, DispatchFailed):
        return error
    if isinstance(error, ConnectionLost):
        fate = Fate.HUNG if error.hung else Fate.RUNNER_LOST
        return DispatchFailed(fate, str(error), maybe_executed=error.maybe_executed)
    if isinstance(error, RequestTimedOut):
        return DispatchFailed(Fate.TIMEOUT, str(error), maybe_executed=True)
    if isinstance(error, RemoteError):
        return _failure_of_answer(error)
    if isinstance(error, FrameTooLarge):
        return DispatchFailed(Fate.REFUSED, f"the arguments are too large: {error}")
    if isinstance(error, CannotEncode):
        return DispatchFailed(Fate.REFUSED, f"the arguments cannot be sent: {error}")
    if isinstance(error, LocalProtocolError):
        return DispatchFailed(Fate.REFUSED, f"the call cannot be sent: {error}")
    return DispatchFailed(Fate.HANDLER_ERROR, str(error), maybe_executed=True)


def _failure_of_answer(error: RemoteError) -> DispatchFailed:
    kind = error.details.get("kind")
    if kind == "ResultUnencodable":
        return DispatchFailed(Fate.RESULT_UNENCODABLE, error.message, maybe_executed=True)
    if kind == "ResultTooLarge":
        return DispatchFailed(Fate.RESULT_TOO_LARGE, error.message, maybe_executed=True)
    fate = _BY_CODE.get(error.code, Fate.HANDLER_ERROR)
    executed = fate in _MAY_HAVE_RUN and kind != "NotStarted"
    return DispatchFailed(fate, error.message or error.code.value, maybe_executed=executed)
