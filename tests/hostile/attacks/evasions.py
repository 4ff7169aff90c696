"""Can a plugin get past a filter that refuses what it wants: by other numbers, other calls, what a filter cannot read?"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import stat
import struct
from pathlib import Path

from .kernel_calls import call, call_number
from .row import Absent, Stage, Stopped, attack

_OLD_SOCKET = bytes.fromhex("53 b8 67010000 bb 01000000 b9 01000000 31d2 cd80 5b c3")
"""In the machine's language: call 359 (`socket`) of the 32-bit kind with AF_UNIX, SOCK_STREAM, 0."""


@attack(
    "R",
    "R",
    "-",
    "-",
    "whoever uses numbers of another kind of program than the filter reads is ended",
    optional=True,
    dies=True,
    fresh=True,
)
def call_as_a_32_bit_program(stage: Stage) -> str:
    """Numbers of system calls mean something else there."""
    if platform.machine() != "x86_64":
        raise Absent("this machine has no such calls")
    number = _call_old()
    if number < 0:
        if stage["profile"] == "plain":
            raise Absent("this kernel has no such calls")
        raise OSError(-number, os.strerror(-number))
    os.close(number)
    return "a socket"


def _call_old() -> int:
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(_OLD_SOCKET)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    return int(ctypes.CFUNCTYPE(ctypes.c_int)(address)())


@attack(
    "-",
    "-",
    "-",
    "-",
    "numbers with the sign of the x32 kind are those of another kind of program: whoever makes such a call is ended",
    dies=True,
    fresh=True,
)
def call_as_an_x32_program(stage: Stage) -> str:
    """The same calls with another sign in their number."""
    if platform.machine() != "x86_64":
        raise Absent("this machine has no such calls")
    os.close(call_number(0x40000000 | 41, 1, 1, 0))
    return "a socket"


@attack("R", "R", "-", "-", "a filter cannot read what the call points to, so there is no such call")
def setuid_by_openat2(stage: Stage) -> str:
    """A mode that no filter sees."""
    path = Path(stage["data"], "innocent-two")
    path.unlink(missing_ok=True)
    how = struct.pack("QQQ", os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o4755, 0)
    try:
        os.close(call("openat2", -100, str(path).encode(), ctypes.create_string_buffer(how), len(how)))
        if not path.stat().st_mode & stat.S_ISUID:
            raise Stopped("without the bit")
        return "a set-uid file"
    finally:
        path.unlink(missing_ok=True)


@attack("R", "R", "-", "-", "the newest of the calls for modes is refused as the others", optional=True)
def setuid_by_fchmodat2(stage: Stage) -> str:
    path = Path(stage["data"], "innocent-three")
    path.touch()
    try:
        call("fchmodat2", -100, str(path).encode(), 0o4755, 0)
        if not path.stat().st_mode & stat.S_ISUID:
            raise Stopped("without the bit")
        return "a set-uid file"
    finally:
        path.unlink(missing_ok=True)
