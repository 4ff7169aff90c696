"""Was this message seen before? Keys with a time to live, in bounded memory.

A key is remembered when its message has been dealt with, and held while it is being dealt with: a repeat is no new message
in either case, but one whose dispatch failed may come again.
"""

from __future__ import annotations

from collections import OrderedDict


class Deduplicator:
    """Remembers keys for a while.

    All keys live equally long, so the order in which they settle is the order of expiry: no heap is needed.

    Args:
        ttl: Seconds a key is remembered; 0 remembers none.
        max_keys: How many at most; above it the oldest is forgotten early. Those that are held do not count: as many
            messages as there are keys are in flight.
    """

    def __init__(self, *, ttl: float = 300.0, max_keys: int = 10_000) -> None:
        if ttl < 0 or max_keys <= 0:
            raise ValueError(f"ttl must be at least 0 and max_keys above it, got {ttl!r} and {max_keys!r}")
        self.ttl = ttl
        self.max_keys = max_keys
        self._expiry: OrderedDict[str, float] = OrderedDict()
        self._held: set[str] = set()

    def __len__(self) -> int:
        return len(self._expiry)

    def begin(self, key: str, now: float) -> bool:
        """True for a key that is neither remembered nor held; it is held from now on, until ``settle``."""
        self._forget_old(now)
        if key in self._held or key in self._expiry:
            return False
        self._held.add(key)
        return True

    def settle(self, key: str, now: float, *, taken: bool = True) -> None:
        """The message has been dealt with.

        Args:
            now: Never less than in the call before.
            taken: False when it was not after all: it may come again.
        """
        if key not in self._held:
            return
        self._held.discard(key)
        if taken:
            self._expiry[key] = now + self.ttl
            if len(self._expiry) > self.max_keys:
                self._expiry.popitem(last=False)

    def _forget_old(self, now: float) -> None:
        while self._expiry:
            oldest, until = next(iter(self._expiry.items()))
            if until > now:
                break
            del self._expiry[oldest]
