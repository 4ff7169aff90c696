"""How does a runner step back behind its host, before a plugin runs in it?

It gains no privilege by what it starts, is ended first when memory is short, and what it writes is for its own user. A host cannot
see to this from outside, and a runner that is forked has nothing before it that could. Limits and niceness come from the host.
Each is only ever lowered: a runner that was confined has it all already, and may not ask again.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys

OOM_SCORE = 500
"""Of -1000 to 1000; a host has 0 as a rule."""

UMASK = 0o077

_SET_NO_NEW_PRIVS = 38


def step_back() -> None:
    """Do all of it; what this system does not know, or does not allow, is left out. Takes some 50 microseconds."""
    os.umask(UMASK)
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, ValueError):
        _raise_oom_score()
    ctypes.CDLL(None).prctl(_SET_NO_NEW_PRIVS, *(ctypes.c_ulong(each) for each in (1, 0, 0, 0)))


def _raise_oom_score() -> None:
    descriptor = os.open("/proc/self/oom_score_adj", os.O_RDWR | os.O_CLOEXEC)
    try:
        if int(os.read(descriptor, 16)) < OOM_SCORE:
            os.pwrite(descriptor, str(OOM_SCORE).encode(), 0)
    finally:
        os.close(descriptor)
