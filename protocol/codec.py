"""How does an envelope become bytes and back: msgpack, its options, and the two extension types."""

from __future__ import annotations

from datetime import date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgpack

from .envelope import Envelope, envelope_from_map
from .errors import CannotEncode, RemoteProtocolError
from .limits import MAX_DEPTH
from .shown import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

EXT_DATETIME = 42
"""ISO 8601 text of a ``datetime.datetime`` (protocol 1.0.0)."""

EXT_DATE = 43
"""ISO 8601 text of a ``datetime.date`` (protocol 1.0.0)."""

_SCALARS = frozenset({str, bytes, int, float, bool, type(None)})


def encode_value(value: Any) -> bytes:
    """Pack one value.

    Raises:
        CannotEncode: The value, or something in it, has no form on the wire that the peer could read back.
    """
    try:
        packed: bytes = msgpack.packb(value, use_bin_type=True, default=_encode_other)
    except CannotEncode:
        raise
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        # UnicodeEncodeError (a lone surrogate) is a ValueError; msgpack reports depth and cycles as ValueError.
        raise CannotEncode(f"the value cannot be sent: {error}") from error
    return packed


def decode_value(data: bytes, *, loose_keys: bool = False) -> Any:
    """Unpack exactly one value.

    Lengths are checked by msgpack against the bytes that are there, so a claim of four billion items costs nothing.

    Args:
        loose_keys: True lets the keys of maps be any scalar, and leaves out the entries whose key is something else,
            instead of refusing the whole value.

    Raises:
        RemoteProtocolError: The bytes are not exactly one msgpack value of bounded depth, or a map has a key that
            is not text (bytes pass, as in every msgpack of protocol 1.0.0) and ``loose_keys`` is not set.
    """
    try:
        return msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=not loose_keys,
            object_pairs_hook=_scalar_entries if loose_keys else None,
            ext_hook=_decode_ext,
        )
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        # ExtraData, FormatError and StackError are ValueErrors.
        text = str(error) or type(error).__name__
        raise RemoteProtocolError(f"the frame is not valid msgpack: {text[:200]}") from error


def encode_envelope(envelope: Envelope) -> bytes:
    """The body of a frame.

    Raises:
        CannotEncode: See ``encode_value``.
    """
    return encode_value(envelope.to_map())


def decode_envelope(body: bytes) -> Envelope:
    """The envelope in the body of a frame.

    A payload with map keys that are not text is one careless plugin's mistake, not the runner's: original runners send
    such answers. The envelope then says so in ``defect``, so that its caller can be told, and the connection lives; what
    is left of the payload is not to be used.

    Raises:
        RemoteProtocolError: The body is not an envelope; the reason says why.
    """
    defect = ""
    try:
        data = decode_value(body)
    except RemoteProtocolError:
        data = decode_value(body, loose_keys=True)  # raises again unless only the keys were wrong
        defect = "a map in it has keys that are not text"
    if type(data) is not dict:
        raise RemoteProtocolError(f"the frame must hold a map, got {type(data).__name__}")
    envelope = envelope_from_map(data)
    envelope.defect = defect
    return envelope


def check_sendable(value: Any, depth: int = 0) -> None:
    """Find what msgpack would pack but the peer could not read: keys that are not text, and too deep nesting.

    Called only where values come from plugin code that is about to be sent; typed payloads never need it.

    Raises:
        CannotEncode: Names the key or the depth.
    """
    if depth > MAX_DEPTH:
        raise CannotEncode(f"the value nests deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        for key, item in value.items():
            if type(key) is not str and not isinstance(key, str):
                raise CannotEncode(f"map keys must be text, got the key {shown(key)}")
            if isinstance(item, (dict, list, tuple)):
                check_sendable(item, depth + 1)
    elif isinstance(value, (list, tuple)):
        for item in value:
            if isinstance(item, (dict, list, tuple)):
                check_sendable(item, depth + 1)


def _encode_other(value: Any) -> Any:
    if isinstance(value, datetime):  # before date: a datetime is a date
        return msgpack.ExtType(EXT_DATETIME, value.isoformat().encode())
    if isinstance(value, date):
        return msgpack.ExtType(EXT_DATE, value.isoformat().encode())
    if isinstance(value, Enum):
        return value.value
    raise CannotEncode(f"a {type(value).__name__} cannot be sent: {shown(value)}")


def _scalar_entries(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    # A list has no hash, and the hashes of dates and extensions are made of numbers that a peer can choose so that all
    # of them collide. Of scalars only a handful share one.
    return {key: value for key, value in pairs if type(key) in _SCALARS}


def _decode_ext(code: int, data: bytes) -> Any:
    if code not in (EXT_DATETIME, EXT_DATE):
        return msgpack.ExtType(code, data)
    kind = datetime if code == EXT_DATETIME else date
    try:
        return kind.fromisoformat(data.decode())
    except ValueError as error:
        raise RemoteProtocolError(f"extension {code} must hold an ISO 8601 text: {error}") from error
