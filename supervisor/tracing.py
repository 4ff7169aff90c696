"""Who may look into the memory of this process: every process of its user, or root alone?

A plugin that shares the host's user could trace it, read its memory by ``/proc`` and take its descriptors, keys of services
among all that. A process that says that it leaves no dump cannot be opened like that. It costs the operator a debugger that is
not run by root, and core files; so a program that a host is embedded in is as before when the host has ended.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_GET_DUMPABLE, _SET_DUMPABLE = 3, 4

_holders = 0
"""Hosts in this process that want it. The flag is one for all of them."""
_was_dumpable = 1


@contextmanager
def closed_to_tracers() -> Iterator[None]:
    """Have nobody but root look into this process, for as long as the block runs; afterwards it is as it was before. What it
    starts is not concerned. Nothing where the system does not know that."""
    global _holders, _was_dumpable
    if sys.platform != "linux":
        yield
        return
    if not _holders:
        _was_dumpable = _prctl(_GET_DUMPABLE)
        _prctl(_SET_DUMPABLE, 0)
    _holders += 1
    try:
        yield
    finally:
        _holders -= 1
        if not _holders and _was_dumpable == 1:  # the kernel lets nobody say 2, which means root alone anyway
            _prctl(_SET_DUMPABLE, 1)


def _prctl(option: int, argument: int = 0) -> int:
    result: int = ctypes.CDLL(None).prctl(option, *(ctypes.c_ulong(each) for each in (argument, 0, 0, 0)))
    return result
