"""What stands in front of one shard: the calls that are out, and those that wait."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from rookery.protocol import (
    PLUGIN_INVOKE_API,
    PLUGIN_INVOKE_HOOK,
    PLUGIN_INVOKE_LLM_PROVIDER,
    PLUGIN_INVOKE_MESSAGE_GATEWAY,
    Groups,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from rookery.protocol import Link

    from .call import Call
    from .counters import ShardCounters

INNER_METHODS = frozenset(
    {PLUGIN_INVOKE_API, PLUGIN_INVOKE_HOOK, PLUGIN_INVOKE_LLM_PROVIDER, PLUGIN_INVOKE_MESSAGE_GATEWAY}
)
"""Calls that a handler which runs now may be waiting for: it sends a message, or uses another plugin. Behind the calls
that fill a shard they would wait for their own callers."""

LANE_SHARE = 8
"""A runner that keeps lanes itself gets at most this part of its calls from one lane: a conversation whose calls take
long must not fill the shard. The rest wait here."""

FEW = 16
"""Ended calls that a line keeps without looking."""


class Line:
    """Calls in the order in which they wait. Those that have ended are passed over, and never outnumber the others."""

    __slots__ = ("_calls", "_ended")

    def __init__(self) -> None:
        self._calls: deque[Call] = deque()
        self._ended = 0

    def __len__(self) -> int:
        return len(self._calls) - self._ended

    def append(self, call: Call) -> None:
        call.line = self
        self._calls.append(call)

    def put_back(self, call: Call) -> None:
        """The call is the next again, behind those that were made before it and came back before it."""
        call.line = self
        earlier = []
        while self._calls and self._calls[0].number < call.number:
            earlier.append(self._calls.popleft())
        self._calls.appendleft(call)
        self._calls.extendleft(reversed(earlier))

    def remove(self, call: Call) -> None:
        """The call waits elsewhere from now on."""
        call.line = None
        self._calls.remove(call)

    def take(self) -> Call | None:
        """The first call that has not ended; it waits here no longer."""
        while self._calls:
            call = self._calls.popleft()
            if not call.is_settled:
                call.line = None
                return call
            self._ended -= 1
        return None

    def note_ended(self) -> None:
        """One of the calls has ended where it waits."""
        self._ended += 1
        if self._ended > FEW and self._ended * 2 > len(self._calls):
            self._calls = deque(call for call in self._calls if not call.is_settled)
            self._ended = 0


class Lane:
    """The calls of one plugin with one ordering key: at most ``depth`` have gone on to their shard, the others wait."""

    __slots__ = ("depth", "line", "out", "place")

    def __init__(self, place: tuple[str, str], depth: int) -> None:
        self.place = place
        self.depth = depth
        self.out = 0
        self.line = Line()

    @property
    def has_room(self) -> bool:
        return self.out < self.depth and not self.line


class Window:
    """At most so many calls of one kind are out; the others wait in line."""

    __slots__ = ("in_flight", "line", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.in_flight = 0
        self.line = Line()

    @property
    def has_room(self) -> bool:
        return self.in_flight < self.size


class Gate:
    """What leads to one shard. Created closed."""

    __slots__ = (
        "cancels",
        "counters",
        "groups",
        "inner",
        "is_given_up",
        "keeps_groups",
        "link",
        "orders",
        "outer",
        "queue_limit",
        "read_started",
        "segments",
        "shard",
        "waiting",
    )

    def __init__(self, shard: str, counters: ShardCounters, *, max_inflight: int, queue_limit: int) -> None:
        self.shard = shard
        self.counters = counters
        self.queue_limit = queue_limit
        self.link: Link | None = None
        self.is_given_up = False
        self.cancels = False
        """The runner can be told that nobody wants an answer any more."""
        self.orders = False
        """The runner keeps lanes itself, as the last one did."""
        self.read_started: Callable[[], frozenset[int] | None] | None = None
        """Which requests have begun; None for a runner that takes no segments."""
        self.groups: Groups[None] = Groups()
        """Lists of handlers that the runner knows by a number."""
        self.keeps_groups = True
        """False sends every list. Nothing else changes, which is what tests compare."""
        self.segments = 0
        """Segments that are out. Each counts once, until it is known which of its handlers go on."""
        self.waiting = 0
        """Calls that wait for this shard, in its lines or in a lane."""
        self.outer = Window(max_inflight)
        self.inner = Window(max_inflight)

    def open(
        self,
        link: Link,
        *,
        orders: bool,
        cancels: bool,
        read_started: Callable[[], frozenset[int] | None] | None,
    ) -> None:
        """A runner is there, which knows nothing yet; see ``Dispatcher.open_shard``."""
        self.link, self.is_given_up, self.orders, self.cancels = link, False, orders, cancels
        self.read_started = read_started
        self.groups = Groups()

    def open_lane(self, place: tuple[str, str]) -> Lane:
        """A new lane before this gate. What its calls are told of their order holds until it is empty again."""
        return Lane(place, max(1, self.outer.size // LANE_SHARE) if self.orders else 1)

    @property
    def takes_segments(self) -> bool:
        """Whether several handlers may be asked in one request now: its runner can do that, and nothing waits."""
        if self.waiting or self.segments >= self.outer.size:
            return False
        return self.orders and self.read_started is not None

    @property
    def load(self) -> tuple[int, int]:
        """How many calls wait, and how many are out."""
        return self.waiting, self.outer.in_flight + self.inner.in_flight + self.segments

    @property
    def why_away(self) -> str:
        return f'shard "{self.shard}" {"has been given up" if self.is_given_up else "is not up"}'

    def window_of(self, method: str) -> Window:
        return self.inner if method in INNER_METHODS else self.outer
