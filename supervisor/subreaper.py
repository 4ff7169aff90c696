"""Who becomes the parent of a process whose parent has ended: init, or this process?

With the flag of ``prctl(PR_SET_CHILD_SUBREAPER)`` it is this process, so that a daemon of a plugin, which has left its
runner's group and session, can still be found. The flag is the process's, is not inherited, and exists on Linux only.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SET_CHILD_SUBREAPER = 36
_GET_CHILD_SUBREAPER = 37

_holders = 0
"""Blocks that want the flag now. The flag is one for the whole process, and two hosts in it must not undo each other's."""

_was_set = False
"""Whether it was set before the first of them."""


@contextmanager
def be_subreaper() -> Iterator[None]:
    """Adopt orphans for as long as the block runs; afterwards it is as it was before.

    Raises:
        OSError: This system does not know that, or does not allow it.
    """
    global _holders, _was_set
    if not _holders:
        _was_set = is_subreaper()
    _set(1)
    _holders += 1
    try:
        yield
    finally:
        _holders -= 1
        if not _holders and not _was_set:
            _set(0)


def is_subreaper() -> bool:
    """Whether orphans come here now.

    Raises:
        OSError: This system does not know that.
    """
    value = ctypes.c_int(0)
    _prctl(_GET_CHILD_SUBREAPER, ctypes.byref(value))
    return bool(value.value)


def _set(value: int) -> None:
    _prctl(_SET_CHILD_SUBREAPER, ctypes.c_ulong(value))


def _prctl(option: int, argument: object) -> None:
    if sys.platform != "linux":
        raise OSError(0, "only Linux has it")
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    if libc.prctl(ctypes.c_int(option), argument, zero, zero, zero) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
