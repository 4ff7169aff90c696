"""Are two decoded values the same: of the same types, a number that is none equal to itself, at any depth."""

from __future__ import annotations

import math
import struct
from datetime import datetime
from typing import Any

from msgpack import ExtType


def same(left: Any, right: Any) -> bool:
    """Unlike ``==``: 1 is not True, 0.0 is not -0.0, NaN is NaN, and a thousand levels are no recursion."""
    pairs = [(left, right)]
    while pairs:
        left, right = pairs.pop()
        if type(left) is not type(right):
            return False
        if isinstance(left, dict):
            if list(map(_plain, left)) != list(map(_plain, right)):
                return False
            pairs.extend(zip(left.values(), right.values(), strict=True))
        elif isinstance(left, list):
            if len(left) != len(right):
                return False
            pairs.extend(zip(left, right, strict=True))
        elif _plain(left) != _plain(right):
            return False
    return True


def depth_of(value: Any) -> int:
    """How deep maps and lists nest; 0 for a scalar."""
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        if isinstance(item, (dict, list)):
            deepest = max(deepest, depth)
            inner = item.values() if isinstance(item, dict) else item
            waiting.extend((part, depth + 1) for part in inner)
    return deepest


def _plain(scalar: Any) -> Any:
    if isinstance(scalar, float):
        return "nan" if math.isnan(scalar) else struct.pack(">d", scalar)
    if isinstance(scalar, datetime):
        return scalar.isoformat()  # two zones may name one moment
    if isinstance(scalar, ExtType):
        return (scalar.code, scalar.data)
    return (type(scalar).__name__, scalar)
