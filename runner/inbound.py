"""How do messages of a platform reach the host: in order, many at a time, none lost while the host is slow?

Asking the host about one message at a time would cost a round trip each; so a window of them is under way at once. Their
order is kept because a request is queued on the link before its task waits for the first time, and the next task is
started only after that.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import attrs
import trio

from rookery.protocol import ErrorCode, MessageMap, RemoteError, RequestTimedOut, RookeryError

WINDOW = 64  # messages that the host is asked about at once: what one shard may have in flight by default
ATTEMPTS = 4  # the host drops a repeat by its key, so asking again cannot deliver twice
RETRY_DELAY = 0.25  # seconds before the second attempt; doubles

_PASSING = frozenset(
    {
        ErrorCode.E_TIMEOUT,
        ErrorCode.E_BACK_PRESSURE,
        ErrorCode.E_HOST_OVERLOADED,
        ErrorCode.E_RELOAD_IN_PROGRESS,
    }
)


@attrs.define(eq=False)
class Inbound:
    """Hands messages to the host in the order in which they came.

    A gateway puts in what its platform says, waits for room before it reads on, runs :meth:`run` for as long as it runs, and
    opens this when the host knows that it is ready.
    """

    _route: Callable[[MessageMap], Awaitable[bool]]
    """Asks the host to accept one message, as ``ctx.gateway.route_message`` does: it sends its request before it waits for
    anything. Its answer is whether the host took it."""
    _logger: logging.Logger
    _queue: int
    """Messages that wait here before there is no room."""
    accepted: int = 0
    refused: int = 0
    """The host said no: a repeat, or a chat that the bot takes no part in."""
    lost: int = 0
    """Could not be handed over in any attempt."""
    is_open: bool = False
    """Whether the host takes messages now."""
    _unsettled: int = 0
    _changed: trio.lowlevel.ParkingLot = attrs.Factory(trio.lowlevel.ParkingLot)
    _window: trio.Semaphore = attrs.Factory(lambda: trio.Semaphore(WINDOW))
    _put: trio.MemorySendChannel[MessageMap] = attrs.field(init=False)
    _take: trio.MemoryReceiveChannel[MessageMap] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        # The bound is kept by wait_room, which lets in whole what was read at once: that is never thrown away.
        self._put, self._take = trio.open_memory_channel[MessageMap](float("inf"))

    def put(self, message: MessageMap) -> None:
        """Queue one message."""
        self._unsettled += 1
        self._put.send_nowait(message)

    async def wait_room(self) -> None:
        """Wait until the queue is within its bound."""
        while self._unsettled > self._queue:
            await self._changed.park()

    async def wait_empty(self) -> None:
        """Wait until every message is settled."""
        while self._unsettled:
            await self._changed.park()

    def open(self) -> None:
        """The host takes messages from now on."""
        self.is_open = True
        self._changed.unpark_all()

    def close(self) -> None:
        """The host takes nothing more for now; messages wait."""
        self.is_open = False

    async def run(self) -> None:
        """Hand messages over until cancelled."""
        async with trio.open_nursery() as nursery:
            async for message in self._take:
                while not self.is_open:
                    await self._changed.park()
                await self._window.acquire()
                await nursery.start(self._deliver, message)

    async def _deliver(self, message: MessageMap, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        try:
            if await self._ask(message):
                self.accepted += 1
            else:
                self.refused += 1
        except RookeryError as error:
            self.lost += 1
            self._logger.error("the host did not take message %s: %s", message["message_id"], error)
        finally:
            self._window.release()
            self._unsettled -= 1
            self._changed.unpark_all()

    async def _ask(self, message: MessageMap) -> bool:
        for attempt in range(1, ATTEMPTS):
            try:
                return await self._route(message)
            except RequestTimedOut:
                pass
            except RemoteError as error:
                if error.code not in _PASSING:
                    raise
            await trio.sleep(RETRY_DELAY * 2 ** (attempt - 1))
        return await self._route(message)
