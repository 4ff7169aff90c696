"""Which states does a shard pass through, and what leads from one to another?

The law of this file: only READY takes new work; SUSPECT and DRAINING finish what they have. A process exists from
HELLO to REAPING, and nothing leads out of those but REAPING, because only a reaped process is gone; LOST alone is left
without that proof, when the kernel keeps a killed process. Whatever a shard waits for, it can be stopped.

========== =====================================================================================
DISABLED   its file says that it is started by hand
IDLE       it may start, and waits for its turn
SPAWNING   descriptors and the process are being made
HELLO      the process runs and has said nothing yet
LOADING    it has introduced itself and loads its plugins
READY      it works
SUSPECT    it may hang: no new work until it shows life
DRAINING   it finishes what it has, then leaves
STOPPING   it was asked to leave
KILLING    it was sent SIGKILL
REAPING    it is dead: its last words are read, its callers told, its remains removed
BACKOFF    it comes back after a delay
FAILED     it came back too often: given up, for now or for good
STOPPED    it was stopped, or is not to come back
LOST       killed, and the kernel has not let it go
========== =====================================================================================

``TRANSITIONS`` is the whole machine. A row is one thing that can happen; its pairs say where it leads from where.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class ShardState(Enum):
    DISABLED = "disabled"
    IDLE = "idle"
    SPAWNING = "spawning"
    HELLO = "hello"
    LOADING = "loading"
    READY = "ready"
    SUSPECT = "suspect"
    DRAINING = "draining"
    STOPPING = "stopping"
    KILLING = "killing"
    REAPING = "reaping"
    BACKOFF = "backoff"
    FAILED = "failed"
    STOPPED = "stopped"
    LOST = "lost"


_S = ShardState
Pair = tuple[ShardState, ShardState]

WITH_PROCESS = frozenset(
    {_S.HELLO, _S.LOADING, _S.READY, _S.SUSPECT, _S.DRAINING, _S.STOPPING, _S.KILLING, _S.REAPING, _S.LOST}
)
"""The states in which there is a process that has not been reaped."""

AT_REST = frozenset({_S.DISABLED, _S.IDLE, _S.BACKOFF, _S.FAILED, _S.STOPPED})
"""The states in which nothing runs; whatever is wanted then happens at once."""

STARTING = frozenset({_S.SPAWNING, _S.HELLO, _S.LOADING})
"""The states of a runner that comes up: it may have read its plugins' code already."""

WORKING = frozenset({_S.READY, _S.SUSPECT})
"""The states of a runner that does whatever it is asked."""

HAS_LOADED = frozenset({_S.READY, _S.SUSPECT, _S.DRAINING})
"""The states of a runner that has said that its plugins are loaded; what it registers from then on counts at once."""

_ALIVE = (_S.HELLO, _S.LOADING, _S.READY, _S.SUSPECT, _S.DRAINING, _S.STOPPING)
_OVER = (_S.REAPING, _S.LOST)
"""A lost runner is followed like a dead one: nobody waits for it."""


@attrs.frozen
class Transition:
    """One thing that can happen to a shard."""

    id: str
    event: str
    """What happens, in words."""
    pairs: frozenset[Pair]
    """From which state to which; empty where the state stays what it is and only time passes."""


def _from(olds: Iterable[ShardState], *news: ShardState) -> frozenset[Pair]:
    return frozenset((old, new) for old in olds for new in news)


TRANSITIONS: tuple[Transition, ...] = (
    Transition(
        "T1", "it is started by hand", _from((_S.DISABLED, _S.STOPPED, _S.FAILED, _S.BACKOFF), _S.IDLE)
    ),
    Transition("T2", "its turn to start", _from((_S.IDLE,), _S.SPAWNING)),
    Transition("T3", "the process runs", _from((_S.SPAWNING,), _S.HELLO)),
    Transition("T4", "the process cannot be made", _from((_S.SPAWNING,), _S.BACKOFF, _S.FAILED)),
    Transition("T5", "its hello is accepted", _from((_S.HELLO,), _S.LOADING)),
    Transition("T6", "its hello is refused", _from((_S.HELLO, _S.LOADING), _S.KILLING)),
    Transition("T7", "it says no hello, or loads for too long", _from((_S.HELLO, _S.LOADING), _S.KILLING)),
    Transition("T8", "it asks for more time to load", _from((_S.LOADING,), _S.LOADING)),
    Transition("T9", "its plugins are loaded", _from((_S.LOADING,), _S.READY)),
    Transition("T10", "it shows no sign of life", _from((_S.READY,), _S.SUSPECT)),
    Transition("T11", "it shows life again", _from((_S.SUSPECT,), _S.READY)),
    Transition("T12", "it has shown none for too long", _from((_S.SUSPECT, _S.READY), _S.KILLING)),
    Transition(
        "T13", "a signal stopped it, and it does not go on", _from((_S.SUSPECT, _S.READY), _S.KILLING)
    ),
    # One that is not ready has nothing to finish, and before its hello nobody there could be asked to leave.
    Transition(
        "T14",
        "it is to leave: a stop, a restart, a move, a limit",
        _from((_S.READY, _S.SUSPECT), _S.DRAINING)
        | _from((_S.LOADING,), _S.STOPPING)
        | _from((_S.HELLO,), _S.KILLING),
    ),
    Transition("T15", "it has finished what it had", _from((_S.DRAINING,), _S.STOPPING)),
    Transition("T16", "it has not finished in time", _from((_S.DRAINING,), _S.STOPPING, _S.KILLING)),
    Transition("T17", "it has not left in time", _from((_S.STOPPING,), _S.KILLING)),
    Transition("T18", "its death is proved", _from((*_ALIVE, _S.KILLING), _S.REAPING)),
    Transition("T19", "it broke a rule, a limit, or its connection", _from(_ALIVE, _S.KILLING)),
    Transition("T20", "the kernel keeps it", _from((_S.KILLING,), _S.LOST)),
    Transition("T21", "it is read, told, reaped and swept", frozenset()),
    # A process that was being made when the order came, and could not be made, has ended as well.
    Transition(
        "T22",
        "it ended as planned",
        _from(_OVER, _S.STOPPED, _S.IDLE) | _from((_S.SPAWNING,), _S.STOPPED),
    ),
    Transition("T23", "it ended, and is not to come back", _from((*_OVER, _S.SPAWNING), _S.STOPPED)),
    Transition("T24", "its exit code says that it cannot work", _from(_OVER, _S.FAILED)),
    Transition("T25", "one of its plugins is to blame and is gone from it", _from(_OVER, _S.BACKOFF)),
    Transition("T26", "it ended too often", _from((*_OVER, _S.SPAWNING), _S.FAILED)),
    Transition("T27", "it ended, and comes back", _from((*_OVER, _S.SPAWNING), _S.BACKOFF)),
    Transition("T28", "its delay is over", _from((_S.BACKOFF,), _S.IDLE)),
    Transition(
        "T29", "it is stopped while nothing runs", _from((_S.IDLE, _S.BACKOFF, _S.FAILED), _S.STOPPED)
    ),
    Transition("T30", "another attempt after it was given up", _from((_S.FAILED,), _S.IDLE)),
    # The way of one that runs is T14's; what follows from it is the same for all.
    Transition(
        "T31",
        "the host stops",
        _from((_S.READY, _S.SUSPECT), _S.DRAINING)
        | _from((_S.LOADING,), _S.STOPPING)
        | _from((*_ALIVE,), _S.KILLING)
        | _from((*AT_REST, *_OVER, _S.SPAWNING), _S.STOPPED),
    ),
)

BY_ID: Mapping[str, Transition] = {row.id: row for row in TRANSITIONS}


def find_transition(old: ShardState, new: ShardState, by: str = "") -> Transition:
    """The row that leads from one state to another.

    Args:
        by: Its id, where several do; "" takes the first.

    Raises:
        RuntimeError: No such row leads there: a bug of the supervisor's, never a runner's doing.
    """
    for row in (BY_ID[by],) if by else TRANSITIONS:
        if (old, new) in row.pairs:
            return row
    raise RuntimeError(f"a shard that is {old.value} cannot become {new.value}{f' by {by}' if by else ''}")


def is_path(moves: Iterable[tuple[ShardState, ShardState, str]]) -> bool:
    """Whether these moves, each ``(old, new, id)``, are a way through the machine."""
    at: ShardState | None = None
    for old, new, by in moves:
        if (at is not None and old is not at) or by not in BY_ID or (old, new) not in BY_ID[by].pairs:
            return False
        at = new
    return True
