"""What is the one unit that crosses the wire: the envelope, its nine fields and their defaults.

It has two forms. The map of all nine, by their names, is protocol 1.0.0 and what every peer reads. Two ends that agreed on it
in their hello send the compact form instead, a list of seven: the names, the version and the time stamp, which nobody
reads, are left out.
"""

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


COMPACT = "compact"
"""The feature of a hello and its answer by which the two agree on the compact form for everything after that answer."""

COMPACT_FIELDS = ("request_id", "message_type", "method", "plugin_id", "timeout_ms", "payload", "error")
"""The compact form, in this order. The type is its place in ``MESSAGE_TYPES``."""

MESSAGE_TYPES = tuple(MessageType)
NUMBERS = {kind: number for number, kind in enumerate(MESSAGE_TYPES)}


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
    """Unix milliseconds of the sending; informational. The link fills it in. The compact form has none."""
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

    def to_list(self) -> list[Any]:
        """The compact form; see ``COMPACT_FIELDS``."""
        number = MESSAGE_TYPES.index(self.message_type)
        return [
            self.request_id, number, self.method, self.plugin_id, self.timeout_ms, self.payload, self.error,
        ]  # fmt: skip


def offers_compact(greeting: dict[str, Any]) -> bool:
    """Whether the payload of a hello, or of its answer, lists the compact form among its features."""
    features = greeting.get("features")
    return type(features) is list and COMPACT in features


_TYPES = {kind.value: kind for kind in MESSAGE_TYPES}


def envelope_from_map(data: dict[str, Any]) -> Envelope:
    """Check a decoded map and make the envelope of it. Unknown keys are ignored, missing optional ones get defaults.

    Raises:
        RemoteProtocolError: A field is missing or has the wrong type; the reason names it.
    """
    kind = data.get("message_type")
    return _checked(
        data.get("request_id"),
        kind,
        _TYPES.get(kind) if type(kind) is str else None,
        data.get("method", ""),
        data.get("plugin_id", ""),
        data.get("timeout_ms", DEFAULT_TIMEOUT_MS),
        data.get("payload"),
        data.get("error"),
        data.get("timestamp_ms", 0),
        data.get("protocol_version", PROTOCOL_VERSION),
    )


def envelope_from_list(data: list[Any]) -> Envelope:
    """The same for the compact form, in which nothing may be missing or too much.

    Raises:
        RemoteProtocolError: As above.
    """
    if len(data) != len(COMPACT_FIELDS):
        raise RemoteProtocolError(
            f"a compact envelope must have {len(COMPACT_FIELDS)} fields, got {len(data)}"
        )
    request_id, kind, method, plugin_id, timeout_ms, payload, error = data
    is_known = type(kind) is int and 0 <= kind < len(MESSAGE_TYPES)
    message_type = MESSAGE_TYPES[kind] if is_known else None
    return _checked(request_id, kind, message_type, method, plugin_id, timeout_ms, payload, error)


def _checked(
    request_id: Any,
    kind: Any,
    message_type: MessageType | None,
    method: Any,
    plugin_id: Any,
    timeout_ms: Any,
    payload: Any,
    error: Any,
    timestamp_ms: Any = 0,
    version: Any = PROTOCOL_VERSION,
) -> Envelope:
    # Written out instead of looped over: every frame passes here, and a loop takes as long as all the rest.
    if type(request_id) is not int:
        raise _wrong("request_id", "an integer", request_id)
    if message_type is None:
        raise _wrong("message_type", "one of request, response, broadcast", kind)
    if payload is None:
        payload = {}
    elif type(payload) is not dict:
        raise _wrong("payload", "a map", payload)
    if error is not None and type(error) is not dict:
        raise _wrong("error", "a map or null", error)
    if type(method) is not str or len(method) > MAX_NAME_CHARS:
        raise _wrong_text("method", method)
    if type(plugin_id) is not str or len(plugin_id) > MAX_NAME_CHARS:
        raise _wrong_text("plugin_id", plugin_id)
    if type(version) is not str or len(version) > MAX_NAME_CHARS:
        raise _wrong_text("protocol_version", version)
    if type(timeout_ms) is not int:
        raise _wrong("timeout_ms", "an integer", timeout_ms)
    if type(timestamp_ms) is not int:
        raise _wrong("timestamp_ms", "an integer", timestamp_ms)
    return Envelope(
        request_id, message_type, method, plugin_id, payload, error or None, timeout_ms, timestamp_ms, version
    )


def _wrong_text(field: str, given: object) -> RemoteProtocolError:
    if type(given) is not str:
        return _wrong(field, "a text", given)
    return _wrong(field, f"at most {MAX_NAME_CHARS} characters long", given)


def _wrong(field: str, expected: str, given: object) -> RemoteProtocolError:
    return RemoteProtocolError(f"envelope field {field!r} must be {expected}, got {shown(given)}")
