"""How does a runner end when its host dies, even while a plugin holds the interpreter lock?

The host keeps the write end of a pipe that nothing is ever written to. On Linux the kernel itself kills this process
group when that end closes: measured at two milliseconds, stopped or busy. Everywhere a thread waits for the end of file
too, which works as long as the interpreter still switches threads.

The thread is not for other systems only. A file that somebody waits for is not let go of: a plugin that closes every
descriptor (a home-made daemon does) disarms the kernel, and with the thread there it does not. It waits in a ``read``,
which goes by the file, where ``select`` would look for the number again. It costs no wake-up.

A host that dies before the pipe is armed is seen by looking once after arming: the end of a pipe stays, unlike the
signal. Comparing the parent's process id was the rival: it needs the number told, and an adopted process has a parent
as well.
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
    tie_to_host(fd)
    threading.Thread(target=_watch, args=(fd,), name="lifeline", daemon=True).start()


def tie_to_host(fd: int) -> None:
    """As ``arm_lifeline``, by the kernel alone: for a process that must have no second thread."""
    os.set_inheritable(fd, False)
    _ask_kernel(fd)
    if select.select([fd], [], [], 0)[0]:  # closed before the kernel was asked, so nothing would tell us
        leave_at_once(HOST_LOST)


def _ask_kernel(fd: int) -> None:
    """Where there is no such kernel, or it refuses, the thread is what there is."""
    if sys.platform != "linux":
        return
    # The group, so that children of plugins go too; only as its leader, or we would shoot our starter.
    owner = -os.getpgrp() if os.getpgrp() == os.getpid() else os.getpid()
    try:
        fcntl.fcntl(fd, fcntl.F_SETOWN, owner)
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)
    except OSError:
        pass


def _watch(fd: int) -> None:
    os.read(fd, 1)  # nobody ever writes: it returns at the end
    leave_at_once(HOST_LOST)
