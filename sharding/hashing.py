"""Which shards does a key prefer, in the same order in every process and on every machine?

Rendezvous hashing: every shard draws a number for the key and the highest wins. A key's order knows nothing of other
keys, so a key that comes or goes changes nothing for the rest; and a shard that comes or goes only gains or loses the
keys that like it best. A hash ring promises the same with worse balance and a table of virtual nodes; `hash()` changes
with PYTHONHASHSEED; taking a hash modulo the number of shards moves nearly every key when a shard is added.
"""

from __future__ import annotations

import math
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNIT_BITS = (
    52  # an integer of 52 bits plus one half is exact in a float, hence strictly between 0 and 1 below
)


def _digest(*parts: str) -> bytes:
    # Each part carries its length, so that ("ab", "c") and ("a", "bc") differ.
    state = blake2b(digest_size=8, person=b"rookery.shard")
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        state.update(len(encoded).to_bytes(8, "big"))
        state.update(encoded)
    return state.digest()


def fingerprint(*parts: str) -> str:
    """Eight hexadecimal digits that tell one text from another."""
    return _digest(*parts).hex()[:8]


def draw(key: str, shard: str, share: float = 1.0) -> float:
    """The number a shard draws for a key, above 0; over all keys a shard wins in proportion to its share (above 0)."""
    unit = ((int.from_bytes(_digest(key, shard), "big") >> (64 - _UNIT_BITS)) + 0.5) / 2**_UNIT_BITS
    return -share / math.log(unit)


def rank(key: str, shares: Mapping[str, float]) -> tuple[str, ...]:
    """All shards of the mapping, the one the key likes best first."""
    return tuple(sorted(shares, key=lambda shard: (-draw(key, shard, shares[shard]), shard)))
