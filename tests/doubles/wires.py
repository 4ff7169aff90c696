"""A link of the dispatcher over two real sessions, without a socket: the test is the runner and says when bytes travel."""

from __future__ import annotations

from typing import Any

import trio

from rookery.protocol import (
    PLUGIN_CANCEL,
    PLUGIN_EMIT_EVENT,
    RUNNER_HELLO,
    BroadcastReceived,
    ErrorCode,
    Pending,
    RequestReceived,
    RequestSettled,
    Session,
    Side,
)
from rookery.supervisor.ledger import Ledger
from tests.doubles.sessions import HELLO, pass_on


class Wire:
    """As much of a link as the dispatcher uses, with its promises.

    Attributes:
        asked: Every request that the runner got.
        cancelled: The ids that it was told not to go on with.
        started: What it has noted on its page.
        dropped: Answers that the host did not wait for.
    """

    def __init__(self) -> None:
        self.session, self.runner = Ledger(Side.HOST), Session(Side.RUNNER)
        hello = self.runner.request(RUNNER_HELLO, HELLO)
        pass_on(self.runner, self.session)
        self.session.answer(hello, {"accepted": True})
        pass_on(self.session, self.runner)
        self.is_closed = False
        self.asked: list[RequestReceived] = []
        self.cancelled: list[int] = []
        self.started: set[int] = set()
        self.dropped = 0

    # --- of the dispatcher -------------------------------------------------------------------------------------

    def send(self, method: str, payload: dict[str, Any], **keywords: Any) -> int:
        request_id = self.session.request(method, payload, timeout_ms=1000, **keywords)
        self._reach_runner()
        return request_id

    def broadcast(self, method: str, payload: dict[str, Any], **keywords: Any) -> None:
        self.session.broadcast(method, payload, **keywords)
        self._reach_runner()

    def expect(self, pending: Pending) -> None:
        self.session.expect(pending)

    # --- of the runner -----------------------------------------------------------------------------------------

    def answer(self, request_id: int, payload: dict[str, Any], *, whole: int = 0) -> None:
        """Answer, and wait until the host reads it; for a part of a segment in turn with the segment's id."""
        self._own(request_id, whole)
        self.runner.answer(request_id, payload)

    def refuse(
        self, request_id: int, code: ErrorCode, *, whole: int = 0, details: dict[str, Any] | None = None
    ) -> None:
        self._own(request_id, whole)
        self.runner.refuse(request_id, code, "no", details)

    def arrive(self) -> None:
        """The host reads what the runner has said."""
        for received in self.session.receive_each(self.runner.data_to_send()):
            if isinstance(received, RequestSettled):
                received.pending.on_done(received.outcome)
            else:
                self.dropped += 1

    def expire(self) -> None:
        """The host looks at its deadlines."""
        for settled in self.session.expire(trio.current_time()):
            settled.pending.on_done(settled.outcome)

    def die(self) -> None:
        """Its death is proved, and its page is read."""
        self.is_closed = True
        for settled in self.session.close("it died"):
            settled.pending.on_done(settled.outcome)
        self.session.settle(frozenset(self.started), "it died")

    def _own(self, request_id: int, whole: int) -> None:
        if request_id not in self.runner.owed:
            self.runner.owe(request_id, PLUGIN_EMIT_EVENT, "")
        if whole:
            self.runner.disown(whole)

    def _reach_runner(self) -> None:
        for received in pass_on(self.session, self.runner):
            if isinstance(received, RequestReceived):
                self.asked.append(received)
            elif isinstance(received, BroadcastReceived) and received.method.name == PLUGIN_CANCEL:
                self.cancelled += received.payload["request_ids"]
