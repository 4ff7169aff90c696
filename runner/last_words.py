"""How do the last words of a process get to descriptor 2 without ever waiting for a reader?"""

from __future__ import annotations

import os
import select

CHUNK_BYTES = 512
"""What a pipe takes whole whenever it says that it is writable, on every system (POSIX's smallest PIPE_BUF)."""

PATIENCE = 0.2
"""Seconds to wait for a reader that is behind; the host reads these pipes only when the process is dead."""


def say_last_words(text: str) -> None:
    """Write to standard error as far as there is room; whoever reads it may be gone or may only come later."""
    data = text.encode("utf-8", "backslashreplace")
    for start in range(0, len(data), CHUNK_BYTES):
        try:
            if not select.select([], [2], [], PATIENCE)[1]:
                return
            os.write(2, data[start : start + CHUNK_BYTES])
        except (OSError, ValueError):
            return  # a plugin may have closed it
