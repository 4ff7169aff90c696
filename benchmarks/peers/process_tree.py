"""Which processes belong to a driver, what processor time do they take, and where may they run? Linux, from /proc."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_PASSES = 20
"""Looks for threads that were started meanwhile; each inherits from one that was moved before or will be."""


def tree_of(pid: int) -> list[int]:
    """The process and all its descendants, parents first."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (parent := _parent(int(name))) is not None:
            children.setdefault(parent, []).append(int(name))
    found = [pid]
    for each in found:  # grows while it is walked
        found += children.get(each, [])
    return found


def _parent(pid: int) -> int | None:
    try:
        # The command's name is in parentheses, and may hold some itself.
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1])


def processor_seconds(pids: Iterable[int]) -> float:
    """User and system time of all their threads, also of those that have ended; nothing for a process that is gone."""
    total = 0.0
    for pid in pids:
        # The kernel's clock of another process: nanoseconds, where /proc/PID/stat has hundredths of a second.
        with contextlib.suppress(OSError):
            total += time.clock_gettime((~pid << 3) | 2)
    return total


def machine_seconds() -> float:
    """Seconds that all processors together were busy for anybody, since the machine was started."""
    user, nice, system, _, _, irq, soft_irq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + soft_irq + steal) / os.sysconf("SC_CLK_TCK")


def move(pids: Iterable[int], cpus: set[int]) -> None:
    """Let every thread of these processes run on these CPUs, and on no others."""
    for pid in pids:
        moved: set[int] = set()
        for _ in range(MAX_PASSES):
            new = _threads(pid) - moved
            for thread in new:
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(thread, cpus)
            if not new:
                break
            moved |= new


def _threads(pid: int) -> set[int]:
    try:
        return {int(name) for name in os.listdir(f"/proc/{pid}/task")}
    except OSError:
        return set()


@contextlib.contextmanager
def held(pids: Iterable[int]) -> Iterator[list[int]]:
    """Descriptors of these processes: they stay theirs, whoever gets the numbers next."""
    with contextlib.ExitStack() as stack:
        descriptors = []
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                descriptors.append(os.pidfd_open(pid))
                stack.callback(os.close, descriptors[-1])
        yield descriptors


def kill(descriptors: Iterable[int]) -> None:
    """End them at once, as far as they still live."""
    for descriptor in descriptors:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
