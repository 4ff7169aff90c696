"""Where do the host's own log lines go: all of them to a file that rotates, the ones that matter to the terminal.

Everything that people are told passes through `logging`, lines about runners included, so that the file tells the same
story as the terminal and in the same order.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .errors import UsageError
from .log_file import LogFile
from .state_directory import LOG_FILE, make_state_dir

if TYPE_CHECKING:
    from pathlib import Path

MAX_FILE_BYTES = 10 * 1024 * 1024
KEPT_FILES = 5
"""Besides the current one: sixty megabytes of log at most, a day of a talkative bot."""

SHARD_LOGGERS = ("rookery.plugin.", "rookery.shard.")
"""What shards write is shown by whoever knows their states, not by its level alone."""

SHOWN = {"shown": True}
"""``logger.info(text, extra=SHOWN)``: goes to the terminal although it is no warning."""

Show = Callable[[str, int], None]
"""Prints a line that has a logging level."""


@contextmanager
def open_host_log(
    state_dir: Path, show: Show, *, level: int = logging.INFO, as_json: bool = False
) -> Iterator[LogFile]:
    """Send the process's log to the state directory and to ``show`` for as long as the block runs. Gives the file.

    Args:
        show: Gets the host's warnings, what is worse, and what is marked with ``SHOWN``; from any thread.
        level: What is below it goes nowhere.
        as_json: Write the file as one JSON object a line, for machines.

    Raises:
        UsageError: The directory cannot be made.
    """
    path = state_dir / LOG_FILE
    try:
        make_state_dir(state_dir)
        path.parent.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise UsageError(f"the log file {path} cannot be made: {error.strerror}") from None
    # Opened at the first line: by then this process owns the directory, or the line is that it does not.
    file = LogFile(path, _tell_change(path, show), max_bytes=MAX_FILE_BYTES, kept=KEPT_FILES)
    to_file = _ToFile(file, show)
    to_file.setFormatter(
        JsonLine() if as_json else logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    root, before = logging.getLogger(), logging.getLogger().level
    handlers = (to_file, _ShownLines(show))
    root.setLevel(level)
    for handler in handlers:
        root.addHandler(handler)
    try:
        yield file
    finally:
        root.setLevel(before)
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()
        file.close()


class JsonLine(logging.Formatter):
    """One JSON object a line: when, how grave, who, what."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": round(record.created, 3),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _tell_change(path: Path, show: Show) -> Callable[[str], None]:
    def tell(reason: str) -> None:
        if reason:
            text = (
                f"the log file {path} cannot be written: {reason}; lines wait in memory, and the bot goes on"
            )
            show(text, logging.ERROR)
        else:
            show(f"the log file {path} is written again", logging.WARNING)

    return tell


class _ToFile(logging.StreamHandler[LogFile]):
    """Says once that somebody logs what cannot be formatted, instead of a traceback on the terminal for each line."""

    def __init__(self, file: LogFile, show: Show) -> None:
        super().__init__(file)
        self._show: Show | None = show

    def handleError(self, record: logging.LogRecord) -> None:
        show, self._show = self._show, None
        if show is not None:
            text = f"a line of {record.name} ({record.pathname}:{record.lineno}) cannot be logged: {sys.exception()!r}"
            show(text, logging.ERROR)


class _ShownLines(logging.Handler):
    def __init__(self, show: Show) -> None:
        super().__init__()
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(SHARD_LOGGERS):
            return
        if record.levelno >= logging.WARNING or getattr(record, "shown", False):
            text = one_line(record.getMessage())
            if record.exc_info and record.exc_info[1] is not None:
                text += f" ({one_line(repr(record.exc_info[1]))})"
            self._show(text, record.levelno)


def one_line(text: str) -> str:
    """Of many lines the first and the last: between them is a traceback, and that is in the file."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [""]
    # A traceback ends with the class's full name, and a first line that gives the error has the short one.
    name, colon, rest = lines[-1].partition(": ")
    error = f"{name.rpartition('.')[2]}{colon}{rest}"
    return lines[0] if error in lines[0] else f"{lines[0]} … {lines[-1]}"
