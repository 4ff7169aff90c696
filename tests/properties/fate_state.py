"""What does the model of a call's fate consist of: its rules, and one state of the host, the runners and what is between?

Everything is a tuple or a number, so that a state can be a key. A set of calls is a number too: bit *n* for call *n*.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import attrs

# Where a call is.
COMING, LANE, LINE, OUT, GONE = range(5)
"""Not made yet; in its lane's line; in its shard's line; sent and not answered; over."""

# What a runner may answer.
RESULT, RECALLED, NOT_STARTED, STOPPED, LEAVING, GIVEN_BACK = range(6)
"""The result; not begun and called back; not begun and not wanted; begun and cut off; begun, and the runner leaves; not
begun, and the runner leaves."""

# How far a runner is.
WORKING, TERMED, DRAINING, IMPATIENT, DEAD, CLOSED = range(6)
"""Takes calls; leaves, because a stranger told it to; finishes what it has; was told to cancel that; has died; has died,
and its connection is closed."""


class Fate(Enum):
    """How a call has ended, for whoever made it."""

    OPEN = "open"
    DONE = "done"
    LOST = "runner lost"
    LATE = "timeout"
    LEFT = "shutting down"
    UNAVAILABLE = "unavailable"
    CANCELLED = "cancelled"
    __hash__ = object.__hash__  # members are single; the default hashes the name anew each time


class Mutant(Enum):
    """One rule, broken."""

    NONE = "our rules"
    TAIL = "what comes back waits behind the others"
    OLDEST_FIRST = "what comes back is put at the head, oldest first"
    RETRY_ANYTHING = "what had begun is called again although it may run once only"
    BARE_ID = "an answer is matched by its id, whichever connection it came from"
    TWO_AT_ONCE = "the runner begins a call beside another of the same key"
    UNCOUNTED = "attempts are not counted"
    NO_BARRIER = "the next runner gets calls before the last one has ended"
    NO_DRAIN = "a runner that is to leave is killed at once"
    UNREAD = "what a dead runner had written is not read before its calls are settled"
    MARK_LATE = "a call is marked as begun after its handler's first effect"
    FORGETFUL = "a refusal before the start is believed although an earlier attempt had begun"
    LEAVING_IS_UNBEGUN = "what a leaving runner cut off is said not to have begun"
    GIVEN_BACK_FAILS = "what a leaving runner had not begun fails"


@attrs.frozen(kw_only=True)
class Rules:
    """One variant of the world.

    Attributes:
        keys: The ordering key of each call, in the order in which they are made; ``-`` has none.
        again: The handler may run again: at least once instead of at most once.
        attempts: Of one call that may run again, the first included.
        window: Calls that are out at once.
        orders: The runner keeps lanes and gets ``window`` calls of one; else the host does and sends one.
        marks: The runner marks what has begun; else nobody knows.
        buffered: An answer stands in the runner's own memory before it is in the socket.
        flushes: What stands there is written before another call begins.
        restarts, crashes, cancels, lates, suspects, give_ups, terms: How often a runner is exchanged, is killed, a caller
            goes, a deadline passes, a runner shows no life for a while, the shard is given up, and a stranger ends one.
        impatient: A drain may take too long.
    """

    keys: str = "aaa"
    again: bool = False
    attempts: int = 3
    window: int = 1
    orders: bool = True
    marks: bool = True
    buffered: bool = False
    flushes: bool = False
    restarts: int = 0
    crashes: int = 0
    cancels: int = 0
    lates: int = 0
    suspects: int = 0
    give_ups: int = 0
    terms: int = 0
    impatient: bool = False
    mutant: Mutant = Mutant.NONE

    @property
    def depth(self) -> int:
        """Calls of one lane that are sent without waiting for each other."""
        return self.window if self.orders else 1

    @property
    def is_quiet(self) -> bool:
        """Nothing happens that is not planned."""
        faults = (self.crashes, self.cancels, self.lates, self.give_ups, self.terms, self.impatient)
        return not any(faults)


class Runner(NamedTuple):
    """One generation: the process, its connection, and what the host knows of both."""

    phase: int = WORKING
    pending: tuple[tuple[int, int], ...] = ()
    """What the host waits for, in the order in which it was sent: ``(id, call)``."""
    sent: int = 0
    """The latest id; kept at 0 where an id is never used twice."""
    queue: tuple[tuple[int, int], ...] = ()
    """Calls that have not begun, on the way or there: ``(id, call)``."""
    active: tuple[tuple[int, int], ...] = ()
    """Calls that have begun and are not answered."""
    effects: int = 0
    """Those of them whose handler has done something."""
    marked: int = 0
    """Calls that are marked as begun; old marks stay."""
    told: tuple[tuple[int, int], ...] = ()
    """``(kind, calls)``: what it is to give back, or nobody wants any more."""
    buffer: tuple[tuple[int, int, int], ...] = ()
    """Answers that the kernel does not have yet."""
    socket: tuple[tuple[int, int, int], ...] = ()
    """Answers that the kernel has: ``(id, call, kind)``. They outlive the runner."""


class State(NamedTuple):
    """Host, runners and sockets at one moment. The first tuples have one entry a call."""

    place: tuple[int, ...]
    fate: tuple[Fate, ...]
    attempts: tuple[int, ...]
    """How often its runner ended under it, as the host counts."""
    runs: tuple[int, ...]
    """How often its handler has done its work, as nobody counts."""
    late: int = 0
    """Calls past their deadline."""
    denied: int = 0
    """Calls of which the caller was told that they have not run."""
    line: tuple[int, ...] = ()
    """What waits before the shard."""
    is_open: bool = False
    """The shard takes calls, as far as the dispatcher knows."""
    is_given_up: bool = False
    runners: tuple[Runner, ...] = ()
    stale: tuple[tuple[int, int, int], ...] = ()
    """Answers of buried runners that are still read: only a broken rule leaves any."""
    retries: int = 0
    left: tuple[int, ...] = ()
    """How often each fault may still happen."""

    @property
    def is_over(self) -> bool:
        """Every call was made and has ended, also for the host."""
        return all(place == GONE for place in self.place)


def first_state(rules: Rules) -> State:
    """Nothing was called yet, and no runner is up."""
    count = len(rules.keys)
    return State(
        place=(COMING,) * count,
        fate=(Fate.OPEN,) * count,
        attempts=(0,) * count,
        runs=(0,) * count,
        left=(
            rules.crashes,
            rules.restarts,
            rules.cancels,
            rules.lates,
            rules.suspects,
            rules.give_ups,
            rules.terms,
        ),
    )
