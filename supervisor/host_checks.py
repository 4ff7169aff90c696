"""Is this process one in which runners can be supervised?"""

from __future__ import annotations

import ctypes
import signal
import sys

from .errors import UsageError

_IGNORE = 1
"""SIG_IGN as a handler's address."""
_NO_CHILD_WAIT = 2
"""SA_NOCLDWAIT of Linux."""


class _SignalAction(ctypes.Structure):
    """``struct sigaction`` as glibc and musl have it on Linux, with room behind it for one that is larger."""

    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_byte * 128),
        ("flags", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def check_host() -> None:
    """Refuse a process that would never learn how its children ended, or that a dead one's socket would end.

    Raises:
        UsageError: It ignores SIGCHLD, or has asked the kernel in another way to take dead children away; or SIGPIPE would
            end it.
    """
    if signal.getsignal(signal.SIGPIPE) is signal.SIG_DFL:
        raise UsageError(
            "SIGPIPE would end this process when a runner dies while it is written to; leave it ignored, as Python sets"
            " it at its start: signal.signal(signal.SIGPIPE, signal.SIG_IGN)"
        )
    handler, flags = _child_action()
    if handler == _IGNORE:
        how, remedy = "ignores SIGCHLD", "call signal.signal(signal.SIGCHLD, signal.SIG_DFL)"
    elif flags & _NO_CHILD_WAIT:
        how, remedy = "handles SIGCHLD with SA_NOCLDWAIT", "set its handler without that flag"
    else:
        return
    raise UsageError(
        f"this process {how}: the kernel takes its dead children away by itself, and nobody learns how a runner ended;"
        f" {remedy} before the supervisor is opened"
    )


def expect_children() -> None:
    """Undo what this process may have inherited: a shell or a script that ignores SIGCHLD hands that on to what it starts."""
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _child_action() -> tuple[int, int]:
    """The address of the handler of SIGCHLD, and its flags. The kernel's word: code in C leaves no trace in ``signal``."""
    is_ignored = signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN
    if sys.platform == "linux":
        action = _SignalAction()
        try:
            failed = ctypes.CDLL(None).sigaction(int(signal.SIGCHLD), None, ctypes.byref(action))
        except (OSError, AttributeError):
            failed = -1  # a static program
        if failed == 0:
            return int(action.handler or 0), int(action.flags)
    return (_IGNORE if is_ignored else 0), 0
