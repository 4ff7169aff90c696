"""What does the kernel tell about processes that are measured: their time, their memory, their processors?"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_KIB = 1024
_WHOLE_PROCESS = 2
"""CPUCLOCK_SCHED: the clock of a process counts all of its threads."""


@attrs.frozen(kw_only=True)
class Memory:
    """What a process has, in bytes."""

    private: int
    """Nobody else has these pages."""
    share: int
    """With its part of the pages that it has together with others (PSS)."""


def cpu_seconds(pids: Iterable[int]) -> float | None:
    """Processor time that living processes have used up to now, with all their threads; None where it is not told."""
    if sys.platform != "linux":
        return None
    try:
        return sum(time.clock_gettime_ns((~pid << 3) | _WHOLE_PROCESS) for pid in pids) / 1e9
    except OSError:
        return None


def memory_of(pid: int) -> Memory | None:
    """None where the kernel does not tell."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    except OSError:
        return None
    sizes = dict(line.split(":", 1) for line in text.splitlines()[1:])
    kib = {name: int(value.split()[0]) for name, value in sizes.items()}
    private = kib["Private_Clean"] + kib["Private_Dirty"]
    return Memory(private=private * _KIB, share=kib["Pss"] * _KIB)


def allowed_cpus() -> tuple[int, ...]:
    """Those that this process may run on; empty where nobody can choose."""
    if sys.platform != "linux":
        return ()
    return tuple(sorted(os.sched_getaffinity(0)))


def pin(pids: Iterable[int], cpus: Collection[int]) -> None:
    """Hold processes on some processors, with the threads that they have and will have."""
    if sys.platform != "linux":
        return
    for pid in pids:
        for thread in _threads_of(pid):
            try:
                os.sched_setaffinity(thread, cpus)
            except OSError:
                pass  # it has ended


def _threads_of(pid: int) -> list[int]:
    try:
        return [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return []
