"""Which fault comes next in a soak test, what must come of it, and how long may that take?

The order is a matter of the seed alone: every kind once in a shuffled round before any comes again, and no shard twice in a
row where there are others. When a fault can be done depends on the machine; which one it is does not.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import attrs

from .fate import Fate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from random import Random

    from .settings import ShardSettings


class Expect(Enum):
    """What must come of a fault."""

    REPLACED = "replaced"
    """The runner ends, and another is ready within the time of the shard's policy."""
    UNHARMED = "unharmed"
    """The same runner goes on."""
    RECOVERED = "recovered"
    """It is found to be silent, and goes on or is replaced."""
    CYCLED = "cycled"
    """Another runner takes over in an orderly way: no call is lost by it."""
    STARTED_AGAIN = "started again"
    """It is stopped and started: calls meanwhile are refused."""


class FaultKind(Enum):
    """What is done to a shard; the values are for people."""

    BLOCK = "blocks its loop"
    HOLD = "holds the interpreter"
    EXIT = "calls os._exit"
    ABORT = "aborts"
    RAISE_EXIT = "raises SystemExit"
    CLOSE_LIFELINE = "closes its lifeline"
    GARBLE = "garbles its connection"
    FLOOD = "floods its output"
    LEAK_CHILD = "leaks a child and is killed"
    ALLOCATE = "grows over its limit"
    KILL = "is sent SIGKILL"
    STOP_SIGNAL = "is sent SIGSTOP"
    RESTART = "is restarted"
    STOP_AND_START = "is stopped and started"
    RELOAD = "has a plugin reloaded"

    @property
    def expect(self) -> Expect:
        return _EXPECTED[self]

    @property
    def is_hang(self) -> bool:
        """Whether it is found out by silence only."""
        return self in (FaultKind.BLOCK, FaultKind.HOLD, FaultKind.STOP_SIGNAL)


_K = FaultKind

_EXPECTED = {
    _K.BLOCK: Expect.REPLACED,
    _K.HOLD: Expect.REPLACED,
    _K.EXIT: Expect.REPLACED,
    _K.ABORT: Expect.REPLACED,
    _K.RAISE_EXIT: Expect.UNHARMED,
    _K.CLOSE_LIFELINE: Expect.UNHARMED,
    _K.GARBLE: Expect.REPLACED,
    _K.FLOOD: Expect.UNHARMED,
    _K.LEAK_CHILD: Expect.REPLACED,
    _K.ALLOCATE: Expect.CYCLED,
    _K.KILL: Expect.REPLACED,
    _K.STOP_SIGNAL: Expect.RECOVERED,
    _K.RESTART: Expect.CYCLED,
    _K.STOP_AND_START: Expect.STARTED_AGAIN,
    _K.RELOAD: Expect.UNHARMED,
}

_EXCUSED = {
    # A call that had begun goes with its runner; one that waits may come to its deadline.
    Expect.REPLACED: frozenset({Fate.RUNNER_LOST, Fate.HUNG, Fate.TIMEOUT}),
    Expect.RECOVERED: frozenset({Fate.RUNNER_LOST, Fate.HUNG, Fate.TIMEOUT}),
    Expect.STARTED_AGAIN: frozenset({Fate.UNAVAILABLE}),
    Expect.UNHARMED: frozenset[Fate](),
    Expect.CYCLED: frozenset[Fate](),
}


@attrs.frozen
class Fault:
    """One fault of the plan."""

    number: int
    """From 1 on."""
    kind: FaultKind
    shard: str


def excused_by(kind: FaultKind) -> frozenset[Fate]:
    """How a call of a shard may fail while this is done to it."""
    return _EXCUSED[kind.expect]


def plan_faults(kinds: Iterable[FaultKind], shards: Sequence[str], random: Random) -> Iterator[Fault]:
    """Faults without end.

    Args:
        random: Made from the seed; used by nobody else.
    """
    kinds, shards = list(kinds), list(shards)
    number, last = 0, ""
    while True:
        round_ = list(kinds)
        random.shuffle(round_)
        for kind in round_:
            number += 1
            others = [shard for shard in shards if shard != last] or shards
            last = random.choice(others)
            yield Fault(number, kind, last)


INCIDENT_HOLD = 3.0
"""Seconds that shards wait at most when many have died at once."""

LOOKS = 2.0
"""Seconds until something that is looked for once a second was seen."""

SCHEDULING = 2.0
"""Seconds that a loaded machine may add."""


def time_allowed(settings: ShardSettings, kind: FaultKind | None) -> float:
    """Seconds after which the shard must be ready again, by its own policy.

    Args:
        kind: What was done to it; None for a shard that nobody has hurt.
    """
    timeouts, health, restart = settings.timeouts, settings.health, settings.restart
    start = timeouts.hello + timeouts.load
    wait = restart.backoff_max + INCIDENT_HOLD
    leave = timeouts.kill_wait
    found = LOOKS
    if kind is None or kind.expect in (Expect.CYCLED, Expect.STARTED_AGAIN, Expect.UNHARMED):
        leave += timeouts.drain + timeouts.term_grace
    if kind is None or kind.is_hang:
        found += max(health.hang_timeout, health.stopped_timeout + health.beat_timeout)
    return found + leave + wait + start + SCHEDULING
