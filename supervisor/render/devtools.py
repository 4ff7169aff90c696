"""How are a browser's developer tools spoken with: maps in JSON over two pipes, each with a zero byte behind it?

What a browser says is no more believed than what a plugin says: a page may have taken it over.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import trio

from rookery.protocol import Slot

from .failure import RenderFailed, RenderKind

if TYPE_CHECKING:
    from collections.abc import Callable

    Listener = Callable[[str, dict[str, Any]], None]

OVER = "over"
"""Stands for an event: nothing more will be heard."""

SAY_TIMEOUT = 15.0
"""Seconds that a browser may take to read what it is told: one that reads nothing has stopped, or was stopped."""

CHUNK = 256 * 1024
MAX_MESSAGE_BYTES = 96 * 1024 * 1024
"""A picture of the largest size, in base64, with much to spare."""


class DevTools:
    """The conversation with one browser.

    Args:
        reading, writing: Ends of pipes that do not block; taken over.
    """

    def __init__(self, reading: int, writing: int) -> None:
        self._in = trio.lowlevel.FdStream(reading)
        self._out = trio.lowlevel.FdStream(writing)
        self._turn = trio.Lock()
        self._waiting: dict[int, Slot[dict[str, Any] | RenderFailed]] = {}
        self._listeners: dict[str, Listener] = {}
        self._last = 0
        self.why_over = ""
        """Why nothing can be asked any more; "" while it can."""

    async def run(self) -> None:
        """Take what the browser says, until it says nothing more."""
        try:
            await self._read()
        except trio.BrokenResourceError:
            self._end("the browser has closed its end")
        finally:
            self._end("the browser has ended")

    async def close(self) -> None:
        """Hang up."""
        self._end("the browser is being ended")
        await self._in.aclose()
        await self._out.aclose()

    def listen(self, session: str, listener: Listener) -> None:
        """Have the events of a session told, and ``OVER`` when there will be none; it must not raise.

        Raises:
            RenderFailed: The browser has ended.
        """
        if self.why_over:
            raise RenderFailed(RenderKind.UNAVAILABLE, self.why_over)
        self._listeners[session] = listener

    def forget(self, session: str) -> None:
        self._listeners.pop(session, None)

    async def ask(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """Ask and wait for the answer. A checkpoint.

        Raises:
            RenderFailed: The browser refuses, or has ended.
        """
        number, slot = self._begin()
        try:
            await self._say(number, method, session, parameters)
            answer = await slot.wait()
        finally:
            self._waiting.pop(number, None)
        if isinstance(answer, RenderFailed):
            raise answer
        if "error" in answer:
            told = answer["error"].get("message") if isinstance(answer["error"], dict) else answer["error"]
            raise RenderFailed(RenderKind.UNAVAILABLE, f"the browser refuses {method}: {told!s:.200}")
        result = answer.get("result")
        return result if isinstance(result, dict) else {}

    async def tell(self, method: str, session: str, **parameters: Any) -> None:
        """Say something whose answer does not matter; nothing happens when the browser has ended."""
        self._last += 1
        try:
            await self._say(self._last, method, session, parameters)
        except RenderFailed:
            pass  # whoever asks next hears it

    # --- inside ------------------------------------------------------------------------------------------------

    def _begin(self) -> tuple[int, Slot[dict[str, Any] | RenderFailed]]:
        if self.why_over:
            raise RenderFailed(RenderKind.UNAVAILABLE, self.why_over)
        self._last += 1
        slot = self._waiting[self._last] = Slot[dict[str, Any] | RenderFailed]()
        return self._last, slot

    async def _say(self, number: int, method: str, session: str, parameters: dict[str, Any]) -> None:
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        try:
            async with self._turn:
                # What was begun is said to its end: a half message would be the browser's end.
                with trio.move_on_after(SAY_TIMEOUT, shield=True) as saying:
                    await self._out.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._end("the browser has closed its end")
            raise RenderFailed(RenderKind.UNAVAILABLE, self.why_over) from None
        if saying.cancelled_caught:
            self._end("the browser does not listen")
            raise RenderFailed(RenderKind.UNAVAILABLE, self.why_over)

    async def _read(self) -> None:
        buffer = bytearray()
        while chunk := await self._in.receive_some(CHUNK):
            searched = len(buffer)
            buffer += chunk
            while (end := buffer.find(b"\0", searched)) >= 0:
                self._take(bytes(buffer[:end]))
                del buffer[: end + 1]
                searched = 0
            if len(buffer) > MAX_MESSAGE_BYTES:
                self._end(f"the browser says more than {MAX_MESSAGE_BYTES} bytes at once")
                return

    def _take(self, data: bytes) -> None:
        try:
            message = json.loads(data)
        except (ValueError, RecursionError):
            return
        if not isinstance(message, dict):
            return
        slot = self._waiting.pop(message["id"], None) if type(message.get("id")) is int else None
        if slot is not None:
            slot.settle(message)
            return
        session, method, told = message.get("sessionId"), message.get("method"), message.get("params")
        listener = self._listeners.get(session) if isinstance(session, str) else None
        if listener is not None and isinstance(method, str) and isinstance(told, dict):
            listener(method, told)

    def _end(self, why: str) -> None:
        self.why_over = self.why_over or why
        waiting, self._waiting = self._waiting, {}
        for slot in waiting.values():
            slot.settle(RenderFailed(RenderKind.UNAVAILABLE, self.why_over))
        listeners, self._listeners = self._listeners, {}
        for listener in listeners.values():
            listener(OVER, {})
