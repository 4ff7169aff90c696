"""How does one WebSocket live: reading, writing, actions and their answers, and one reason why it ended?

Every frame goes out through one task: a task that is cancelled in the middle of a write leaves half a frame behind, and
whoever sends here, a handler with a deadline, may be cancelled at any time.
"""

from __future__ import annotations

import json
import logging
import math
from typing import TYPE_CHECKING, Any

import attrs
import trio
from websockets.exceptions import ConnectionClosed
from websockets.trio.connection import Connection as WebSocket

from .answers import Answers, Waiting
from .errors import BadFrame, NotConnected
from .frame import AccountSeen, ActionAnswered, Received, read_frame

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

WRITE_TIMEOUT = 30.0  # seconds for a frame that the other side does not take
CLOSE_TIMEOUT = 2.0  # seconds for the closing words
HEARTBEATS_MISSED = (
    3  # intervals of the platform's own heartbeat without any frame, after which it counts as gone
)
LEAST_SILENCE = 10.0  # seconds that such a silence lasts at least
COMPLAINTS = 20  # frames that are none, after which the log hears of each thousandth only

NO_ECHO_REFUSALS = frozenset({1401, 1403})
"""Retcodes by which an implementation says that it does not know our token, right after it let us in."""


@attrs.define(eq=False)
class _Post:
    frame: str
    begun: bool = False
    written: bool = False
    settled: trio.Event = attrs.Factory(trio.Event)  # written, or it never will be


@attrs.frozen(kw_only=True, eq=False)
class Call:
    """An action that was started."""

    action: str
    connection: Connection
    waiting: Waiting
    post: _Post

    async def result(self, timeout: float) -> Any:
        """The data of the answer. To be awaited, or the connection keeps the action until it ends.

        Raises:
            NotConnected: It was not asked: the connection had ended.
            ActionFailed: It says no.
            ActionUnanswered: It was asked and did not answer in time.
        """
        try:
            with trio.move_on_after(timeout):
                await self.post.settled.wait()
                if self.post.written:
                    await self.waiting.settled.wait()
            if self.connection.lost and not self.post.begun:
                raise NotConnected(f"{self.action} was not sent: {self.connection.lost}")
            return self.waiting.take(self.action)
        finally:
            self.connection.answers.end(self.waiting)


@attrs.define(eq=False)
class Connection:
    """One connection, from the handshake to the reason of its end."""

    _socket: WebSocket
    _logger: logging.Logger
    lost: str = ""
    """Why it ended; empty while it lives."""
    bad_frames: int = 0
    answers: Answers = attrs.Factory(Answers)
    _heartbeat: float = 0.0
    """Seconds between two heartbeats of the platform; 0 before the first."""
    _heard_at: float = 0.0
    _is_reading: bool = True
    """False while the host has to take what came, and nothing more is read."""
    _posts: trio.MemorySendChannel[_Post] = attrs.field(init=False)
    _to_write: trio.MemoryReceiveChannel[_Post] = attrs.field(init=False)
    _unsettled: set[_Post] = attrs.Factory(set)
    """Not written yet."""
    _scope: trio.CancelScope = attrs.Factory(trio.CancelScope)

    def __attrs_post_init__(self) -> None:
        # Unbounded, because what enters is bounded: whoever sends waits for its answer.
        self._posts, self._to_write = trio.open_memory_channel[_Post](math.inf)

    async def run(self, handle: Callable[[Received], None], wait_room: Callable[[], Awaitable[None]]) -> str:
        """Live until the other side goes, is silent for too long, or :meth:`lose` is called; return why.

        Args:
            handle: Told what happens, in order; it does not wait.
            wait_room: While it waits, nothing more is read.
        """
        self._heard_at = trio.current_time()
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write)
                    nursery.start_soon(self._watch)
                    await self._read(handle, wait_room)
                    nursery.cancel_scope.cancel()
        finally:
            self.lose("cancelled")
            self._posts.close()
            self._to_write.close()
            await self._close()
        return self.lost

    async def _close(self) -> None:
        """The library waits without an end until its closing words are written, also for somebody who reads nothing."""
        with trio.move_on_after(CLOSE_TIMEOUT):
            await self._socket.aclose()
        await trio.aclose_forcefully(self._socket.stream)

    def start(self, action: str, params: dict[str, Any]) -> Call:
        """Queue an action; those that are started one after the other go out in this order."""
        told = json.dumps(params)  # what cannot be sent is waited for by nobody
        waiting = self.answers.begin()
        frame = f'{{"action": {json.dumps(action)}, "params": {told}, "echo": {json.dumps(waiting.echo)}}}'
        return Call(action=action, connection=self, waiting=waiting, post=self._post(frame))

    async def call(self, action: str, params: dict[str, Any], timeout: float) -> Any:
        """Start an action and wait for what becomes of it; see ``Call.result``."""
        return await self.start(action, params).result(timeout)

    async def leave(self, reason: str) -> None:
        """Close in an orderly way; the connection ends."""
        with trio.move_on_after(CLOSE_TIMEOUT):
            await self._socket.aclose(1000, reason)
        self.lose(reason)

    def lose(self, reason: str) -> None:
        """End the connection; only the first reason counts."""
        self.lost = self.lost or reason
        self._scope.cancel()
        self.answers.lose(self.lost)
        for post in self._unsettled:
            post.settled.set()

    def _post(self, frame: str) -> _Post:
        post = _Post(frame)
        if self.lost:
            post.settled.set()
        else:
            self._unsettled.add(post)
            self._posts.send_nowait(post)
        return post

    async def _read(
        self, handle: Callable[[Received], None], wait_room: Callable[[], Awaitable[None]]
    ) -> None:
        while True:
            try:
                frame = await self._socket.recv()
            except ConnectionClosed as closed:
                self.lose(self.lost or describe_end(closed))
                return
            self._heard_at = trio.current_time()
            try:
                received = read_frame(frame)
            except BadFrame as error:
                self._complain(error)
                continue
            match received:
                case None:
                    continue
                case ActionAnswered():
                    self._take_answer(received)
                case AccountSeen(interval=float(interval)):
                    self._heartbeat = interval
                    handle(received)
                case _:
                    handle(received)
            self._is_reading = False
            await wait_room()
            self._is_reading, self._heard_at = True, trio.current_time()

    def _take_answer(self, answer: ActionAnswered) -> None:
        if not answer.echo and answer.retcode in NO_ECHO_REFUSALS:
            self.lose(
                f"the platform refuses us (retcode {answer.retcode} {answer.wording}): check access_token"
            )
        self.answers.settle(answer)

    def _complain(self, error: BadFrame) -> None:
        self.bad_frames += 1
        if self.bad_frames <= COMPLAINTS or self.bad_frames % 1000 == 0:
            self._logger.warning("frame %d that is dropped: %s", self.bad_frames, error)

    async def _write(self) -> None:
        async for post in self._to_write:
            post.begun = True
            try:
                with trio.move_on_after(WRITE_TIMEOUT) as patience:
                    await self._socket.send(post.frame)
            except ConnectionClosed as closed:
                self.lose(describe_end(closed))
                return
            if patience.cancelled_caught:
                self.lose(f"the platform took nothing for {WRITE_TIMEOUT:g} s")
                return
            post.written = True
            self._unsettled.discard(post)
            post.settled.set()

    async def _watch(self) -> None:
        """A platform that announced its heart-beats is believed: silence means that it is gone."""
        while True:
            silence = max(LEAST_SILENCE, HEARTBEATS_MISSED * self._heartbeat)
            now = trio.current_time()
            if not self._heartbeat or not self._is_reading:
                self._heard_at = (
                    now  # nothing was announced, or it is we who do not listen: nothing is missed
                )
            elif now - self._heard_at >= silence:
                self.lose(f"no heart-beat of the platform for {silence:g} s")
                return
            await trio.sleep_until(self._heard_at + silence)


def describe_end(closed: ConnectionClosed) -> str:
    """Why a WebSocket ended, for people."""
    for who, frame in (("the platform", closed.rcvd), ("this side", closed.sent)):
        if frame is not None and (frame is closed.rcvd or closed.rcvd is None):
            reason = f" {frame.reason}" if frame.reason else ""
            return f"{who} closed the connection ({frame.code}{reason})"
    return "the connection broke"
