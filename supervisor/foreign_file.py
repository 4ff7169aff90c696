"""How is a small file read that a plugin may have put there, so that it can neither stop the host nor fill it?

A plugin owns its directory. A pipe in the place of a file would keep whoever opens it waiting for ever, and a file without an
end would be read without an end.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 4 * 1024 * 1024
"""Of a manifest or a configuration: both are read in the host's loop."""


def read_foreign(path: Path, most: int = MAX_BYTES) -> bytes:
    """The whole file.

    Raises:
        OSError: It cannot be read, is no regular file, or is larger than ``most``.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(most + 1)
    finally:
        os.close(descriptor)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it has more than {most} bytes", str(path))
    return data
