"""What has one runner been asked and not answered, and when may nobody wait for it any more?

A connection can end while its process lives: it closed its socket, broke the protocol, stopped reading. What it was asked
may still run then, and whoever were told that the runner has gone would be wrong. So the calls of components outlive the
connection. They settle when the death of the process is proved, or when it is given up; their deadlines hold all the
while.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    PLUGIN_RUN_SEGMENT,
    PLUGIN_SHUTDOWN,
    ConnectionLost,
    Session,
    limits,
)
from rookery.protocol import page as layout

from .call import Call
from .exit_report import StartedCall
from .segment import Segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

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
        PLUGIN_RUN_SEGMENT,
    }
)
"""What runs a component. The rest are requests of the host's own, which somebody waits for and nobody repeats."""

LEAVING = frozenset({PLUGIN_PREPARE_SHUTDOWN, PLUGIN_SHUTDOWN})
"""Nobody loses anything when these get no answer."""

HANDED = layout.HANDED

REQUEST_BITS = 0xFFFF_FFFF
"""What a crumb keeps of a request's id."""


class Ledger(Session):
    """The host's session with one runner. Every call settles once: by an answer, its deadline, ``forget`` or ``settle``.

    Attributes:
        lost: Requests that this end has failed; those that had not begun do not count.
        unbegun: Calls that had been sent and had not begun.
        called: The plugins that the lost requests were for.
        read_started: Says what has begun, while it lives; None when the runner keeps no page.
    """

    lost = 0
    unbegun = 0
    called: frozenset[str] = frozenset()
    read_started: Callable[[], frozenset[int] | None] | None = None
    _noted: frozenset[int] = frozenset()
    _unanswered = 0
    """Requests that ended without an answer."""
    _idle: trio.Event | None = None

    # --- while it lives ----------------------------------------------------------------------------------------

    @property
    def answered(self) -> int:
        """How many requests the runner has answered while it was connected."""
        return self.last_id - self._not_asked - len(self.pending) - self._unanswered

    @property
    def has_served(self) -> bool:
        """Whether it has answered a request, or was never asked."""
        return self.answered > 0 or self.last_id == self._not_asked

    @property
    def noted(self) -> frozenset[int]:
        """Pending requests of which the runner has said that they begin."""
        return frozenset(each for each in self._noted if self._is_open(each))

    def note_started(self, request_ids: Iterable[int]) -> None:
        """The runner says that these begin. Ids that nobody waits for are its own affair."""
        # What has been answered is let go here, or a runner could fill the memory of its host.
        self._noted = self.noted.union(each for each in request_ids if self._is_open(each))

    def waiting_calls(self, started: frozenset[int] | None) -> list[int]:
        """The ids of calls that were sent and of which none is known to have begun, oldest first."""
        return [
            request_id
            for request_id, pending in self.pending.items()
            if pending.method in CALLS and (started is None or not _begun(pending, started))
        ]

    async def wait_idle(self) -> None:
        """Return when nothing waits for an answer."""
        while self.pending:
            if self._idle is None:
                self._idle = trio.Event()
            await self._idle.wait()

    def receive_each(self, data: bytes) -> Iterator[Received]:
        received = super().receive_each(data)
        return received if self._idle is None else self._telling_idle(received)

    def _telling_idle(self, received: Iterator[Received]) -> Iterator[Received]:
        yield from received
        self._tell_idle()

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
        self._wide.update((number, each) for number, each in kept.items() if each.parts)
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
            _describe(pending, request_id)
            for pending in self.pending.values()
            if pending.method in CALLS
            for request_id in ([pending.request_id] if started is None else _begun(pending, started))
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
        self._wide.clear()
        for pending in over:
            begun = [pending.request_id] if started is None else _begun(pending, started)
            has_begun = bool(begun)
            self.lost += len(begun) if pending.method not in LEAVING else 0
            self.unbegun += not has_begun
            plugins = {_plugin_of(pending, each) for each in begun}
            self.called |= plugins - {""}
            is_culprit = hung_plugin in plugins and hung_plugin != ""
            if hung_request:
                is_culprit = is_culprit and hung_request in [each & REQUEST_BITS for each in begun]
            if pending.parts and started is not None:
                last = pending.request_id + pending.parts
                pending.begun = frozenset(
                    each for each in started if pending.request_id < each & ~HANDED <= last
                )
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

    def _is_open(self, request_id: int) -> bool:
        request_id &= ~HANDED  # one that is said not to have begun, which is worth knowing as well
        return request_id in self.pending or self.whole_of(request_id) is not None


def _begun(pending: Pending, started: frozenset[int]) -> list[int]:
    """Under which ids of a request something has begun, oldest first."""
    if not pending.parts:
        return [pending.request_id] if pending.request_id in started else []
    last = pending.request_id + pending.parts
    return sorted(each for each in started if pending.request_id < each <= last)


def _call_of(pending: Pending, request_id: int) -> Call | None:
    about = pending.tag
    if isinstance(about, Segment):
        return about.call_of(max(0, request_id - pending.request_id - 1))
    return about if isinstance(about, Call) else None


def _plugin_of(pending: Pending, request_id: int) -> str:
    call = _call_of(pending, request_id) if pending.parts else None
    return pending.plugin_id if call is None else call.component.plugin_id


def _describe(pending: Pending, request_id: int) -> StartedCall:
    call = _call_of(pending, request_id)
    if call is None:
        component, event_id, session_id = pending.method.rpartition(".")[2], "", ""
    else:
        component, event_id, session_id = call.component.name, call.event_id, call.session_id
    return StartedCall(
        plugin_id=_plugin_of(pending, request_id),
        component=component,
        event_id=event_id,
        session_id=session_id,
        request_id=request_id,
    )
