"""How is a peer read from that is not trusted: in small turns, and no faster than it may speak?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import trio

from .limits import DRAIN_BYTES
from .reader import Reader

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from .pace import Pace


class PacedReader(Reader):
    """A reader that keeps its peer to a pace.

    Args:
        pace: The peer's own.
        more: As of ``Reader``. No nursery is lent to it: a host's runners have none.
    """

    def __init__(self, pace: Pace, *more: Any, **keywords: Any) -> None:
        super().__init__(*more, **keywords)
        self._pace = pace

    def drain_nowait(self, most: int | None = None) -> bool:
        """As of ``Reader``, and one turn at most, which may leave something."""
        return super().drain_nowait(self._pace.limits.turn_bytes)

    async def drain(self) -> bool:
        left = DRAIN_BYTES
        while left > 0 and not self._link.is_closed:
            try:
                data = self._sock.recv(self._pace.limits.turn_bytes)
            except OSError:
                return True
            if not data:
                return True
            if not self._handle(self._link.session.receive_each(data), self._on_request):
                return False
            left -= len(data)
            await trio.lowlevel.checkpoint()
        return True

    async def _read(self, scope: trio.CancelScope | None) -> Awaitable[None] | None:
        session, pace = self._link.session, self._pace
        while True:
            most = pace.most(session.frames.missing)
            data = await self._receive(most)
            if not data:
                return None
            before, began = session.counters.frames_in, time.thread_time()
            is_well = self._handle(session.receive_each(data), self._on_request)
            work = time.thread_time() - began
            if not is_well:
                await self._link.flush(0.1)
                return None
            frames, now = session.counters.frames_in - before, trio.current_time()
            delay = pace.charge(frames=frames, size=len(data), work=work, now=now)
            if delay > 0.0:
                await self._hold(delay)
            elif len(data) == most:
                await trio.lowlevel.checkpoint()  # there may be more: let the others run in between
            else:
                await trio.lowlevel.wait_readable(self._sock)  # a turn for others, however soon more comes

    async def _receive(self, most: int) -> bytes:
        """What has come, when something has; nothing when nothing more comes."""
        while True:
            try:
                data = self._sock.recv(most)
            except BlockingIOError:
                await trio.lowlevel.wait_readable(self._sock)
                continue
            except OSError as error:
                self._link.note("eof", f"the peer went away ({error.strerror})")
                return b""
            if not data:
                self._link.note("eof", "the peer closed the connection")
            return data

    async def _hold(self, delay: float) -> None:
        """Read nothing for a while."""
        pace, began = self._pace, trio.current_time()
        pace.times += 1
        pace.is_holding = True
        try:
            await trio.sleep(delay)
        finally:
            pace.is_holding = False
            pace.seconds += trio.current_time() - began
