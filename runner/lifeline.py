"""How does a runner end when its host dies, even while a plugin holds the interpreter lock?

The host keeps the write end of a pipe that nothing is ever written to. On Linux the kernel itself kills this process
group when that end closes: measured at two milliseconds, stopped or busy. Where the kernel cannot, a thread waits for
the end of file, which works as long as the interpreter still switches threads.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
import threading

from .leave import HOST_LOST, leave_at_once


def arm_lifeline(fd: int) -> None:
    """Tie this process to the pipe's other end. The descriptor is kept open for ever.

    When the other end is closed already the process ends at once.
    """
    os.set_inheritable(fd, False)
    if not _ask_kernel(fd):
        threading.Thread(target=_watch, args=(fd,), name="lifeline", daemon=True).start()
    if select.select([fd], [], [], 0)[0]:  # closed before the kernel was asked, so nothing would tell us
        leave_at_once(HOST_LOST)


def _ask_kernel(fd: int) -> bool:
    if sys.platform != "linux":
        return False
    # The group, so that children of plugins go too; only as its leader, or we would shoot our starter.
    owner = -os.getpgrp() if os.getpgrp() == os.getpid() else os.getpid()
    try:
        fcntl.fcntl(fd, fcntl.F_SETOWN, owner)
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)
    except OSError:
        return False
    return True


def _watch(fd: int) -> None:
    select.select([fd], [], [])
    leave_at_once(HOST_LOST)
