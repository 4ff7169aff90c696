"""What is the one unit that crosses the wire: the envelope, its nine fields and their defaults."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import attrs

from .errors import RemoteProtocolError
from .limits import DEFAULT_TIMEOUT_MS, MAX_NAME_CHARS
from .names import PROTOCOL_VERSION
from .shown import shown


class MessageType(StrEnum):
    REQUEST = "request"
    RESPONSE = "response"
    BROADCAST = "broadcast"


@attrs.define(slots=True)
class Envelope:
    """One message. Mutable only because freezing costs the hot path a third of the construction time."""

    request_id: int
    """Positive; counted by the sender of the request. A response repeats the id of its request."""
    message_type: MessageType
    method: str = ""
    plugin_id: str = ""
    """The plugin that acts (runner to host) or is meant (host to runner); "" when there is none."""
    payload: dict[str, Any] = attrs.Factory(dict)
    error: dict[str, Any] | None = None
    """Responses only: ``{code, message, details}``. A non-empty map makes the response an error."""
    timeout_ms: int = DEFAULT_TIMEOUT_MS
    """The remaining budget of a request in milliseconds, relative to its arrival."""
    timestamp_ms: int = 0
    """Unix milliseconds of the sending; informational. The link fills it in."""
    protocol_version: str = PROTOCOL_VERSION
    """Informational: nobody refuses another text."""
    defect: str = ""
    """Never sent. What makes the payload of a received envelope unusable; "" when nothing does."""

    def to_map(self) -> dict[str, Any]:
        """The map that is packed, with all nine keys in the order the original peers use."""
        return {
            "protocol_version": self.protocol_version,
            "request_id": self.request_id,
            "message_type": self.message_type.value,
            "method": self.method,
            "plugin_id": self.plugin_id,
            "timestamp_ms": self.timestamp_ms,
            "timeout_ms": self.timeout_ms,
            "payload": self.payload,
            "error": self.error,
        }


_TYPES = {kind.value: kind for kind in MessageType}


def envelope_from_map(data: dict[str, Any]) -> Envelope:
    """Check a decoded map and make the envelope of it. Unknown keys are ignored, missing optional ones get defaults.

    Raises:
        RemoteProtocolError: A field is missing or has the wrong type; the reason names it.
    """
    request_id = data.get("request_id")
    if type(request_id) is not int:
        raise _wrong("request_id", "an integer", request_id)
    kind = data.get("message_type")
    message_type = _TYPES.get(kind) if type(kind) is str else None
    if message_type is None:
        raise _wrong("message_type", "one of request, response, broadcast", kind)
    payload = data.get("payload")
    if payload is None:
        payload = {}
    elif type(payload) is not dict:
        raise _wrong("payload", "a map", payload)
    error = data.get("error")
    if error is not None and type(error) is not dict:
        raise _wrong("error", "a map or null", error)
    method = data.get("method", "")
    plugin_id = data.get("plugin_id", "")
    version = data.get("protocol_version", PROTOCOL_VERSION)
    for name, text in (("method", method), ("plugin_id", plugin_id), ("protocol_version", version)):
        if type(text) is not str:
            raise _wrong(name, "a text", text)
        if len(text) > MAX_NAME_CHARS:
            raise _wrong(name, f"at most {MAX_NAME_CHARS} characters long", text)
    timeout_ms = data.get("timeout_ms", DEFAULT_TIMEOUT_MS)
    timestamp_ms = data.get("timestamp_ms", 0)
    for name, number in (("timeout_ms", timeout_ms), ("timestamp_ms", timestamp_ms)):
        if type(number) is not int:
            raise _wrong(name, "an integer", number)
    return Envelope(
        request_id, message_type, method, plugin_id, payload, error or None, timeout_ms, timestamp_ms, version
    )


def _wrong(field: str, expected: str, given: object) -> RemoteProtocolError:
    return RemoteProtocolError(f"envelope field {field!r} must be {expected}, got {shown(given)}")
