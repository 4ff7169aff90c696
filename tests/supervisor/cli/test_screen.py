"""Lines reach the terminal whole, and a terminal that is stopped stops nobody."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator

import pytest

from rookery.supervisor.cli import screen as screen_file
from rookery.supervisor.cli.screen import MAX_WAITING, Screen


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_lines_arrive_in_order(pipe: tuple[int, int]) -> None:
    """Everything that was said is out when the screen is closed."""
    screen = Screen(pipe[1], colour=False, over_prompt=False)

    for number in range(3):
        screen.show(f"line {number}")
    screen.close()

    assert os.read(pipe[0], 1000) == b"line 0\nline 1\nline 2\n"


def test_a_line_over_a_prompt_clears_it_first(pipe: tuple[int, int]) -> None:
    """Half a typed line does not stand before ours."""
    screen = Screen(pipe[1], colour=True, over_prompt=True)

    screen.show("hello")
    screen.show("careful", logging.WARNING)
    screen.close()

    assert os.read(pipe[0], 1000) == b"\r\x1b[Khello\n\r\x1b[K\x1b[33mcareful\x1b[0m\n"


def test_a_text_cannot_steer_the_terminal(pipe: tuple[int, int]) -> None:
    """Control characters of a plugin are shown, not obeyed; a lone surrogate is no crash."""
    screen = Screen(pipe[1], colour=False, over_prompt=False)

    screen.show("a\x1b[2Jb\nc\rd\ud800")
    screen.close()

    assert os.read(pipe[0], 1000) == b"a\\x1b[2Jb\\nc\\rd\\ud800\n"


def test_a_stopped_terminal_stops_nobody(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A full pipe makes neither a line nor the end wait; what was dropped is counted once it moves again."""
    monkeypatch.setattr(screen_file, "CLOSE_GRACE", 0.02)
    screen = Screen(pipe[1], colour=False, over_prompt=False)
    begun = time.monotonic()

    for _ in range(MAX_WAITING + 70):
        screen.show("x" * 1000)
    screen.close()
    took = time.monotonic() - begun
    got = b""
    monkeypatch.setattr(screen_file, "CLOSE_GRACE", 5.0)
    while b"were not shown" not in got:
        got += os.read(pipe[0], 1 << 16)
    screen.close()

    assert took < 2
    assert got.count(b"x\n") + int(got.rpartition(b"(")[2].split()[0]) == MAX_WAITING + 70


def test_a_terminal_that_is_gone_is_no_error() -> None:
    """The window was closed: the host goes on."""
    ours, theirs = os.pipe()
    os.close(ours)
    screen = Screen(theirs, colour=False, over_prompt=False)

    screen.show("anybody?")
    screen.close()

    os.close(theirs)
