"""What has passed through the host, in numbers that only grow."""

from __future__ import annotations

import math

import attrs

BUCKETS_A_DECADE = 200
"""Two neighbouring buckets differ by 1.2 %."""
SMALLEST = 1e-6
LARGEST = 1e4


@attrs.define
class Latencies:
    """How long things took, in bounded memory: percentiles are right to 1.2 %, the largest is exact. Seconds."""

    count: int = 0
    largest: float = 0.0
    _buckets: dict[int, int] = attrs.Factory(dict)

    def add(self, seconds: float) -> None:
        bounded = min(max(seconds, SMALLEST), LARGEST)
        bucket = math.floor(math.log10(bounded / SMALLEST) * BUCKETS_A_DECADE)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self.count += 1
        self.largest = max(self.largest, seconds)

    def percentile(self, percent: float) -> float | None:
        """The value that ``percent`` of all do not exceed; ``None`` without any."""
        left = self.count * percent / 100
        for bucket in sorted(self._buckets):
            left -= self._buckets[bucket]
            if left <= 0:
                return min(SMALLEST * 10 ** ((bucket + 1) / BUCKETS_A_DECADE), self.largest)
        return self.largest if self.count else None


@attrs.define
class ShardCounters:
    invocations: int = 0
    """Calls that were settled."""
    errors: int = 0
    lost: int = 0
    restarts: int = 0
    flaps: int = 0
    refused_requests: int = 0
    """Of its plugins, because they had asked for too much at once."""


@attrs.define
class Counters:
    """Every number begins at 0."""

    accepted: int = 0
    """Messages from outside that were taken."""
    deduplicated: int = 0
    """Messages that had been taken before."""
    refused: int = 0
    """Messages that were not taken for another reason."""
    denied: int = 0
    """Messages that the chat policy or a route did not let in."""
    aborted: int = 0
    """Messages that a hook stopped."""
    events: int = 0
    """Events that were dispatched."""
    invocations: int = 0
    """Calls of components that were settled, well or not."""
    replies: int = 0
    """Messages that a gateway has sent."""
    errors: int = 0
    """Calls that failed by the plugin's doing: it raised, took too long, or answered nonsense."""
    lost: int = 0
    """Calls that failed by no doing of the plugin: its runner died, or was not there in time."""
    skipped: int = 0
    """Handlers that were not asked, because they had not come back in time again and again."""
    put_back: int = 0
    """Calls that had been sent to a runner that ended, had not begun, and went to the next one."""
    retried: int = 0
    """Calls that had begun and were made again, because their handler allows it."""
    dead_lettered: int = 0
    """Events that are not dispatched any more, because they ended several runners."""
    restarts: int = 0
    flaps: int = 0
    """How often a runner was suspect and showed life again."""
    violations: int = 0
    """Runners that claimed to be what they are not."""
    latencies: Latencies = attrs.Factory(Latencies)
    """From a message's arrival to the reply that was sent for it."""
    per_shard: dict[str, ShardCounters] = attrs.Factory(dict)

    def of_shard(self, name: str) -> ShardCounters:
        found = self.per_shard.get(name)
        if found is None:
            found = self.per_shard[name] = ShardCounters()
        return found
