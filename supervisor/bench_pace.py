"""How are many moments awaited, each to some tens of microseconds?

The loop's own timers are rounded up to a millisecond, which is longer than a call takes. On Linux a timer of the kernel
wakes the loop as a descriptor that becomes readable.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Iterator

_MONOTONIC = 1
_NONBLOCK, _CLOEXEC = 0o4000, 0o2000000
_ABSOLUTE = 1
_BILLION = 1_000_000_000


class _Moment(ctypes.Structure):
    """``struct timespec``."""

    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Setting(ctypes.Structure):
    """``struct itimerspec``."""

    _fields_ = (("interval", _Moment), ("value", _Moment))


class Pace:
    """Waits for moments of ``time.perf_counter()``.

    Args:
        descriptor: A timer of the kernel; None where there is none, and waiting is coarse.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    @property
    def is_fine(self) -> bool:
        """It is right to some tens of microseconds, and not to a millisecond or two."""
        return self._descriptor is not None

    async def wait_until(self, moment: float) -> bool:
        """Return at that moment; False, and no checkpoint, when it is over already."""
        left = moment - time.perf_counter()
        if left <= 0:
            return False
        if self._descriptor is None:
            await trio.sleep(left)
            return True
        _arm(self._descriptor, moment)
        await trio.lowlevel.wait_readable(self._descriptor)
        os.read(self._descriptor, 8)
        return True


@contextmanager
def open_pace() -> Iterator[Pace]:
    """As fine as this system can be."""
    descriptor = _open_timer()
    try:
        yield Pace(descriptor)
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _open_timer() -> int | None:
    if sys.platform != "linux":  # elsewhere `perf_counter` is another clock, too
        return None
    try:
        descriptor: int = ctypes.CDLL(None, use_errno=True).timerfd_create(_MONOTONIC, _NONBLOCK | _CLOEXEC)
    except (OSError, AttributeError):
        return None  # a static program
    return descriptor if descriptor >= 0 else None


def _arm(descriptor: int, moment: float) -> None:
    seconds, nanoseconds = divmod(int(moment * _BILLION), _BILLION)
    setting = _Setting(_Moment(0, 0), _Moment(seconds, nanoseconds))
    if ctypes.CDLL(None).timerfd_settime(descriptor, _ABSOLUTE, ctypes.byref(setting), None):
        raise OSError("a timer of the kernel cannot be set")
