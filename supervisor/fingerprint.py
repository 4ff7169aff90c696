"""Is a plugin still the one that it was: a number that changes with its files."""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MOST_FILES = 500
"""Files that are looked at; a plugin with more is told by these."""


def fingerprint(directory: Path) -> int:
    """A number of the names, sizes and times of a plugin's files; 0 when it cannot be read."""
    found: list[str] = []
    try:
        for place, directories, files in os.walk(directory):
            directories[:] = sorted(name for name in directories if name != "__pycache__")
            for name in sorted(files):
                status = os.stat(os.path.join(place, name))
                found.append(f"{place}/{name} {status.st_size} {status.st_mtime_ns}")
            if len(found) >= MOST_FILES:
                break
    except OSError:
        return 0
    return zlib.crc32("\n".join(found[:MOST_FILES]).encode("utf-8", "surrogateescape")) or 1
