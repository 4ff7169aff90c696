"""Progress is a bar, a line, or nearly nothing, as the stream can show it; lines beside it stay whole."""

from __future__ import annotations

import io
import logging
import sys

import pytest

from rookery.supervisor.cli import progress as progress_file
from rookery.supervisor.cli.progress import open_progress, progress_text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_no_bar() -> None:
    """A short replay writes nothing of its own into a file."""
    stream = io.StringIO()

    with open_progress(stream) as progress:
        progress.move(1, 2, 3)
        progress.show("a line", logging.WARNING)

    assert stream.getvalue() == "a line\n"


def test_a_terminal_that_others_write_to_gets_no_bar() -> None:
    """Replies on the same terminal would tear it."""
    stream = Terminal()

    with open_progress(stream, alone=False) as progress:
        progress.move(1, 2, 3)

    assert stream.getvalue() == ""


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long replay says that it lives."""
    monkeypatch.setattr(progress_file, "LOG_SECONDS", 0.0)
    stream = io.StringIO()

    with open_progress(stream) as progress:
        progress.move(1, 2, 3)

    assert stream.getvalue() == "replay:  50 %, 3 messages\n"


def test_a_terminal_without_rich_gets_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is written over; what is told stands above it."""
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()

    with open_progress(stream) as progress:
        progress.move(1, 2, 3)
        progress.show("a line", logging.WARNING)
        progress.move(2, 2, 6)

    lines = [text.rpartition("\r\x1b[K")[2] for text in stream.getvalue().split("\n")]
    assert lines == ["a line", "replay: 100 %, 6 messages", ""]


@pytest.mark.slow
def test_a_terminal_with_rich_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Percent and count move; a line with brackets is printed as it is."""
    pytest.importorskip("rich")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()

    with open_progress(stream) as progress:
        progress.move(1, 2, 3)
        progress.show("an [odd] line", logging.WARNING)
        progress.move(2, 2, 6)

    shown = stream.getvalue()
    assert "50%" in shown
    assert "6 messages" in shown
    assert "an [odd] line" in shown


@pytest.mark.parametrize(("position", "size", "share"), [(0, 0, 100), (0, 10, 0), (5, 10, 50), (12, 10, 100)])
def test_the_share_is_between_nothing_and_all(position: int, size: int, share: int) -> None:
    """An empty file is done; one that grew is not more than done."""
    assert progress_text(position, size, 0) == f"replay: {share:3} %, 0 messages"
