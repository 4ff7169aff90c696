"""How does an envelope become bytes and back: msgpack, its options, and the two extension types."""

from __future__ import annotations

from datetime import date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgpack

from .envelope import COMPACT_FIELDS, NUMBERS, Envelope, envelope_from_list, envelope_from_map
from .errors import CannotEncode, RemoteProtocolError
from .limits import MAX_CONTAINERS, MAX_DEPTH, MAX_NAME_CHARS
from .shown import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .envelope import MessageType

EXT_DATETIME = 42
"""ISO 8601 text of a ``datetime.datetime`` (protocol 1.0.0)."""

EXT_DATE = 43
"""ISO 8601 text of a ``datetime.date`` (protocol 1.0.0)."""

_SCALARS = frozenset({str, bytes, int, float, bool, type(None)})

_CONTAINER_TAGS = bytes([*range(0x80, 0xA0), 0xC7, 0xC8, 0xC9, *range(0xD4, 0xD9), *range(0xDC, 0xE0)])
"""The first bytes of maps, lists and extensions."""


KEPT_BYTES = 64 * 1024
"""A packer whose buffer has become larger is not kept."""

_spare_packers: list[Any] = []
"""One, unless packing a value led to packing another: a new one for each value takes as long again as a small value
(0.4 microseconds). One that has failed is not used again."""


def _make_packer() -> Any:
    return msgpack.Packer(use_bin_type=True, default=_encode_other, buf_size=4096)


def encode_value(value: Any) -> bytes:
    """Pack one value.

    Raises:
        CannotEncode: The value, or something in it, has no form on the wire that the peer could read back.
    """
    packer = _spare_packers.pop() if _spare_packers else _make_packer()
    try:
        packed: bytes = packer.pack(value)
    except CannotEncode:
        raise
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        # UnicodeEncodeError (a lone surrogate) is a ValueError; msgpack reports depth and cycles as ValueError.
        raise CannotEncode(f"the value cannot be sent: {error}") from error
    if len(packed) <= KEPT_BYTES:
        _spare_packers.append(packer)
    return packed


def decode_value(data: bytes, *, loose_keys: bool = False, max_containers: int = MAX_CONTAINERS) -> Any:
    """Unpack exactly one value.

    Lengths are checked by msgpack against the bytes that are there, so a claim of four billion items costs nothing.

    Args:
        loose_keys: True lets the keys of maps be any scalar, and leaves out the entries whose key is something else,
            instead of refusing the whole value.
        max_containers: Maps, lists and extensions in it at most.

    Raises:
        RemoteProtocolError: The bytes are not exactly one msgpack value of bounded depth, or a map has a key that
            is not text (bytes pass, as in every msgpack of protocol 1.0.0) and ``loose_keys`` is not set. More than
            ``max_containers`` of the last are a ``_TooManyContainers``.
    """
    pairs_hook = _scalar_entries if loose_keys else None
    try:
        if len(data) > max_containers:
            return _Counting(pairs_hook, max_containers).unpack(data)
        return msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=not loose_keys,
            object_pairs_hook=pairs_hook,
            ext_hook=_decode_ext,
        )
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        # ExtraData, FormatError and StackError are ValueErrors.
        text = str(error) or type(error).__name__
        raise RemoteProtocolError(f"the frame is not valid msgpack: {text[:200]}") from error


def encode_envelope(
    envelope: Envelope, *, compact: bool = False, max_containers: int = MAX_CONTAINERS
) -> bytes:
    """The body of a frame.

    Args:
        compact: The form for a peer that has agreed to it.
        max_containers: Maps, lists and extensions that the peer takes.

    Raises:
        CannotEncode: See ``encode_value``; or the envelope holds more maps, lists and extensions than the peer takes.
    """
    body = encode_value(envelope.to_list() if compact else envelope.to_map())
    if len(body) > max_containers:
        _check_containers(body, max_containers)
    return body


def encode_compact(
    request_id: int, kind: MessageType, method: str, plugin_id: str, payload: dict[str, Any],
    error: dict[str, Any] | None, timeout_ms: int, max_containers: int = MAX_CONTAINERS,
) -> bytes:  # fmt: skip
    """The same in the compact form, without an envelope in between, which takes as long as the packing (2 µs)."""
    body = encode_value([request_id, NUMBERS[kind], method, plugin_id, timeout_ms, payload, error])
    if len(body) > max_containers:
        _check_containers(body, max_containers)
    return body


def decode_usual(body: bytes, max_containers: int = MAX_CONTAINERS) -> list[Any] | None:
    """The fields of a compact envelope that is as most are; ``None`` where ``decode_envelope`` has to look at it.

    Checked is what that checks, and that there is a payload, and no error.
    """
    if len(body) > max_containers:
        return None
    try:
        fields = msgpack.unpackb(body, raw=False, strict_map_key=True, ext_hook=_decode_ext)
    except (
        ValueError,
        TypeError,
        OverflowError,
        RecursionError,
        msgpack.UnpackException,
        RemoteProtocolError,
    ):
        return None
    if type(fields) is not list or len(fields) != len(COMPACT_FIELDS):
        return None
    request_id, kind, method, plugin_id, timeout_ms, payload, error = fields
    if (
        type(request_id) is int
        and type(kind) is int
        and type(method) is str
        and len(method) <= MAX_NAME_CHARS
        and type(plugin_id) is str
        and len(plugin_id) <= MAX_NAME_CHARS
        and type(timeout_ms) is int
        and type(payload) is dict
        and error is None
    ):
        return fields
    return None


def decode_envelope(body: bytes, *, compact: bool = False, max_containers: int = MAX_CONTAINERS) -> Envelope:
    """The envelope in the body of a frame.

    A payload with map keys that are not text is one careless plugin's mistake, not the runner's: original runners send
    such answers. The envelope then says so in ``defect``, so that its caller can be told, and the connection lives; what
    is left of the payload is not to be used.

    Args:
        compact: The peer has agreed to the compact form. A map is good all the same: it says no less.
        max_containers: As of ``decode_value``.

    Raises:
        RemoteProtocolError: The body is not an envelope; the reason says why.
    """
    defect = ""
    try:
        data = decode_value(body, max_containers=max_containers)
    except _TooManyContainers:
        raise
    except RemoteProtocolError:
        # Raises again unless only the keys were wrong.
        data = decode_value(body, loose_keys=True, max_containers=max_containers)
        defect = "a map in it has keys that are not text"
    if type(data) is dict:
        envelope = envelope_from_map(data)
    elif compact and type(data) is list:
        envelope = envelope_from_list(data)
    else:
        forms = "a map or a list" if compact else "a map"
        raise RemoteProtocolError(f"the frame must hold {forms}, got {type(data).__name__}")
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
    # Most of what is sent is text and numbers: to see that by the type alone halves the time.
    if isinstance(value, dict):
        for key, item in value.items():
            if type(key) is not str and not isinstance(key, str):
                raise CannotEncode(f"map keys must be text, got the key {shown(key)}")
            if type(item) not in _SCALARS and isinstance(item, (dict, list, tuple)):
                check_sendable(item, depth + 1)
    elif isinstance(value, (list, tuple)):
        for item in value:
            if type(item) not in _SCALARS and isinstance(item, (dict, list, tuple)):
                check_sendable(item, depth + 1)


class _TooManyContainers(RemoteProtocolError):
    """Apart from the other refusals only because a second try with loose keys would cost the same again."""

    def __init__(self, most: int) -> None:
        super().__init__(f"the frame holds more than {most} maps, lists and extensions")


class _Counting:
    """Unpacks one value and stops where its maps, lists and extensions become too many.

    Only large frames come here: a call for each container makes a frame full of them a fifth slower. A look at all tags
    before anything is built would refuse sooner and count scalars as well, but in Python it takes longer than the
    decoding itself. Time stamps of msgpack's own kind reach no hook and are not counted.
    """

    def __init__(self, pairs_hook: Callable[[Any], Any] | None, most: int) -> None:
        self._pairs_hook = pairs_hook
        self._most = self._left = most

    def unpack(self, data: bytes) -> Any:
        loose = self._pairs_hook is not None
        return msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=not loose,
            list_hook=self._count,
            object_hook=None if loose else self._count,
            object_pairs_hook=self._count_pairs if loose else None,
            ext_hook=self._count_ext,
        )

    def _count(self, made: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise _TooManyContainers(self._most)
        return made

    def _count_pairs(self, pairs: Any) -> Any:
        self._count(None)
        assert self._pairs_hook is not None
        return self._pairs_hook(pairs)

    def _count_ext(self, code: int, data: bytes) -> Any:
        self._count(None)
        return _decode_ext(code, data)


def _check_containers(body: bytes, most: int) -> None:
    # Most large frames are text and numbers with few bytes that could be a container's first: that is quick to see.
    if len(body) - len(body.translate(None, _CONTAINER_TAGS)) <= most:
        return
    try:
        decode_value(body, loose_keys=True, max_containers=most)
    except _TooManyContainers:
        raise CannotEncode(
            f"the value cannot be sent: it holds more than {most} maps, lists and extensions"
        ) from None
    except RemoteProtocolError:
        pass  # something else in it that the peer will not read: not what is asked here


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
