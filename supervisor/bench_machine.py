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


def machine_seconds() -> float | None:
    """Processor time that everybody on this machine has used up to now; None where it is not told."""
    try:
        text = Path("/proc/stat").read_text("ascii")
        user, nice, system, _, _, irq, soft_irq, steal = map(int, text.split()[1:9])
    except (OSError, ValueError):
        return None
    return (user + nice + system + irq + soft_irq + steal) / os.sysconf("SC_CLK_TCK")


class OthersWatch:
    """Which part of the machine's processors do those use who are not measured?

    Args:
        pids: All processes of ours; they live on.
    """

    def __init__(self, pids: Collection[int]) -> None:
        self._pids = tuple(pids)
        self._since = self._look()
        self._at = time.perf_counter()

    def share(self) -> float | None:
        """From 0 to 1, since this was made; None where it is not known."""
        now = self._look()
        if now is None or self._since is None:
            return None
        seconds = (time.perf_counter() - self._at) * (os.cpu_count() or 1)
        return max(0.0, (now - self._since) / seconds)

    def _look(self) -> float | None:
        everybody, ours = machine_seconds(), cpu_seconds(self._pids)
        return None if everybody is None or ours is None else everybody - ours


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
