"""Who may say what, and when? By the table of methods, and by how far a connection has come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .envelope import MessageType
from .errors import ConnectionLost, LocalProtocolError, RemoteProtocolError
from .methods import METHODS, RUNNER_HELLO, Kind
from .names import Side
from .state import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .envelope import Envelope
    from .methods import Method

USUAL: Mapping[Side, Mapping[str, Method]] = {
    side: {
        name: row
        for name, row in METHODS.items()
        if row.caller is side and row.kind is Kind.REQUEST and name != RUNNER_HELLO
    }
    for side in Side
}
"""What each side may ask on an open connection. The functions below say no less, and why not."""


def check_may_send(side: Side, state: State, method: str, kind: Kind) -> None:
    """Whether this end may send a request or a broadcast.

    Raises:
        LocalProtocolError: Not this side's method, or not the time for it.
        ConnectionLost: The connection is over.
    """
    row = METHODS.get(method)
    if row is None or row.caller is not side or row.kind is not kind:
        raise LocalProtocolError(f"{method!r} is not a {kind.value} that the {side.value} may send")
    hello = method == RUNNER_HELLO
    if (state is State.OPEN and not hello) or (state is State.NEW and hello):
        return
    if state is State.CLOSED:
        raise ConnectionLost("the connection is closed", maybe_executed=False)
    raise LocalProtocolError(f"{method!r} cannot be sent while the connection is {state.value}")


def check_peer_may_send(side: Side, state: State, envelope: Envelope) -> None:
    """Whether the peer of this side may send anything but an answer now.

    Raises:
        RemoteProtocolError: It may not.
    """
    hello = envelope.method == RUNNER_HELLO and envelope.message_type is MessageType.REQUEST
    if state is State.OPEN:
        if hello:
            raise RemoteProtocolError("a second hello arrived on an open connection")
    elif side is not Side.HOST or state is not State.NEW:
        raise RemoteProtocolError(f"{envelope.method!r:.80} arrived while the connection is {state.value}")
    elif not hello:
        raise RemoteProtocolError(f"the first frame must be runner.hello, got {envelope.method!r:.80}")
