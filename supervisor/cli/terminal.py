"""What may be written to a terminal: colour where it is wanted, and never what would move the cursor."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping


CLEAR_LINE = "\r\x1b[K"
RESET = "\x1b[0m"
COLOURS = {logging.ERROR: "\x1b[31m", logging.WARNING: "\x1b[33m"}


def wants_colour(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """A terminal gets colour unless its user said NO_COLOR or it cannot show any."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def printable(text: str) -> str:
    """A line must not move the cursor or rename the window, wherever its text came from."""
    return "".join(char if char.isprintable() or char == "\t" else repr(char)[1:-1] for char in text)


def coloured(text: str, level: int) -> str:
    """The text in the colour of a logging level."""
    grade = min(level // 10 * 10, logging.ERROR)
    return f"{COLOURS[grade]}{text}{RESET}" if grade in COLOURS else text
