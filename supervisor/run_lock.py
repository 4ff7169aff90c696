"""Who owns a state directory: one host at a time, decided by the kernel.

A file with a pid in it would have to be believed after a crash; the kernel lets go of a lock when its holder dies. The
file stays when the lock is gone, because a second host could else lock a file that the first has just removed.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .errors import UsageError
from .state_directory import RUN_LOCK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def hold_run_lock(state_dir: Path) -> Iterator[None]:
    """Own an existing state directory for as long as the block runs.

    Raises:
        UsageError: Another process owns it (the message names its pid), or it cannot be written to.
    """
    try:
        descriptor = os.open(state_dir / RUN_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(f"the state directory {state_dir} cannot be used: {error.strerror}") from None
    try:
        _lock(descriptor, state_dir)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        try:
            yield
        finally:
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, state_dir: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # The holder writes its pid right after it has the lock: the file may be empty for a moment.
        pid = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
        raise UsageError(
            f"the state directory {state_dir} is in use by pid {pid}; stop that process or choose another state_dir"
        ) from None
    except OSError as error:
        raise UsageError(f"the state directory {state_dir} cannot be locked: {error.strerror}") from None
