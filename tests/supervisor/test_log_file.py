"""A file takes what it can, and nobody waits for it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rookery.supervisor import log_file
from rookery.supervisor.log_file import MAX_WAITING_BYTES, LogFile


class Disk:
    """Writes until it is full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        self._write = os.write
        monkeypatch.setattr(log_file.os, "write", self.write)

    def write(self, descriptor: int, data: bytes) -> int:
        if self.is_full:
            raise OSError(28, "No space left on device")
        return self._write(descriptor, data)


class Changes:
    """What was told of the file, and a way to wait for it."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self._changed = threading.Condition()

    def __call__(self, reason: str) -> None:
        with self._changed:
            self.told.append(reason)
            self._changed.notify_all()

    def wait(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.told) >= count, 10), self.told


@pytest.fixture
def changes() -> Changes:
    return Changes()


@pytest.fixture
def open_file(tmp_path: Path, changes: Changes) -> Iterator[Callable[..., LogFile]]:
    files = []

    def make(max_bytes: int = 10**9, kept: int = 2) -> LogFile:
        files.append(LogFile(tmp_path / "x.log", changes, max_bytes=max_bytes, kept=kept))
        return files[-1]

    yield make
    for file in files:
        file.close()


def wait_written(path: Path, text: str) -> None:
    until = time.monotonic() + 10
    while text not in _content(path):
        assert time.monotonic() < until, f"{text!r} was never written"
        time.sleep(0.001)  # another thread


def _content(path: Path) -> str:
    """Of a file that may be put aside at any moment, by its thread."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def test_lines_are_written_in_order_and_closing_waits_for_them(open_file: Callable[..., LogFile]) -> None:
    """Whatever characters they have."""
    file = open_file()

    for number in range(1000):
        file.write(f"line {number} \udcff\n")
    file.close()

    assert file.path.read_text() == "".join(f"line {number} \\udcff\n" for number in range(1000))
    assert not file.state.degraded


def test_a_full_disk_loses_nothing_that_fits_into_memory(
    open_file: Callable[..., LogFile], changes: Changes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told once, the state says it, and when there is room again everything is there."""
    monkeypatch.setattr(log_file, "RETRY_PERIOD", 0.01)
    disk, file = Disk(monkeypatch), open_file()
    disk.is_full = True

    for number in range(5):
        file.write(f"line {number}\n")
    changes.wait(1)
    full = file.state
    file.write("line 5\n")
    disk.is_full = False
    changes.wait(2)
    file.write("line 6\n")
    file.close()

    assert (full.degraded, full.reason, full.lost) == (True, "No space left on device", 0)
    assert changes.told == ["No space left on device", ""]
    assert file.path.read_text() == "".join(f"line {number}\n" for number in range(7))
    assert (file.state.degraded, file.state.lost) == (False, 0)


def test_what_memory_does_not_hold_is_counted_where_it_is_missing(
    open_file: Callable[..., LogFile], changes: Changes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bounded, and no silent gap."""
    monkeypatch.setattr(log_file, "RETRY_PERIOD", 0.01)
    disk, file = Disk(monkeypatch), open_file()
    disk.is_full = True
    file.write("first\n")
    changes.wait(1)

    line = "x" * (MAX_WAITING_BYTES // 4 - 1) + "\n"
    for _ in range(7):
        file.write(line)
    lost = file.state.lost
    disk.is_full = False
    wait_written(file.path, "are missing here")
    file.write("last\n")
    file.close()

    written = file.path.read_text().splitlines()
    assert lost == 3
    assert [text[:40] for text in written] == [
        "first",
        *["x" * 40] * 4,
        "[3 lines are missing here: the disk did ",
        "last",
    ]


def test_nobody_waits_for_a_disk_that_hangs(
    open_file: Callable[..., LogFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither who writes nor who closes."""
    monkeypatch.setattr(log_file, "CLOSE_GRACE", 0.05)
    hangs, answers = threading.Event(), threading.Event()
    write = os.write

    def slow(descriptor: int, data: bytes) -> int:
        hangs.set()
        answers.wait(10)
        return write(descriptor, data)

    monkeypatch.setattr(log_file.os, "write", slow)
    file = open_file()
    began = time.monotonic()
    file.write("one\n")
    assert hangs.wait(5)
    for _ in range(1000):
        file.write("two\n")
    file.close()
    took = time.monotonic() - began
    answers.set()
    file._thread.join()

    assert took < 2


def test_a_long_file_is_put_aside(open_file: Callable[..., LogFile]) -> None:
    """The youngest of the old ones is number 1; the oldest goes."""
    file = open_file(max_bytes=10)

    for number in range(5):
        file.write(f"line {number}\n")
        wait_written(file.path, f"line {number}\n")
    file.close()

    kept = {path.name: path.read_text() for path in file.path.parent.iterdir()}
    assert kept == {"x.log": "line 4\n", "x.log.1": "line 3\n", "x.log.2": "line 2\n"}


def test_a_file_that_cannot_be_put_aside_grows(
    open_file: Callable[..., LogFile], changes: Changes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is too long is better than none."""

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(log_file.os, "replace", refuse)
    file = open_file(max_bytes=10)

    for number in range(5):
        file.write(f"line {number}\n")
        wait_written(file.path, f"line {number}\n")
    file.close()

    assert changes.told == []


def test_what_is_left_at_the_end_of_a_full_disk_is_counted(
    open_file: Callable[..., LogFile], changes: Changes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing does not wait for room."""
    disk, file = Disk(monkeypatch), open_file()
    disk.is_full = True
    file.write("one\n")
    changes.wait(1)
    file.write("two\n")

    began = time.monotonic()
    file.close()

    assert time.monotonic() - began < 0.9
    assert file.state.lost == 2
