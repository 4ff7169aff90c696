"""How much do some directories hold, whoever fills them and however they are filled?

What fills them may be hostile, and knows that it is measured. So nothing is followed: each directory is opened below the one that
it was found in, as a directory and never through a link, and one on another file system is left alone. A file with several names
counts once, one with holes as much as it takes. The work is bounded: it ends where a limit is passed, and a nest of directories
deeper than any real one is an answer by itself, as is one that may not be read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from .wear import DiskUse

if TYPE_CHECKING:
    from collections.abc import Iterable

BLOCK = 512
"""Bytes in the unit of ``st_blocks``, whatever the file system has for one."""

DEEPEST = 64
"""Directories below each other. Each takes a descriptor while those in it are looked at."""

OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

TURN = 256
"""Entries between two moments at which whoever measures may be stopped."""


class _Obstacle(Exception):
    """It cannot be measured; the reason is the text."""


class _Enough(Exception):
    """A limit is passed."""


@attrs.define
class _Count:
    most_bytes: int
    most_files: int
    go_on: Callable[[], object]
    seen: set[tuple[int, int]] = attrs.field(factory=set)
    """Files with several names that were counted."""
    bytes: int = 0
    files: int = 0

    def add(self, found: os.stat_result) -> None:
        if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
            key = found.st_dev, found.st_ino
            if key in self.seen:
                return
            self.seen.add(key)
        self.bytes += found.st_blocks * BLOCK
        self.files += 1
        if (self.most_bytes and self.bytes > self.most_bytes) or (
            self.most_files and self.files > self.most_files
        ):
            raise _Enough


def measure_disk(
    directories: Iterable[str],
    *,
    most_bytes: int = 0,
    most_files: int = 0,
    go_on: Callable[[], object] = lambda: None,
) -> DiskUse:
    """Measure; blocks for some microseconds for each file.

    Args:
        directories: Those that are not there hold nothing. What is named twice, or lies within another, is to be left out.
        most_bytes, most_files: It ends when there are more; 0 is no limit.
        go_on: Called now and then; what it raises is passed on.

    Raises:
        OSError: The system cannot, for now: no descriptors are left, or the disk fails.
    """
    count = _Count(most_bytes, most_files, go_on)
    largest, most, obstacle = "", -1, ""
    for directory in directories:
        before = count.bytes if most_bytes else count.files
        is_enough = False
        try:
            _measure(directory, count)
        except _Enough:
            is_enough = True
        except _Obstacle as error:
            obstacle = str(error)
        held = (count.bytes if most_bytes else count.files) - before
        if held > most:
            largest, most = directory, held
        if is_enough or obstacle:
            break
    return DiskUse(bytes=count.bytes, files=count.files, largest=largest, obstacle=obstacle)


def _measure(directory: str, count: _Count) -> None:
    try:
        descriptor = os.open(directory, OPEN)
    except FileNotFoundError:
        return
    except (PermissionError, NotADirectoryError) as error:
        raise _Obstacle(f"{directory}: {error.strerror}") from None
    try:
        _measure_open(descriptor, directory, os.fstat(descriptor).st_dev, DEEPEST, count)
    finally:
        os.close(descriptor)


def _measure_open(descriptor: int, path: str, device: int, deeper: int, count: _Count) -> None:
    """What is not a directory first: then no more is open than the nest is deep."""
    below = []
    with os.scandir(descriptor) as entries:
        for entry in entries:
            if count.files % TURN == 0:
                count.go_on()
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # removed meanwhile
            if found.st_dev == device:
                count.add(found)
                if stat.S_ISDIR(found.st_mode):
                    below.append(entry.name)
    if below and not deeper:
        raise _Obstacle(f"{path}: more than {DEEPEST} directories below each other")
    for name in below:
        _measure_below(descriptor, name, f"{path}/{name}", device, deeper - 1, count)


def _measure_below(parent: int, name: str, path: str, device: int, deeper: int, count: _Count) -> None:
    try:
        descriptor = os.open(name, OPEN, dir_fd=parent)
    except (FileNotFoundError, NotADirectoryError):
        return  # something else stands there now
    except PermissionError as error:
        raise _Obstacle(f"{path}: {error.strerror}") from None
    try:
        if os.fstat(descriptor).st_dev == device:
            _measure_open(descriptor, path, device, deeper, count)
    finally:
        os.close(descriptor)
