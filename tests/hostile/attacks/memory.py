"""How much memory can a plugin take, of its own, of its children, of files, of the kernel?

Each has a bound of its own, far below what would hurt a machine that others use: an attack that reaches it was not held.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import time
from pathlib import Path

from .kernel_calls import LIBC, call
from .row import Bounded, Stage, attack

MIB = 1 << 20
MEMORY, SHARES = 640 * MIB, 4
HOLD = 2.5
"""Seconds for which memory is held: the host looks once a second."""


def _fill(size: int) -> mmap.mmap:
    """So much memory, all of it there."""
    memory = mmap.mmap(-1, size)
    for at in range(0, size, 4096):
        memory[at] = 1
    return memory


def hold(stage: Stage) -> None:
    if stage["profile"] != "plain":  # nobody looks there
        time.sleep(HOLD)


@attack(
    "R",
    "L",
    "L",
    "L",
    "what is resident is looked at, and in a control group the kernel watches",
    fresh=True,
    dies=True,
    seconds=20,
)
def take_memory(stage: Stage) -> str:
    """Much of it, at once."""
    try:
        memory = _fill(MEMORY)
    except (MemoryError, OSError) as error:
        raise Bounded(str(error)) from None
    hold(stage)
    memory.close()
    return f"{MEMORY // MIB} MiB"


@attack("R", "R", "-", "-", "no child can be made", fresh=True, dies=True, seconds=20)
def take_memory_with_children(stage: Stage) -> str:
    """A little more than its share by each of several processes, none of which is large."""
    children = []
    try:
        for _ in range(SHARES):
            child = os.fork()
            if not child:
                _fill(MEMORY // SHARES)
                time.sleep(60)
                os._exit(0)
            children.append(child)
        hold(stage)
        alive = [child for child in children if os.waitpid(child, os.WNOHANG)[0] == 0]
    finally:
        for child in children:
            try:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            except OSError:
                pass
    if len(alive) < SHARES:
        raise Bounded(f"{len(alive)} of {SHARES} are left")
    return f"{MEMORY // MIB} MiB over {SHARES} children"


@attack("R", "R", "-", "-", "there are no anonymous files", fresh=True, dies=True, seconds=20)
def take_memory_by_file(stage: Stage) -> str:
    """Memory that is nobody's: not resident, not address space."""
    made = call("memfd_create", b"innocent", 0)
    try:
        write_much(made, MEMORY)
        hold(stage)
    finally:
        os.close(made)
    return f"{MEMORY // MIB} MiB in a file without a name"


def write_much(descriptor: int, size: int) -> None:
    block = bytes(4 * MIB)
    written = 0
    while written < size:
        try:
            written += os.write(descriptor, block)
        except OSError as error:
            if written:
                raise Bounded(f"{written // MIB} MiB, then: {error}") from None
            raise


@attack(
    "R",
    "R",
    "-",
    "L",
    "Landlock; the sandbox's own is a file system of a certain size",
    dies=True,
    seconds=20,
)
def take_memory_by_shared_file(stage: Stage) -> str:
    """The same by a file in /dev/shm."""
    path = Path("/dev/shm", f"{stage['nonce']}-much")
    made = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        write_much(made, MEMORY)
    finally:
        os.close(made)
        path.unlink()
    return f"{MEMORY // MIB} MiB"


@attack(
    "R",
    "L",
    "L",
    "L",
    "threads of the shard share its memory, and shared pages are counted too",
    fresh=True,
    dies=True,
    seconds=20,
)
def take_memory_in_shared_pages(stage: Stage) -> str:
    """Anonymous memory that is shared, and so counted as a file's."""
    try:
        memory = mmap.mmap(-1, MEMORY, flags=mmap.MAP_SHARED)
        for at in range(0, MEMORY, 4096):
            memory[at] = 1
    except (MemoryError, OSError) as error:
        raise Bounded(str(error)) from None
    hold(stage)
    memory.close()
    return f"{MEMORY // MIB} MiB"


@attack("R", "R/L", "L", "L", "as many as there may be descriptors", fresh=True)
def take_memory_in_pipes(stage: Stage) -> str:
    """Memory of the kernel's own, which no limit of a process counts."""
    made: list[int] = []
    size = 0
    met = ""
    try:
        while size < 128 * MIB:
            receive, send = os.pipe()
            made += [receive, send]
            os.set_blocking(send, False)
            LIBC.fcntl(send, ctypes.c_int(1031), ctypes.c_int(MIB))
            try:
                while True:
                    size += os.write(send, bytes(65536))
            except BlockingIOError:
                continue
    except OSError as error:
        met = str(error)
    finally:
        for each in made:
            os.close(each)
    if met:
        raise Bounded(f"{size // MIB} MiB in pipes, then: {met}")
    return f"{size // MIB} MiB in {len(made) // 2} pipes"
