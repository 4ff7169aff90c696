"""Which states does a shard pass through, and which may follow which?

The law of this file: only READY takes new work; SUSPECT and DRAINING finish what they have. A process exists from
HELLO to REAPING, and nothing leads out of those but REAPING, because only a reaped process is gone; LOST alone is left
without that proof, when the kernel keeps a killed process. Whatever a shard waits for, it can be stopped.

========== =====================================================================================
DISABLED   an operator switched it off
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
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


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

TRANSITIONS: Mapping[ShardState, frozenset[ShardState]] = {
    _S.DISABLED: frozenset({_S.IDLE, _S.STOPPED}),
    _S.IDLE: frozenset({_S.SPAWNING, _S.STOPPED, _S.DISABLED}),
    _S.SPAWNING: frozenset({_S.HELLO, _S.BACKOFF, _S.FAILED, _S.STOPPED}),
    _S.HELLO: frozenset({_S.LOADING, _S.STOPPING, _S.KILLING, _S.REAPING}),
    _S.LOADING: frozenset({_S.READY, _S.STOPPING, _S.KILLING, _S.REAPING}),
    _S.READY: frozenset({_S.SUSPECT, _S.DRAINING, _S.KILLING, _S.REAPING}),
    _S.SUSPECT: frozenset({_S.READY, _S.DRAINING, _S.KILLING, _S.REAPING}),
    _S.DRAINING: frozenset({_S.STOPPING, _S.KILLING, _S.REAPING}),
    _S.STOPPING: frozenset({_S.KILLING, _S.REAPING}),
    _S.KILLING: frozenset({_S.REAPING, _S.LOST}),
    _S.REAPING: frozenset({_S.IDLE, _S.BACKOFF, _S.FAILED, _S.STOPPED}),
    _S.BACKOFF: frozenset({_S.IDLE, _S.STOPPED, _S.DISABLED}),
    _S.FAILED: frozenset({_S.IDLE, _S.STOPPED, _S.DISABLED}),
    _S.STOPPED: frozenset({_S.IDLE, _S.DISABLED}),
    _S.LOST: frozenset({_S.REAPING, _S.BACKOFF, _S.FAILED, _S.STOPPED}),
}

WITH_PROCESS = frozenset(
    {_S.HELLO, _S.LOADING, _S.READY, _S.SUSPECT, _S.DRAINING, _S.STOPPING, _S.KILLING, _S.REAPING, _S.LOST}
)
"""The states in which there is a process that has not been reaped."""


def check_move(old: ShardState, new: ShardState) -> None:
    """Hold a transition against the table.

    Raises:
        RuntimeError: The table has no such transition; a bug of the supervisor's, never a runner's doing.
    """
    if new not in TRANSITIONS[old]:
        raise RuntimeError(f"a shard that is {old.value} cannot become {new.value}")
