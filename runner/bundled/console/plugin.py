"""How does the terminal become a chat: lines in, replies out.

The host lends the terminal's descriptors to the shard of this plugin. They are read in a thread, because a regular
file as standard input cannot be waited for, and a terminal must stay blocking for the shell that comes after us.
"""

from __future__ import annotations

import errno
import os
import time
import uuid
from typing import Any

import trio

from rookery.protocol import build_message
from rookery.runner import Field, Message, Plugin, PluginConfig, message_gateway

READ_BYTES = 64 * 1024
MAX_LINE_BYTES = 1024 * 1024
"""A longer line is cut here; nobody types that much, and a file without line ends must not fill the memory."""

READER_GONE = frozenset({errno.EPIPE, errno.EIO})
"""Errors of a write after which no other can succeed: the pipe's reader or the terminal is no more."""

GREETING = "You are talking to the bot. !help lists what it can do; Ctrl-D or Ctrl-C ends it.\n"


class ConsoleConfig(PluginConfig):
    user: str = Field("", "Your name in the chat; empty takes it from the environment.")
    chat: str = Field("console", "The name of the chat.")


class Console(Plugin[ConsoleConfig]):
    async def on_load(self) -> None:
        self._run_id = uuid.uuid4().hex[:8]
        self._lines = 0
        self._reading = trio.CancelScope()
        self._unwritten = ""
        terminal = self.ctx.terminal
        self._stdin: int | None = terminal.get("stdin")
        self._stdout: int | None = terminal.get("stdout")
        if self._stdin is None or self._stdout is None:
            self.ctx.logger.warning(
                "this shard has no terminal: say terminal = true in its [[shard]] section"
            )
            return
        self._is_chat = os.isatty(self._stdin) and os.isatty(self._stdout)
        self._user = self.config.user or os.environ.get("USER") or os.environ.get("LOGNAME") or "you"
        await self._report(finished=False)
        self.ctx.start_task(self._read, name="read the terminal")

    @message_gateway("console", route_type="duplex", platform="console")
    async def print_message(self, message: Message) -> dict[str, Any] | None:
        if self._stdout is None:
            raise RuntimeError("this shard has no terminal to print to")
        text = _printable(message.text)
        if self._is_chat:
            text = "\r\x1b[K\x1b[1mbot>\x1b[0m " + text.replace("\n", "\n     ")
        try:
            await trio.to_thread.run_sync(_write_all, self._stdout, f"{text}\n".encode())
        except OSError as error:
            return {"success": False, "error": self._not_written(error)}
        self._unwritten = ""
        return None

    def _not_written(self, error: OSError) -> str:
        """Say once why replies cannot be shown, and stop reading when there is nobody to read them."""
        reason = f"the output cannot be written: {error.strerror}"
        if reason != self._unwritten:
            self._unwritten = reason
            gone = error.errno in READER_GONE
            self.ctx.logger.warning("%s%s", reason, "; nothing more is read" if gone else "")
            if gone:
                self._reading.cancel()
        return reason

    async def _read(self) -> None:
        assert self._stdout is not None
        if self._is_chat:
            await trio.to_thread.run_sync(_write_all, self._stdout, GREETING.encode())
        with self._reading:
            await self._read_lines()
        await self._report(finished=True)

    async def _read_lines(self) -> None:
        assert self._stdin is not None
        rest = b""
        while True:
            # Abandoned on unload: nothing can interrupt a read of a terminal, and the process ends soon after.
            try:
                data = await trio.to_thread.run_sync(os.read, self._stdin, READ_BYTES, abandon_on_cancel=True)
            except OSError as error:
                self.ctx.logger.warning("the terminal cannot be read any more: %s", error.strerror)
                data = b""
            lines = (rest + data).split(b"\n")
            rest = lines.pop()[:MAX_LINE_BYTES]
            for line in lines:
                await self._say(line)
            if not data:
                break
        await self._say(rest)

    async def _say(self, line: bytes) -> None:
        text = line[:MAX_LINE_BYTES].decode("utf-8", "replace").strip("\r\n")
        if not text.strip():
            return
        self._lines += 1
        message = build_message(
            message_id=f"console-{self._run_id}-{self._lines}",
            platform="console",
            user_id=self._user,
            user_name=self._user,
            group_id=self.config.chat,
            text=text,
            timestamp=time.time(),
        )
        await self.ctx.gateway.route_message("console", message)

    async def _report(self, *, finished: bool) -> None:
        await self.ctx.gateway.update_state(
            "console", ready=True, platform="console", account_id=self._user, metadata={"finished": finished}
        )


def _printable(text: str) -> str:
    """A message must not move the cursor or rename the window: control characters become visible."""
    return "".join(char if char in "\n\t" or char.isprintable() else repr(char)[1:-1] for char in text)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
