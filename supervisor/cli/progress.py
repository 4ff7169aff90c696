"""How far is a replay: a bar with rich on a terminal, a plain line without it, a line now and then in a log.

Lines about runners are printed through the bar, because both write to the same terminal.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

from .terminal import CLEAR_LINE, coloured, printable, wants_colour

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress as RichProgress

LOG_SECONDS = 10.0
"""Between two lines of progress where there is no terminal."""


class Progress(Protocol):
    """Where a replay says how far it is."""

    def move(self, position: int, size: int, messages: int) -> None:
        """Show that ``position`` of ``size`` bytes are done, ``messages`` lines with a message in them."""

    def show(self, text: str, level: int = logging.INFO) -> None:
        """Print a line beside the bar."""


@contextmanager
def open_progress(stream: TextIO, *, alone: bool = True) -> Iterator[Progress]:
    """The best progress that the stream can show.

    Args:
        alone: Nobody else writes to the terminal; else a bar would be torn.
    """
    if not stream.isatty() or not alone:
        yield LoggedProgress(stream)
        return
    try:
        from rich.progress import Progress as _  # noqa: F401 (is it there?)
    except ImportError:
        plain = PlainProgress(stream)
        try:
            yield plain
        finally:
            plain.close()
        return
    with _rich_bar(stream) as bar:
        yield RichBar(bar, colour=wants_colour(stream))


class LoggedProgress:
    """Lines for a file: one at the start would tell nothing, so the first comes after a while."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last = time.monotonic()

    def move(self, position: int, size: int, messages: int) -> None:
        now = time.monotonic()
        if now >= self._last + LOG_SECONDS:
            self._last = now
            self.show(progress_text(position, size, messages))

    def show(self, text: str, level: int = logging.INFO) -> None:
        self._stream.write(f"{printable(text)}\n")
        self._stream.flush()


class PlainProgress:
    """One line that is written over."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._colour = wants_colour(stream)
        self._line = ""

    def move(self, position: int, size: int, messages: int) -> None:
        self._line = progress_text(position, size, messages)
        self._write(f"{CLEAR_LINE}{self._line}")

    def show(self, text: str, level: int = logging.INFO) -> None:
        line = printable(text)
        self._write(f"{CLEAR_LINE}{coloured(line, level) if self._colour else line}\n{self._line}")

    def close(self) -> None:
        if self._line:
            self._write("\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class RichBar:
    """A bar drawn by rich; drawn when something moved and not by a thread of its own."""

    def __init__(self, bar: RichProgress, *, colour: bool) -> None:
        self._bar = bar
        self._colour = colour
        self._task = bar.add_task("replay", total=None, messages=0)

    def move(self, position: int, size: int, messages: int) -> None:
        self._bar.update(self._task, completed=position, total=size, messages=messages, refresh=True)

    def show(self, text: str, level: int = logging.INFO) -> None:
        from rich.text import Text

        line = printable(text)
        painted = Text.from_ansi(coloured(line, level)) if self._colour else Text(line)
        self._bar.console.print(painted, soft_wrap=True)


def _rich_bar(stream: TextIO) -> RichProgress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[messages]} messages"),
        TimeRemainingColumn(),
        console=Console(file=stream),
        auto_refresh=False,
    )


def progress_text(position: int, size: int, messages: int) -> str:
    """One line without a bar."""
    share = 100 if not size else min(100, position * 100 // size)
    return f"replay: {share:3} %, {messages} messages"
