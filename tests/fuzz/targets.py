"""What must hold for every input: only the protocol's own errors, bounded memory, and the same value after a second trip."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import Any

import attrs

from rookery.protocol import (
    BadPayload,
    CannotEncode,
    Envelope,
    FrameReader,
    RemoteError,
    RemoteProtocolError,
    RuleBroken,
    Session,
    Side,
    decode_envelope,
    decode_value,
    encode_envelope,
    encode_value,
    frame,
    group_of,
    message_text,
    session_id_of,
    structure,
    unstructure,
    user_of,
    validate_message,
    with_text,
)
from rookery.protocol.limits import HEADER_BYTES
from tests.doubles.sessions import open_sessions
from tests.fuzz import corpus
from tests.fuzz.mutations import mutate_stream, mutate_value
from tests.fuzz.sameness import depth_of, same

READER_LIMITS = (64, 4096, 1024 * 1024)
"""Frame limits; a stream is read with one of them."""

PACKS_TO_DEPTH = 500
"""What nests less deep than this can be packed again; msgpack reads twice as deep as it packs."""


class Broken(AssertionError):
    """A claim does not hold for an input."""


@attrs.frozen
class Target:
    """A decoder under test.

    Attributes:
        check: Raises whatever must not happen; returns in a word what did, so that a search can look for more of it.
        seeds: Honest inputs.
        mutate: A new input, made of one of the given inputs.
    """

    name: str
    check: Callable[[bytes], str]
    seeds: Callable[[], Sequence[bytes]]
    mutate: Callable[[random.Random, Sequence[bytes]], bytes]


def _mutate_one(luck: random.Random, pool: Sequence[bytes]) -> bytes:
    return mutate_value(luck.choice(pool), luck, pool)


def _require(holds: bool, claim: str) -> None:
    if not holds:
        raise Broken(claim)


def _pieces(data: bytes) -> Iterator[bytes]:
    """The stream in random pieces, which depend on nothing but the stream."""
    luck = random.Random(zlib.crc32(data))
    longest = luck.choice((1, 3, 50, 1000, 100_000)) if len(data) < 2000 else luck.choice((500, 100_000))
    at = 0
    while at < len(data):
        size = luck.randint(1, longest)
        yield data[at : at + size]
        at += size


# --- frames ------------------------------------------------------------------------------------------------------


def check_frames(stream: bytes) -> str:
    """Frames come out as they went in, and no more is kept than has arrived and one frame may take."""
    limit = READER_LIMITS[zlib.crc32(stream) % len(READER_LIMITS)]
    reader = FrameReader(limit)
    bodies: list[bytes] = []
    arrived = given = 0
    for piece in _pieces(stream):
        new = reader.receive(piece)
        bodies += new
        arrived += len(piece)
        given += sum(HEADER_BYTES + len(body) for body in new)
        kept = len(reader._rest)
        _require(kept <= limit + HEADER_BYTES, f"{kept} bytes are kept under a limit of {limit}")
        _require(kept == (0 if reader.error else arrived - given), f"{kept} bytes kept of {arrived - given}")
        _require(reader.is_in_frame == (kept > 0), "the reader does not say whether it is in a frame")
    _require(b"".join(frame(body, limit) for body in bodies) == stream[:given], "other frames than were sent")
    whole = FrameReader(limit)
    _require(whole.receive(stream) == bodies, "the cuts of the stream change the frames")
    _require(str(whole.error) == str(reader.error), "the cuts of the stream change its end")
    return f"{limit} {min(len(bodies), 5)}{'!' if reader.error else ''}{'+' if reader.is_in_frame else ''}"


# --- sessions ----------------------------------------------------------------------------------------------------


def check_session(stream: bytes) -> str:
    """Whatever arrives becomes values, and what is answered can be read by the peer."""
    told = []
    for host in (Session(Side.HOST), open_sessions()[0], open_sessions(features=["compact"])[0]):
        received = [item for piece in _pieces(stream) for item in host.receive(piece)]
        broken = [isinstance(item, RuleBroken) for item in received]
        _require(True not in broken[:-1], "something was read after a broken rule")
        reader = FrameReader()
        for body in reader.receive(host.data_to_send()):
            decode_envelope(body, compact=host.is_compact)
        _require(reader.error is None and not reader.is_in_frame, "an answer is no whole frame")
        told += sorted({type(item).__name__ for item in received})
        host.close("done")
    return " ".join(told)


# --- envelopes ---------------------------------------------------------------------------------------------------


def check_envelope(body: bytes, *, compact: bool = False) -> str:
    """A body is an envelope that survives another trip, or a broken rule."""
    try:
        envelope = decode_envelope(body, compact=compact)
    except RemoteProtocolError as error:
        _require(0 < len(error.reason) < 400, f"a reason of {len(error.reason)} characters")
        return "refused: " + error.reason.split(":")[0].split(",")[0][:60]
    if envelope.error is not None:
        RemoteError.from_wire(envelope.error)
    if envelope.defect:
        return "defect"
    encode, decode = partial(encode_envelope, compact=compact), partial(decode_envelope, compact=compact)
    again = _trip(envelope, encode, decode, envelope.to_map())
    if again is None:
        return "too deep"
    _require(isinstance(again, Envelope) and not again.defect, "a second trip makes a defect")
    if compact:
        _require(same(again.to_list(), envelope.to_list()), "a second trip changes the envelope")
    else:
        _require(same(again.to_map(), envelope.to_map()), "a second trip changes the envelope")
    return f"{envelope.message_type} {'error' if envelope.error else ''}"


def _trip(value: Any, encode: Callable[[Any], bytes], decode: Callable[[bytes], Any], plain: Any) -> Any:
    """Encode and decode again; ``None`` where it nests too deep to be packed."""
    try:
        packed = encode(value)
    except CannotEncode:
        if depth_of(plain) < PACKS_TO_DEPTH:
            raise
        return None
    return decode(packed)


# --- payloads ----------------------------------------------------------------------------------------------------


def check_payload(data: bytes) -> str:
    """The first byte chooses the class, the rest is its payload: a typed value that survives a trip, or a bad payload."""
    cls = corpus.CLASSES[data[0] % len(corpus.CLASSES)] if data else corpus.CLASSES[0]
    try:
        value = decode_value(data[1:], loose_keys=True)
    except RemoteProtocolError:
        return "no value"
    try:
        typed: Any = structure(value, cls)
    except BadPayload as error:
        _require(len(str(error)) < 2000, f"an error of {len(str(error))} characters")
        return f"bad {cls.__name__}.{error.path[:30]}"
    plain = unstructure(typed)
    _require(type(typed) is cls, f"a {type(typed).__name__} instead of a {cls.__name__}")
    _require(same(unstructure(structure(plain, cls)), plain), "a second structuring changes the payload")
    again = _trip(plain, encode_value, lambda packed: decode_value(packed, loose_keys=True), plain)
    _require(again is None or same(again, plain), "a second trip changes the payload")
    return f"good {cls.__name__}"


def check_message(data: bytes) -> str:
    """A message is refused as a bad payload, or everything can be asked of it."""
    try:
        message = decode_value(data, loose_keys=True)
        validate_message(message)
    except RemoteProtocolError:
        return "no value"
    except BadPayload as error:
        return f"bad {error.path}"
    for answer in (message_text(message), session_id_of(message), *user_of(message), group_of(message) or ""):
        _require(type(answer) is str, f"an answer that is no text: {answer!r:.80}")
    validate_message(with_text(message, "other"))
    return "good"


@cache
def _bodies() -> tuple[bytes, ...]:
    return tuple(corpus.envelope_bodies())


@cache
def _compact_bodies() -> tuple[bytes, ...]:
    return tuple(corpus.envelope_bodies(compact=True))


@cache
def _payloads() -> tuple[bytes, ...]:
    return tuple(bytes([number]) + body for number, body in enumerate(corpus.payload_bodies()))


def _mutate_payload(luck: random.Random, pool: Sequence[bytes]) -> bytes:
    chosen = luck.choice(pool)
    return chosen[:1] + mutate_value(chosen[1:], luck, [other[1:] for other in _payloads()])


def _mutate_stream(luck: random.Random, _pool: Sequence[bytes]) -> bytes:
    return mutate_stream(luck, luck.choice((_bodies(), _compact_bodies())))


def _streams() -> list[bytes]:
    return [frame(body) for body in (*_bodies(), *_compact_bodies())]


TARGETS = {
    target.name: target
    for target in (
        Target("frames", check_frames, _streams, _mutate_stream),
        Target("session", check_session, _streams, _mutate_stream),
        Target("envelope", check_envelope, _bodies, _mutate_one),
        Target("compact", partial(check_envelope, compact=True), _compact_bodies, _mutate_one),
        Target("payload", check_payload, _payloads, _mutate_payload),
        Target("message", check_message, corpus.message_bodies, _mutate_one),
    )
}
