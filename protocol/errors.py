"""Which errors the protocol knows, who is to blame for each, and their codes on the wire."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from .shown import shown


class RookeryError(Exception):
    """The root of every error that rookery raises on purpose."""


class ErrorCode(StrEnum):
    """The fifteen codes of protocol 1.0.0. An original peer goes deaf on any other text: never add one."""

    OK = "OK"
    E_UNKNOWN = "E_UNKNOWN"
    E_TIMEOUT = "E_TIMEOUT"
    E_BAD_PAYLOAD = "E_BAD_PAYLOAD"
    E_PROTOCOL_MISMATCH = "E_PROTOCOL_MISMATCH"
    E_SHUTTING_DOWN = "E_SHUTTING_DOWN"
    E_UNAUTHORIZED = "E_UNAUTHORIZED"
    E_METHOD_NOT_ALLOWED = "E_METHOD_NOT_ALLOWED"
    E_BACK_PRESSURE = "E_BACK_PRESSURE"
    E_HOST_OVERLOADED = "E_HOST_OVERLOADED"
    E_PLUGIN_CRASHED = "E_PLUGIN_CRASHED"
    E_PLUGIN_NOT_FOUND = "E_PLUGIN_NOT_FOUND"
    E_RELOAD_IN_PROGRESS = "E_RELOAD_IN_PROGRESS"
    E_CAPABILITY_DENIED = "E_CAPABILITY_DENIED"
    E_CAPABILITY_FAILED = "E_CAPABILITY_FAILED"

    @classmethod
    def parse(cls, text: object) -> ErrorCode:
        """The code with this text; anything else is ``E_UNKNOWN``, never an exception.

        A peer of another version may know codes that we do not; its answer must still reach the caller.
        """
        known = cls.__members__.get(text) if isinstance(text, str) else None
        return known or cls.E_UNKNOWN


class ProtocolError(RookeryError):
    """A rule of the protocol was broken. The subclasses say by whom.

    Attributes:
        reason: One sentence for the operator; it names the rule and the value that broke it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class LocalProtocolError(ProtocolError):
    """This side asked for something the protocol forbids: a bug here, the connection is unharmed."""


class RemoteProtocolError(ProtocolError):
    """The peer broke a rule. The connection cannot be trusted any more and has to be closed."""


class CannotEncode(LocalProtocolError):
    """A value has no form on the wire: a set, an object, an integer beyond 64 bits, a lone surrogate, a cycle, or more
    maps and lists than a peer takes.

    Not a ``FrameTooLarge``: a smaller value of the same kind would not help.
    """


class FrameTooLarge(LocalProtocolError):
    """An encoded envelope exceeds the frame limit; nothing of it was sent.

    Attributes:
        size: What the frame would have needed, in bytes.
        limit: What is allowed, in bytes.
    """

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"a frame of {size} bytes exceeds the limit of {limit} bytes")
        self.size = size
        self.limit = limit


class ConnectionLost(RookeryError):
    """The peer went away before it answered.

    Attributes:
        maybe_executed: True when the request may have reached the peer's code.
        hung: True when the peer was ended because the code of this very request did not give it back.
    """

    def __init__(self, message: str, *, maybe_executed: bool = True, hung: bool = False) -> None:
        super().__init__(message)
        self.maybe_executed = maybe_executed
        self.hung = hung


class RequestTimedOut(RookeryError):
    """The budget of a request is spent and no answer came. The peer may still be working on it."""


class RemoteError(RookeryError):
    """The peer answered with an error object.

    Attributes:
        code: One of the fifteen; an unknown text has become ``E_UNKNOWN``.
        message: The peer's text, kept as it came.
        details: The peer's free-form details.
    """

    def __init__(self, code: ErrorCode, message: str = "", details: dict[str, Any] | None = None) -> None:
        super().__init__(f"[{code.value}] {message}" if message else code.value)
        self.code = code
        self.message = message
        self.details = details or {}

    @classmethod
    def from_wire(cls, error: dict[str, Any]) -> RemoteError:
        """Read an error object as the peer sent it; missing parts get neutral values."""
        text = error.get("code", ErrorCode.E_UNKNOWN.value)
        code = ErrorCode.parse(text)
        message = error.get("message", "")
        if type(message) is not str:
            message = shown(message)
        if code is ErrorCode.E_UNKNOWN and text != ErrorCode.E_UNKNOWN.value:
            told = f"the peer's code was {shown(text)}"
            message = f"{message} ({told})" if message else told
        details = error.get("details")
        return cls(code, message, details if isinstance(details, dict) else None)


class BadPayload(RookeryError):
    """The payload of one request does not have the shape of its method; the connection is unharmed.

    Not a ``RemoteProtocolError``: the envelope was right, so the sender gets ``E_BAD_PAYLOAD`` and goes on.

    Attributes:
        path: Where in the payload, e.g. ``components[2].metadata.weight``; "" is the payload itself.
    """

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.message = message

    @property
    def details(self) -> dict[str, Any]:
        """What the sender is told beside the text."""
        return {"path": self.path}
