"""What stands in the audit record of a state directory? Loads no event loop, and needs no running host."""

from __future__ import annotations

import json
import os
import time
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
    for path in audit_files(state_dir):
        yield from _read(path)


def follow_audit(state_dir: Path, wait: Callable[[float], None] = time.sleep) -> Iterator[Entry | None]:
    """Every line, as ``read_audit``, then ``None`` once, then every line that is written; without an end.

    The files may rotate, be missing, and come.
    """
    path = state_dir / AUDIT_FILE
    for older in audit_files(state_dir):
        if older != path:
            yield from _read(older)
    file = _opened(path)
    try:
        if file is not None:
            yield from _entries(file)
        yield None
        while True:
            if file is not None and _is_current(file, path):
                wait(POLL)
                yield from _entries(file)
                continue
            if file is not None:
                yield from _entries(file)  # what came between the last look and the change
                file.close()
            file = _opened(path)
            if file is None:
                wait(POLL)
            else:
                yield from _entries(file)
    finally:
        if file is not None:
            file.close()


def _read(path: Path) -> Iterator[Entry]:
    file = _opened(path)
    if file is not None:  # else it was rotated away meanwhile
        with file:
            yield from _entries(file)


def _opened(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None


def _is_current(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


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
