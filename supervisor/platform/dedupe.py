"""Was this message seen before? Keys with a time to live, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict


class Deduplicator:
    """Remembers keys for a while.

    All keys live equally long, so the order of arrival is the order of expiry: no heap is needed.

    Args:
        ttl: Seconds a key is remembered; 0 remembers none.
        max_keys: How many at most; above it the oldest is forgotten early.
    """

    def __init__(self, *, ttl: float = 300.0, max_keys: int = 10_000) -> None:
        if ttl < 0 or max_keys <= 0:
            raise ValueError(f"ttl must be at least 0 and max_keys above it, got {ttl!r} and {max_keys!r}")
        self.ttl = ttl
        self.max_keys = max_keys
        self._expiry: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._expiry)

    def is_new(self, key: str, now: float) -> bool:
        """True for a key that is not remembered; it is from now on."""
        while self._expiry:
            oldest, until = next(iter(self._expiry.items()))
            if until > now and len(self._expiry) <= self.max_keys:
                break
            del self._expiry[oldest]
        if key in self._expiry:
            return False
        self._expiry[key] = now + self.ttl
        if len(self._expiry) > self.max_keys:
            self._expiry.popitem(last=False)
        return True

    def forget(self, key: str) -> None:
        """The message was not taken after all: it may come again."""
        self._expiry.pop(key, None)
