"""What does a capability see of one call, and how is that call answered exactly once?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rookery.protocol import (
    BadPayload,
    CannotEncode,
    ConnectionLost,
    ErrorCode,
    FrameTooLarge,
    RemoteError,
    RequestTimedOut,
    check_sendable,
)

from ..store_errors import OperationRefused, StoreError, StoreOverloaded

if TYPE_CHECKING:
    from collections.abc import Callable

    from rookery.protocol import Request

MAX_BUDGET = 3600.0
"""Seconds that a call may take at most, whatever its caller says: it is a number of sixty-four bits, and what never ends is kept
for ever, with the task that works on it, also when its runner is long dead."""

MAX_PATH_CHARS = 1_000
"""Of the argument that a refusal names in its details."""


class CapabilityRequest:
    """One call of one plugin; the first of ``answer`` and ``fail`` counts, later ones do nothing.

    Attributes:
        plugin_id: Who asks, as the host knows it; what ``args`` say about that means nothing.
        shard: The shard that the plugin lives in.
        name: The capability.
        args: The arguments as they came; nothing in them is checked.
        deadline: On trio's clock; nobody waits for an answer after it.
        link: The connection that it came by.
        within: The request of the host's that the plugin was working on, as its runner says; 0 when it says nothing.
        settled: True once it was answered.
    """

    __slots__ = (
        "_on_settled",
        "_request",
        "_says_mistakes",
        "args",
        "deadline",
        "link",
        "name",
        "plugin_id",
        "settled",
        "shard",
        "within",
    )

    def __init__(
        self,
        request: Request,
        *,
        shard: str,
        name: str,
        args: dict[str, Any],
        within: int = 0,
        says_mistakes: bool = False,
        on_settled: Callable[[CapabilityRequest], None],
    ) -> None:
        self._request = request
        self._says_mistakes = says_mistakes
        self._on_settled = on_settled
        self.plugin_id = request.plugin_id
        self.shard = shard
        self.name = name
        self.args = args
        self.link = request.link
        self.within = within
        self.deadline = request.received_at + min(max(0, request.timeout_ms) / 1000, MAX_BUDGET)
        self.settled = False

    def __repr__(self) -> str:
        return (
            f"<CapabilityRequest {self.name} of {self.plugin_id} ({'settled' if self.settled else 'owed'})>"
        )

    def answer(self, result: Any) -> None:
        """Send the result; one that cannot be sent becomes a refusal that says why."""
        if self.settled:
            return
        try:
            check_sendable(result)
            self._request.answer({"success": True, "result": result})
        except (CannotEncode, FrameTooLarge) as error:
            self.fail(
                ErrorCode.E_CAPABILITY_FAILED, f"the result of {self.name} cannot be sent: {error.reason}"
            )
            return
        self._settle()

    def fail(self, code: ErrorCode, message: str) -> None:
        """Send an error, which the plugin gets as an exception."""
        if not self.settled:
            self._request.refuse(code, message)
            self._settle()

    def fail_with(self, error: Exception) -> None:
        """Send what an implementation raised: a mistake in the arguments, an error of another peer, or a failure.

        A capability of protocol 1.0.0 says mistakes in its result, ``{success: false, error}``, which is what plugins
        written for it look at; the others refuse with ``E_BAD_PAYLOAD`` and the argument's name.
        """
        if self.settled:
            return
        if isinstance(error, BadPayload | OperationRefused):
            if self._says_mistakes:
                self.answer({"success": False, "error": str(error)})
            else:
                argument = error.path if isinstance(error, BadPayload) else error.argument
                # The argument's name may be the caller's, and as long as a frame: the refusal has to fit.
                details = {"path": argument[:MAX_PATH_CHARS]}
                self._request.refuse(ErrorCode.E_BAD_PAYLOAD, f"{self.name}: {error}", details)
                self._settle()
        elif isinstance(error, RemoteError):
            code = ErrorCode.E_CAPABILITY_FAILED if error.code is ErrorCode.OK else error.code
            self.fail(code, error.message)
        elif isinstance(error, StoreError | RequestTimedOut | ConnectionLost):
            self.fail(_CODES.get(type(error), ErrorCode.E_CAPABILITY_FAILED), str(error))
        else:
            self.fail(ErrorCode.E_CAPABILITY_FAILED, f"{self.name} failed: {type(error).__name__}: {error}")

    def settle_with(self, key: str = "") -> Callable[[Any], None]:
        """An ``on_done`` for the store: answers with the outcome under ``key``, or fails with its error.

        Args:
            key: "" answers success and nothing else.
        """

        def on_done(outcome: Any) -> None:
            if isinstance(outcome, StoreError):
                self.fail_with(outcome)
            else:
                self.answer({"success": True, key: outcome} if key else {"success": True})

        return on_done

    def settle_bare(self, outcome: Any) -> None:
        """An ``on_done`` for the store: answers with the outcome itself, or fails with its error."""
        if isinstance(outcome, StoreError):
            self.fail_with(outcome)
        else:
            self.answer(outcome)

    def _settle(self) -> None:
        self.settled = True
        self._on_settled(self)


_CODES: dict[type[Exception], ErrorCode] = {
    StoreOverloaded: ErrorCode.E_HOST_OVERLOADED,
    RequestTimedOut: ErrorCode.E_TIMEOUT,
    ConnectionLost: ErrorCode.E_PLUGIN_CRASHED,
}
