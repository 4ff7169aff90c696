"""Does every way in which a request ends become the failure that its caller can act on?"""

from __future__ import annotations

import pytest

from rookery.protocol import (
    BadPayload,
    CannotEncode,
    ConnectionLost,
    ErrorCode,
    FrameTooLarge,
    LocalProtocolError,
    RemoteError,
    RequestTimedOut,
    RookeryError,
)
from rookery.supervisor.fate import DispatchFailed, Fate, failure_of


def _remote(code: ErrorCode, kind: str = "") -> RemoteError:
    return RemoteError(code, "why", {"kind": kind} if kind else None)


@pytest.mark.parametrize(
    ("error", "fate", "maybe_executed", "is_loss"),
    [
        (ConnectionLost("gone"), Fate.RUNNER_LOST, True, True),
        (ConnectionLost("gone", maybe_executed=False), Fate.RUNNER_LOST, False, True),
        (RequestTimedOut("late"), Fate.TIMEOUT, True, False),
        (FrameTooLarge(20, 10), Fate.REFUSED, False, False),
        (CannotEncode("a set"), Fate.REFUSED, False, False),
        (LocalProtocolError("too many wait"), Fate.REFUSED, False, False),
        (BadPayload("an answer that is none"), Fate.HANDLER_ERROR, True, False),
        (_remote(ErrorCode.E_TIMEOUT), Fate.TIMEOUT, True, False),
        (_remote(ErrorCode.E_UNKNOWN), Fate.HANDLER_ERROR, True, False),
        (_remote(ErrorCode.E_PLUGIN_CRASHED), Fate.RUNNER_LOST, False, True),
        (_remote(ErrorCode.E_PLUGIN_NOT_FOUND), Fate.UNAVAILABLE, False, True),
        (_remote(ErrorCode.E_BACK_PRESSURE), Fate.OVERLOADED, False, True),
        (_remote(ErrorCode.E_HOST_OVERLOADED), Fate.OVERLOADED, False, True),
        (_remote(ErrorCode.E_SHUTTING_DOWN), Fate.SHUTTING_DOWN, True, True),
        (_remote(ErrorCode.E_SHUTTING_DOWN, "NotStarted"), Fate.SHUTTING_DOWN, False, True),
        (_remote(ErrorCode.E_METHOD_NOT_ALLOWED), Fate.REFUSED, False, False),
        (_remote(ErrorCode.E_BAD_PAYLOAD), Fate.REFUSED, False, False),
        (_remote(ErrorCode.E_UNKNOWN, "ResultUnencodable"), Fate.RESULT_UNENCODABLE, True, False),
        (_remote(ErrorCode.E_BAD_PAYLOAD, "ResultTooLarge"), Fate.RESULT_TOO_LARGE, True, False),
    ],
)
def test_what_the_end_of_a_request_means(
    error: RookeryError, fate: Fate, maybe_executed: bool, is_loss: bool
) -> None:
    """Which kind, whether the plugin may have done it, and whose doing it was; what was said about it is kept."""
    failure = failure_of(error)

    assert (failure.fate, failure.maybe_executed, failure.is_loss) == (fate, maybe_executed, is_loss)
    assert failure.message in str(failure)
    assert fate.value in str(failure)


def test_a_failure_stays_what_it_is() -> None:
    """It may pass several hands."""
    failure = DispatchFailed(Fate.QUARANTINED, "it kills")

    assert failure_of(failure) is failure
    assert failure.is_loss


def test_a_call_that_never_began_in_time_is_a_loss() -> None:
    """The plugin has done nothing wrong: it was not asked."""
    assert DispatchFailed(Fate.TIMEOUT, "waited").is_loss
    assert not DispatchFailed(Fate.TIMEOUT, "ran", maybe_executed=True).is_loss


def test_every_kind_has_a_code_of_the_wire() -> None:
    """A caller behind the wire learns it by one of the fifteen codes."""
    assert all(isinstance(fate.code, ErrorCode) and fate.code is not ErrorCode.OK for fate in Fate)
