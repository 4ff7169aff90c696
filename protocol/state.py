"""Which states does a connection pass through, and what moves it from one to the next.

The law of this file: a connection begins NEW on both sides. The runner's first frame is its hello, and until the host
has answered it nothing else may cross in either direction. The answer decides: OPEN or CLOSED. An open connection has
exactly one way to go. There is no second hello, and nothing leads out of CLOSED.

======== ================== ========= ==========================================================
side     state              moves by  to
======== ================== ========= ==========================================================
runner   NEW                it sends its hello: GREETING
runner   GREETING           the host accepts: OPEN · the host refuses: CLOSED
host     NEW                a hello arrives: GREETING
host     GREETING           it accepts: OPEN · it refuses: CLOSED
both     any but CLOSED     the stream ends or a rule is broken: CLOSED
======== ================== ========= ==========================================================
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from .errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping


class State(Enum):
    NEW = "new"
    GREETING = "greeting"
    OPEN = "open"
    CLOSED = "closed"


class Move(Enum):
    """What can happen to a connection as a whole."""

    HELLO = "hello"
    ACCEPT = "accept"
    REFUSE = "refuse"
    CLOSE = "close"


TABLE: Mapping[State, Mapping[Move, State]] = {
    State.NEW: {
        Move.HELLO: State.GREETING,
        Move.CLOSE: State.CLOSED,
    },
    State.GREETING: {
        Move.ACCEPT: State.OPEN,
        Move.REFUSE: State.CLOSED,
        Move.CLOSE: State.CLOSED,
    },
    State.OPEN: {
        Move.CLOSE: State.CLOSED,
    },
    State.CLOSED: {},
}
"""The same for both sides: only who makes the move differs, and the session knows that."""


def next_state(state: State, move: Move) -> State:
    """Where the move leads.

    Raises:
        LocalProtocolError: The table has no such move; the session asks only for moves it has checked.
    """
    try:
        return TABLE[state][move]
    except KeyError:
        raise LocalProtocolError(f"a connection that is {state.value} cannot {move.value}") from None
