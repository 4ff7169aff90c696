"""What stands in the audit record of a state directory? Loads no event loop, and needs no running host."""

from __future__ import annotations

import json
import os
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, BinaryIO

from .state_directory import AUDIT_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

POLL = 0.3
"""Seconds between two looks at a file that is followed."""

MAX_LINE_BYTES = 64 * 1024
"""No line of ours is longer; another one is shown as damaged, not collected."""

Entry = dict[str, Any]


def audit_files(state_dir: Path) -> list[Path]:
    """The files of the record, the oldest first."""
    name = str(AUDIT_FILE)
    numbers = sorted(
        (int(path.suffix[1:]) for path in state_dir.glob(f"{name}.*") if path.suffix[1:].isdecimal()),
        reverse=True,
    )
    paths = [state_dir / f"{name}.{number}" for number in numbers]
    return [path for path in (*paths, state_dir / name) if path.is_file()]


def read_audit(state_dir: Path) -> Iterator[Entry]:
    """Every line, the oldest first. One that is no line of ours becomes an entry of the kind ``damaged``."""
    with ExitStack() as stack:
        for file in _open_all(state_dir, stack):
            yield from _entries(file)


def follow_audit(state_dir: Path, wait: Callable[[float], None] = time.sleep) -> Iterator[Entry | None]:
    """Every line, as ``read_audit``, then ``None`` once, then every line that is written; without an end.

    The files may rotate, several at once, be missing, and come.
    """
    path = state_dir / AUDIT_FILE
    last: BinaryIO | None = None
    is_old = True
    with ExitStack() as held:  # what is open since the last rotation
        while True:
            if last is not None:
                yield from _entries(last)  # what came between the last look and the rotation
            with ExitStack() as stack:
                files = _open_all(state_dir, stack)
                newer = files if last is None else _behind(last, files)
                for file in newer:
                    yield from _entries(file)
                if newer:
                    last = newer[-1]
                    held.close()
                    held.push(stack.pop_all())
            if is_old:
                is_old = False
                yield None
            wait(POLL)
            while last is not None and _is_current(last, path):
                yield from _entries(last)
                wait(POLL)


def _open_all(state_dir: Path, stack: ExitStack) -> list[BinaryIO]:
    """The files, the oldest first, as they were at one moment: a rotation meanwhile begins it anew."""
    path = state_dir / AUDIT_FILE
    while True:
        before = _stat(path)
        with ExitStack() as opened:
            files = [file for each in audit_files(state_dir) if (file := _opened(each)) is not None]
            for file in files:
                opened.enter_context(file)
            is_whole = (
                _stat(path) is None
                if before is None
                else bool(files) and _is_current(files[-1], path) and _is_same_as(files[-1], before)
            )
            if is_whole:
                stack.push(opened.pop_all())
                return files


def _behind(last: BinaryIO, files: list[BinaryIO]) -> list[BinaryIO]:
    """The files that are newer than one; all of them when it is not there any more."""
    places = [place for place, file in enumerate(files) if _is_same(file, last)]
    return files[places[0] + 1 :] if places else files


def _is_same(one: BinaryIO, other: BinaryIO) -> bool:
    return _is_same_as(one, os.fstat(other.fileno()))


def _is_same_as(file: BinaryIO, found: os.stat_result) -> bool:
    return os.path.samestat(os.fstat(file.fileno()), found)


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _opened(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None


def _is_current(file: BinaryIO, path: Path) -> bool:
    found = _stat(path)
    return found is not None and _is_same_as(file, found)


def _entries(file: BinaryIO) -> Iterator[Entry]:
    """From where the file stands to its last whole line."""
    while line := file.readline(MAX_LINE_BYTES):
        if not line.endswith(b"\n") and len(line) < MAX_LINE_BYTES:
            file.seek(-len(line), os.SEEK_CUR)  # it is being written
            return
        yield _entry(line)


def _entry(line: bytes) -> Entry:
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if isinstance(entry, dict) and isinstance(entry.get("what"), str):
        return entry
    text = line.decode("utf-8", "backslashreplace").strip()
    return {"time": None, "what": "damaged", "shard": "", "plugin": "", "reason": text[:500]}
