"""What is a shard called that a policy makes?"""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING

from rookery.protocol import is_shard_name

from .hashing import fingerprint

if TYPE_CHECKING:
    from collections.abc import Container

_MAX_STEM = 23  # with a hyphen and a fingerprint of eight digits it makes a shard's longest name, 32
_FINGERPRINTED = re.compile(r"-[0-9a-f]{8}$")


def name_shard(origin: str, taken: Container[str]) -> str:
    """A valid name that tells the origin, a plugin id or a trust level, from every other and is not taken.

    `example.dice` becomes `example-dice`. Where that would be ambiguous (`example-dice` is an id too), too long or
    taken, a fingerprint of the origin follows. What other plugins are called plays no part, so the name stays.
    """
    plain = origin.replace(".", "-")
    if "-" not in origin and is_shard_name(plain) and not _FINGERPRINTED.search(plain) and plain not in taken:
        return plain
    stem = re.sub(r"[^a-z0-9_]+", "-", origin.lower())[:_MAX_STEM].strip("-_") or "shard"
    # The second attempt is for a name that somebody chose to be in the way.
    names = (f"{stem}-{fingerprint(origin, *([str(attempt)] if attempt else []))}" for attempt in count())
    return next(name for name in names if name not in taken)
