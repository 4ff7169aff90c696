"""What stands in front of one shard: the calls that are out, and those that wait."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rookery.protocol import Link

    from .call import Call
    from .counters import ShardCounters


class Gate:
    """What leads to one shard. Created closed."""

    __slots__ = (
        "counters",
        "in_flight",
        "is_given_up",
        "link",
        "max_inflight",
        "queue",
        "queue_limit",
        "shard",
    )

    def __init__(self, shard: str, counters: ShardCounters, *, max_inflight: int, queue_limit: int) -> None:
        self.shard = shard
        self.counters = counters
        self.max_inflight = max_inflight
        self.queue_limit = queue_limit
        self.link: Link | None = None
        self.is_given_up = False
        self.in_flight = 0
        self.queue: deque[Call] = deque()
