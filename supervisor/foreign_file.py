"""How is a file read that a plugin or a browser may have put there, so that it can neither stop the host nor fill it?

Either owns its directory. A pipe in the place of a file would keep whoever opens it waiting for ever, and a file without an
end would be read without an end.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from pathlib import Path

MAX_BYTES = 4 * 1024 * 1024
"""Of a manifest or a configuration: both are read in the host's loop."""


def read_foreign(path: Path, most: int = MAX_BYTES) -> bytes:
    """The whole file.

    Raises:
        OSError: It cannot be read, is no regular file, or is larger than ``most``.
    """
    with _open_regular(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it has more than {most} bytes", str(path))
    return data


def read_foreign_end(path: Path, most: int) -> bytes:
    """The last bytes of a file, ``most`` of them at most.

    Raises:
        OSError: It cannot be read, or is no regular file.
    """
    with _open_regular(path) as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - most))
        return file.read(most)


@contextlib.contextmanager
def _open_regular(path: Path) -> Iterator[BufferedReader]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        with open(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)
