"""What has one runner been asked and not answered, and when may nobody wait for it any more?

A connection can end while its process lives: it closed its socket, broke the protocol, stopped reading. What it was asked
may still run then, and whoever were told that the runner has gone would be wrong. So the calls of components outlive the
connection. They settle when the death of the process is proved, or when it is given up; their deadlines hold all the
while.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from rookery.protocol import (
    PLUGIN_EMIT_EVENT,
    PLUGIN_INVOKE_ACTION,
    PLUGIN_INVOKE_API,
    PLUGIN_INVOKE_COMMAND,
    PLUGIN_INVOKE_HOOK,
    PLUGIN_INVOKE_LLM_PROVIDER,
    PLUGIN_INVOKE_MESSAGE_GATEWAY,
    PLUGIN_INVOKE_TOOL,
    PLUGIN_PREPARE_SHUTDOWN,
    PLUGIN_SHUTDOWN,
    ConnectionLost,
    Session,
    limits,
)

from .call import Call
from .exit_report import StartedCall

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rookery.protocol import Pending, Received, RequestSettled

CALLS = frozenset(
    {
        PLUGIN_EMIT_EVENT,
        PLUGIN_INVOKE_ACTION,
        PLUGIN_INVOKE_API,
        PLUGIN_INVOKE_COMMAND,
        PLUGIN_INVOKE_HOOK,
        PLUGIN_INVOKE_LLM_PROVIDER,
        PLUGIN_INVOKE_MESSAGE_GATEWAY,
        PLUGIN_INVOKE_TOOL,
    }
)
"""What runs a component. The rest are requests of the host's own, which somebody waits for and nobody repeats."""

LEAVING = frozenset({PLUGIN_PREPARE_SHUTDOWN, PLUGIN_SHUTDOWN})
"""Nobody loses anything when these get no answer."""

REQUEST_BITS = 0xFFFF_FFFF
"""What a crumb keeps of a request's id."""


class Ledger(Session):
    """The host's session with one runner. Every call settles once: by an answer, its deadline, ``forget`` or ``settle``.

    Attributes:
        lost: Requests that this end has failed; those that had not begun do not count.
        unbegun: Calls that had been sent and had not begun.
        called: The plugins that the lost requests were for.
    """

    lost = 0
    unbegun = 0
    called: frozenset[str] = frozenset()
    _noted: frozenset[int] = frozenset()
    _unanswered = 0
    """Requests that ended without an answer."""
    _told = 0
    """Broadcasts; each uses up an id."""
    _idle: trio.Event | None = None

    # --- while it lives ----------------------------------------------------------------------------------------

    @property
    def answered(self) -> int:
        """How many requests the runner has answered while it was connected."""
        return self.last_id - self._told - len(self.pending) - self._unanswered

    @property
    def has_served(self) -> bool:
        """Whether it has answered a request, or was never asked."""
        return self.answered > 0 or self.last_id == self._told

    @property
    def noted(self) -> frozenset[int]:
        """Pending requests of which the runner has said that they begin."""
        return self._noted & self.pending.keys()

    def note_started(self, request_ids: Iterable[int]) -> None:
        """The runner says that these begin. Ids that nobody waits for are its own affair."""
        # What has been answered is let go here, or a runner could fill the memory of its host.
        self._noted = (self._noted & self.pending.keys()) | (self.pending.keys() & set(request_ids))

    def waiting_calls(self, started: frozenset[int] | None) -> list[int]:
        """The ids of calls that were sent and of which none is known to have begun, oldest first."""
        return [
            request_id
            for request_id, pending in self.pending.items()
            if pending.method in CALLS and (started is None or request_id not in started)
        ]

    async def wait_idle(self) -> None:
        """Return when nothing waits for an answer."""
        while self.pending:
            if self._idle is None:
                self._idle = trio.Event()
            await self._idle.wait()

    def receive(self, data: bytes) -> list[Received]:
        received = super().receive(data)
        self._tell_idle()
        return received

    def broadcast(self, method: str, payload: dict[str, Any], *, plugin_id: str = "") -> None:
        super().broadcast(method, payload, plugin_id=plugin_id)
        self._told += 1

    def forget(self, request_id: int) -> Pending | None:
        found = super().forget(request_id)
        self._unanswered += found is not None
        self._tell_idle()
        return found

    def expire(self, now: float) -> list[RequestSettled]:
        over = super().expire(now)
        self._unanswered += len(over)
        self._tell_idle()
        return over

    # --- the connection is over, the process may not be --------------------------------------------------------

    def close(self, reason: str) -> list[RequestSettled]:
        """End the session, and the requests of the host's own. Calls wait on."""
        kept = {number: each for number, each in self.pending.items() if each.method in CALLS}
        for number in kept:
            del self.pending[number]
        over = super().close(reason)
        self._count_lost([settled.pending for settled in over])
        self.pending.update(kept)
        self._unanswered += len(over)
        self._tell_idle()
        return over

    async def keep_deadlines(self) -> None:
        """End what waits past its deadline, until nothing waits: the link does it only as long as it lives."""
        while self.pending:
            await trio.sleep(limits.DEADLINE_SWEEP)
            for settled in self.expire(trio.current_time()):
                settled.pending.on_done(settled.outcome)

    # --- the end -----------------------------------------------------------------------------------------------

    def started_calls(self, started: frozenset[int] | None) -> tuple[StartedCall, ...]:
        """What is pending and has begun, oldest first; with None whatever may have begun."""
        return tuple(
            _describe(pending)
            for request_id, pending in self.pending.items()
            if pending.method in CALLS and (started is None or request_id in started)
        )

    def settle(
        self, started: frozenset[int] | None, reason: str, *, hung_plugin: str = "", hung_request: int = 0
    ) -> None:
        """Tell everybody who still waits that no answer will come.

        Newest first: what had not begun is put back at the head of its line, and must stand there in its old order.

        Args:
            started: The requests whose handlers had begun; None when nobody knows.
            hung_plugin: The plugin whose code the runner was killed for, because it did not give the loop back.
            hung_request: The very request, modulo 2**32; 0 when only the plugin is known.
        """
        over = list(reversed(self.pending.values()))
        self.pending.clear()
        begun = [each for each in over if started is None or each.request_id in started]
        self._count_lost(begun)
        self.unbegun += len(over) - len(begun)
        for pending in over:
            has_begun = started is None or pending.request_id in started
            is_culprit = pending.plugin_id == hung_plugin and hung_plugin != ""
            if hung_request:
                is_culprit = is_culprit and pending.request_id & REQUEST_BITS == hung_request
            pending.on_done(ConnectionLost(reason, maybe_executed=has_begun, hung=has_begun and is_culprit))
        self._tell_idle()

    # --- inside ------------------------------------------------------------------------------------------------

    def _count_lost(self, lost: list[Pending]) -> None:
        counted = [pending for pending in lost if pending.method not in LEAVING]
        self.lost += len(counted)
        self.called |= {pending.plugin_id for pending in counted if pending.plugin_id}

    def _tell_idle(self) -> None:
        if self._idle is not None and not self.pending:
            self._idle.set()
            self._idle = None


def _describe(pending: Pending) -> StartedCall:
    call = pending.tag
    component = pending.method.rpartition(".")[2]
    event_id = session_id = ""
    if isinstance(call, Call):
        component = call.component.name
        event_id, session_id = call.event_id, call.session_id
    return StartedCall(
        plugin_id=pending.plugin_id,
        component=component,
        event_id=event_id,
        session_id=session_id,
        request_id=pending.request_id,
    )
