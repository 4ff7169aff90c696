"""How does honest input become strange: a change of bytes, of msgpack's structure, or of a frame's length."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from typing import Any

import msgpack

from rookery.protocol.limits import MAX_FRAME_BYTES
from tests.fuzz.msgpack_tokens import tokens_of, value_at

MAX_INPUT_BYTES = 48 * 1024
"""Longer inputs are cut: as hex one still fits into an argument of a command."""

TAGS = bytes([0x80, 0x81, 0x8F, 0x90, 0x91, 0x9F, 0xA0, 0xBF, *range(0xC0, 0xE0), 0x00, 0x7F, 0xFF])
CLAIMS = tuple(
    bytes([tag]) + count[-width:]
    for tag, width in ((0xDC, 2), (0xDD, 4), (0xDE, 2), (0xDF, 4), (0xC6, 4), (0xC9, 4), (0xDB, 4), (0xDA, 2))
    for count in (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x01\x00\x00", b"\x00\x00\x10\x00")
)
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 7, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, -(2**63),
    0.0, -0.0, 1.5, float("nan"), float("inf"), float("-inf"), 1e308,
    "", "a", "é", "\x00", "x" * 40, "x" * 1025, "request", "response", "broadcast", "runner.hello",
    b"", b"\xff", b"x" * 40, [], {}, [[]], {"": {}}, {"a": 1, "b": [1]}, {1: 2}, {None: 0}, {b"k": 1},
)  # fmt: skip
ODD = (b"\xa2\xff\xfe", b"\xa3\xed\xa0\x80", b"\xd9\x00", b"\xc4\x00", b"\x81\xa1a\xc1")
SCALARS: tuple[bytes, ...] = (*map(msgpack.packb, VALUES), *ODD)
DATES = (
    b"2026-08-22", b"2026-08-22T00:00:00", b"2026-08-22T01:02:03.456789+05:30", b"0001-01-01T00:00:00+23:59",
    b"9999-12-31T23:59:59.999999-23:59", b"2026-W34-6", b"20260822T010203Z", b"2026-08-22T24:00:00", b"now", b"",
    b"2026-02-30", b"2026-08-22T01:02:03+00:00:01.5", "\uff12\uff10\uff12\uff16-08-22".encode(), b"\xff\xff",
)  # fmt: skip
LENGTHS = (0, 1, 2**31, 2**32 - 1, MAX_FRAME_BYTES, MAX_FRAME_BYTES + 1, 4096, 4097)


def mutate_value(data: bytes, luck: random.Random, others: Sequence[bytes]) -> bytes:
    """Change a packed value in one to four places."""
    for _ in range(luck.choice((1, 1, 1, 2, 3, 4))):
        data = luck.choice(_VALUE_CHANGES)(data, luck, others)
    return data[:MAX_INPUT_BYTES]


def mutate_stream(luck: random.Random, bodies: Sequence[bytes]) -> bytes:
    """Up to four frames, of bodies as they are or changed, with lengths that are mostly true."""
    stream = b""
    for _ in range(luck.randint(1, 4)):
        body = luck.choice(bodies)
        if luck.random() < 0.5:
            body = mutate_value(body, luck, bodies)
        length = len(body)
        if luck.random() < 0.1:
            length = luck.choice((*LENGTHS, max(0, length - 1), length + 1))
        stream += struct.pack(">I", length) + body
    if luck.random() < 0.2:
        stream = luck.choice(_BYTE_CHANGES)(stream, luck, bodies)
    return stream[:MAX_INPUT_BYTES]


def _flip(data: bytes, luck: random.Random, _: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    for _number in range(luck.randint(1, 4)):
        if changed:
            changed[luck.randrange(len(changed))] ^= 1 << luck.randrange(8)
    return bytes(changed)


def _truncate(data: bytes, luck: random.Random, _: Sequence[bytes]) -> bytes:
    return data[: luck.randint(0, len(data))]


def _insert(data: bytes, luck: random.Random, _: Sequence[bytes]) -> bytes:
    at = luck.randint(0, len(data))
    return data[:at] + luck.randbytes(luck.randint(1, 8)) + data[at:]


def _delete(data: bytes, luck: random.Random, _: Sequence[bytes]) -> bytes:
    start = luck.randint(0, len(data))
    return data[:start] + data[start + luck.randint(1, 16) :]


def _splice(data: bytes, luck: random.Random, others: Sequence[bytes]) -> bytes:
    other = luck.choice(others)
    return data[: luck.randint(0, len(data))] + other[luck.randint(0, len(other)) :]


def _retag(data: bytes, luck: random.Random, _: Sequence[bytes]) -> bytes:
    start, _stop = _token(data, luck)
    return data[:start] + bytes([luck.choice(TAGS)]) + data[start + 1 :]


def _claim(data: bytes, luck: random.Random, _: Sequence[bytes]) -> bytes:
    start, stop = _token(data, luck)
    return data[:start] + luck.choice(CLAIMS) * luck.choice((1, 1, 1, 50)) + data[stop:]


def _scalar(data: bytes, luck: random.Random, _: Sequence[bytes]) -> bytes:
    start, stop = _value(data, luck)
    return data[:start] + luck.choice(SCALARS) + data[stop:]


def _nest(data: bytes, luck: random.Random, _: Sequence[bytes]) -> bytes:
    start, _stop = _value(data, luck)
    step = luck.choice((b"\x91", b"\x81\xa1a", b"\x92\xc0", b"\x81\x90"))
    depth = luck.choice((2, 100, 128, 129, 509, 510, 511, 512, 1000, 1023, 1024, 1025, 10_000))
    return data[:start] + step * depth + data[start:]


def _extension(data: bytes, luck: random.Random, _: Sequence[bytes]) -> bytes:
    start, stop = _value(data, luck)
    code = luck.choice((42, 43, 42, 43, -1, -2, 0, 7, 127, -128))
    content = luck.choice(DATES) if luck.random() < 0.7 else luck.randbytes(luck.choice((0, 1, 4, 8, 12, 16)))
    return data[:start] + struct.pack(">BBb", 0xC7, len(content), code) + content + data[stop:]


def _transplant(data: bytes, luck: random.Random, others: Sequence[bytes]) -> bytes:
    start, stop = _value(data, luck)
    other = luck.choice((data, luck.choice(others)))
    first, last = _value(other, luck)
    return data[:start] + other[first:last] + data[stop:]


def _remove(data: bytes, luck: random.Random, _: Sequence[bytes]) -> bytes:
    start, stop = _value(data, luck)
    return data[:start] + data[stop:]


def _repeat(data: bytes, luck: random.Random, _: Sequence[bytes]) -> bytes:
    start, stop = _token(data, luck)
    return data[:stop] + data[start:stop] * luck.choice((1, 2, 15, 16, 400)) + data[stop:]


def _token(data: bytes, luck: random.Random) -> tuple[int, int]:
    tokens = tokens_of(data)
    if not tokens:
        return 0, 0
    token = luck.choice(tokens)
    return token.start, token.stop


def _value(data: bytes, luck: random.Random) -> tuple[int, int]:
    tokens = tokens_of(data)
    return value_at(tokens, luck.randrange(len(tokens))) if tokens else (0, 0)


Change = Callable[[bytes, random.Random, Sequence[bytes]], bytes]
_BYTE_CHANGES: tuple[Change, ...] = (_flip, _truncate, _insert, _delete, _splice)
_VALUE_CHANGES: tuple[Change, ...] = (
    *_BYTE_CHANGES, _retag, _claim, _scalar, _scalar, _scalar, _nest, _extension, _extension, _transplant,
    _transplant, _remove, _repeat,
)  # fmt: skip
