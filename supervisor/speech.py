"""How does the bot say something in a conversation?"""

from __future__ import annotations

import itertools
import time
import uuid
from typing import TYPE_CHECKING, Any

import trio

from .platform.outbound import Receipt, Sending
from .platform.sessions import compose

if TYPE_CHECKING:
    from collections.abc import Callable

    from .counters import Counters
    from .platform.outbound import Outbound
    from .platform.sessions import Sessions


class Speech:
    """Says things: finds the session, composes the message, sends it, and notes how long the other side waited.

    Args:
        arrival_of: When a message that is still in flight arrived, by its id; ``None`` when it is not.
    """

    def __init__(
        self,
        sessions: Sessions,
        outbound: Outbound,
        arrival_of: Callable[[str | None], float | None],
        counters: Counters,
    ) -> None:
        self._sessions = sessions
        self._outbound = outbound
        self._arrival_of = arrival_of
        self._counters = counters
        self._numbers = itertools.count(1)
        self._run_id = uuid.uuid4().hex[:8]

    async def say(
        self,
        session_id: str,
        text: str,
        *,
        plugin_id: str = "",
        reply_to: str | None = None,
        segments: list[dict[str, Any]] | None = None,
        sending: Sending | None = None,
    ) -> Receipt:
        """Send a text into a session; the receipt says whether it went out.

        Args:
            plugin_id: Who says it; "" is the host.
            reply_to: The id of the message that it answers.
            segments: The parts of the message; ``None`` makes one of the text.
            sending: What else is said of it; ``None`` says that it answers ``reply_to``, if there is that.
        """
        session = self._sessions.find(session_id)
        if session is None:
            return Receipt(
                sent=False,
                error=f"{session_id!r} is no session: expected PLATFORM:group:ID or PLATFORM:private:ID",
            )
        arrived_at = self._arrival_of(reply_to)
        message = compose(
            session,
            text,
            message_id=f"rookery-{self._run_id}-{next(self._numbers)}",
            timestamp=time.time(),
            plugin_id=plugin_id,
            reply_to=reply_to,
            segments=segments,
        )
        sending = sending or Sending(set_reply=reply_to is not None, reply_message_id=reply_to or "")
        built = await self._outbound.departure.built(message, session_id, sending)
        if built.stopped_by:
            return Receipt(sent=False, error=f"stopped by {built.stopped_by}")
        receipt = await self._outbound.send(built.message, sending=sending)
        if receipt.sent and arrived_at is not None:
            self._counters.latencies.add(trio.current_time() - arrived_at)
        return receipt
