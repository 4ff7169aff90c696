"""Where does each token of a packed value begin and end, so that a mutation can hit the structure and not only bytes."""

from __future__ import annotations

import attrs

_FIXED = {0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}
_FIXED |= {0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8, 0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17}
_LENGTHS = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xC7: 1, 0xC8: 2, 0xC9: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
_COUNTS = {0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4}


@attrs.frozen
class Token:
    """One scalar, or the head of one map or list."""

    start: int
    stop: int
    children: int = 0
    """Tokens or groups of tokens that belong to it; the keys of a map count."""


def tokens_of(data: bytes) -> list[Token]:
    """The tokens up to the first that is none, or is cut."""
    tokens: list[Token] = []
    at = 0
    while at < len(data):
        token = _token_at(data, at)
        if token is None or token.stop > len(data):
            break
        tokens.append(token)
        at = token.stop
    return tokens


def value_at(tokens: list[Token], index: int) -> tuple[int, int]:
    """Where the whole value lies that begins with this token, as far as it is there."""
    owed, last = 1, index
    for last in range(index, len(tokens)):
        owed += tokens[last].children - 1
        if owed <= 0:
            break
    return tokens[index].start, tokens[last].stop


def _token_at(data: bytes, at: int) -> Token | None:
    tag = data[at]
    if tag < 0x80 or tag >= 0xE0:
        return Token(at, at + 1)
    if tag < 0xA0:
        return Token(at, at + 1, (tag & 15) * (2 if tag < 0x90 else 1))
    if tag < 0xC0:
        return Token(at, at + 1 + (tag & 31))
    if tag in _FIXED:
        return Token(at, at + 1 + _FIXED[tag])
    if tag in _LENGTHS:
        width = _LENGTHS[tag]
        code = 1 if 0xC7 <= tag <= 0xC9 else 0
        return Token(at, at + 1 + width + code + _number(data, at + 1, width))
    if tag in _COUNTS:
        width = _COUNTS[tag]
        return Token(at, at + 1 + width, _number(data, at + 1, width) * (2 if tag >= 0xDE else 1))
    return None  # 0xC1 is reserved


def _number(data: bytes, at: int, width: int) -> int:
    return int.from_bytes(data[at : at + width])
