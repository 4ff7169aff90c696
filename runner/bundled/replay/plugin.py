"""How is recorded chat played back over the same path as live traffic, in order, at a rate, across restarts.

Lines go to the host in the order of the file; up to ``window`` of them wait for the host's word at once. What the host
has accepted is noted in the plugin's data directory, so that a runner that was killed goes on where it was: a few lines
are sent again then, and the host drops them as duplicates.
"""

from __future__ import annotations

import json
import os
from collections import deque
from pathlib import Path
from typing import Any

import attrs
import trio

from rookery.protocol import ErrorCode, RemoteError, RookeryError
from rookery.runner import Field, Message, Plugin, PluginConfig, message_gateway

from .recording import Line, read_lines

NOTE_EVERY = 64
"""Lines between two notes of the position."""

REPORT_SECONDS = 0.25
"""Between two progress reports to the host."""

MISTAKES_SHOWN = 20
"""Broken lines that are reported with number and reason; all are counted."""


class ReplayConfig(PluginConfig):
    input: str = Field("", "The recording: one JSON object a line.")
    output: str = Field("", "Where replies go, one JSON object a line; empty prints them, '-' drops them.")
    rate: float = Field(0.0, "Messages a second; 0 is as fast as the host takes them.", ge=0)
    window: int = Field(128, "Messages that may wait for the host's word at once.", ge=1, le=1024)


@attrs.define
class Progress:
    """Where the replay is; kept over a restart of the runner."""

    lines: int = 0
    """The number of the last line that is done, with all before it."""
    read: int = 0
    """Lines done that were not blank: accepted, refused or broken."""
    position: int = 0
    """Bytes of the file that are done."""
    broken: int = 0
    mistakes: list[list[Any]] = attrs.Factory(list)
    """``[line number, reason]`` of the first broken lines."""


class Replay(Plugin[ReplayConfig]):
    async def on_load(self) -> None:
        self._note = self.ctx.data_dir / "position.json"
        self._progress = self._recall()
        self._size = (await trio.Path(self.config.input).stat()).st_size
        self._window: deque[Line] = deque()
        self._done: dict[int, str] = {}
        self._wake = trio.Event()
        self._output = self._open_output()
        self._failure = ""
        await self._report(finished=False)
        self.ctx.start_task(self._play, name="play the recording")

    async def on_unload(self) -> None:
        if self._output is not None and self._output != self.ctx.terminal.get("stdout"):
            os.close(self._output)
        self._output = None

    @message_gateway("replay", route_type="duplex", platform="*")
    async def write_reply(self, message: Message) -> str | dict[str, Any]:
        record = {
            "platform": message.platform,
            "chat": message.chat_id,
            "text": message.text,
            "reply_to": message.reply_to,
            "plugin": message.additional.get("plugin_id"),
        }
        if self._output is not None:
            line = json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
            try:
                os.write(self._output, line)  # one write a line: a kill between two lines cannot tear one
            except OSError as error:
                reason = f"the replies cannot be written: {error.strerror}"
                await self._give_up(reason)
                return {"success": False, "error": reason}
        return f"reply-to-{message.reply_to}"

    async def _play(self) -> None:
        try:
            await self._play_lines()
        except OSError as error:
            await self._give_up(f"the recording cannot be played: {error}")

    async def _give_up(self, failure: str) -> None:
        """Tell the host, which waits for the end of the recording."""
        if not self._failure:
            self._failure = failure
            await self._report(finished=False)

    async def _play_lines(self) -> None:
        pause = 1 / self.config.rate if self.config.rate else 0.0
        due = reported = trio.current_time()
        progress = self._progress
        for line in read_lines(Path(self.config.input), start=progress.position, number=progress.lines):
            while len(self._window) >= self.config.window:
                await self._something_done()
            if pause:
                due += pause
                await trio.sleep_until(due)
            self._window.append(line)
            self._send(line)
            if trio.current_time() >= reported + REPORT_SECONDS:
                reported = trio.current_time()
                await self._report(finished=False)
        while self._window:
            await self._something_done()
        self._write_note()
        await self._report(finished=True)

    def _send(self, line: Line) -> None:
        if line.message is None:
            self._settle(line, line.mistake)
            return
        self.ctx.gateway.route_message_nowait(
            "replay",
            line.message,
            dedupe_key=str(line.number),
            on_done=lambda outcome: self._answered(line, outcome),
        )

    def _answered(self, line: Line, outcome: bool | RookeryError) -> None:
        if isinstance(outcome, RemoteError) and outcome.code is ErrorCode.E_BACK_PRESSURE:
            self.ctx.start_task(self._send_again, line, name="send a line again")
            return
        if isinstance(outcome, RookeryError):
            self.ctx.logger.error("line %d was not taken: %s", line.number, outcome)
        # What the host refused it has counted; what never came to it is as good as broken.
        unsent = isinstance(outcome, RookeryError) and not isinstance(outcome, RemoteError)
        self._settle(line, str(outcome) if unsent else "")

    async def _send_again(self, line: Line) -> None:
        await trio.sleep(0.05)
        self._send(line)

    def _settle(self, line: Line, mistake: str) -> None:
        """Lines end out of order; the position follows the oldest that is still open."""
        self._done[line.number] = mistake
        progress = self._progress
        before = progress.lines
        while self._window and self._window[0].number in self._done:
            oldest = self._window.popleft()
            mistake = self._done.pop(oldest.number)
            progress.lines, progress.position = oldest.number, oldest.end
            progress.read += 1
            if mistake:
                progress.broken += 1
                if len(progress.mistakes) < MISTAKES_SHOWN:
                    progress.mistakes.append([oldest.number, mistake])
        if progress.lines // NOTE_EVERY != before // NOTE_EVERY:
            self._write_note()
        self._wake.set()

    async def _something_done(self) -> None:
        self._wake = trio.Event()
        await self._wake.wait()

    def _recall(self) -> Progress:
        if not self._note.exists():
            return Progress()
        return Progress(**json.loads(self._note.read_text()))

    def _write_note(self) -> None:
        new = self._note.with_suffix(".new")
        new.write_text(json.dumps(attrs.asdict(self._progress)))
        new.replace(self._note)

    def _open_output(self) -> int | None:
        if self.config.output == "-":
            return None
        if not self.config.output:
            return self.ctx.terminal.get("stdout")
        return os.open(self.config.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)

    async def _report(self, *, finished: bool) -> None:
        progress = attrs.asdict(self._progress)
        await self.ctx.gateway.update_state(
            "replay",
            ready=True,
            platform="*",
            metadata={**progress, "size": self._size, "finished": finished, "failure": self._failure},
        )
