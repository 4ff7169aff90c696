"""What does the kernel say about a process: its state, its size, its signals, its children, what it was started with?

Read from ``/proc``; where there is none, nothing is known. The caller sees to it that the number still means the process.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import attrs

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
"""In a second."""
_AT_ONCE = 4096


@attrs.frozen(kw_only=True)
class ProcessLook:
    """A process at one moment."""

    state: str = ""
    """R runs · S sleeps · T stopped by a signal · t stopped by a tracer · D in the kernel · Z dead; "" unknown."""
    is_traced: bool = False
    """A debugger is attached."""
    rss: int = 0
    """Resident memory in bytes; 0 unknown."""


UNKNOWN = ProcessLook()


def glance_at(pid: int) -> ProcessLook:
    """As ``look_at``, but for the tracer; takes 10 microseconds."""
    fields = stat_fields(pid)
    if fields is None:
        return UNKNOWN
    return ProcessLook(state=fields[0], rss=int(fields[21]) * _PAGE)


def look_at(pid: int) -> ProcessLook:
    """Look; takes some 50 microseconds."""
    seen = glance_at(pid)
    # Only a process that does not run can be held by a tracer, and asking costs a second file.
    is_traced = seen.state in ("t", "T", "S", "D") and _status_number(pid, "TracerPid", 10) > 0
    return attrs.evolve(seen, is_traced=True) if is_traced else seen


def stat_fields(pid: int) -> list[str] | None:
    """The fields of ``/proc/PID/stat`` behind the name, the state first; None when there is no such process."""
    try:
        data = _read(f"/proc/{pid}/stat")
    except OSError:
        return None
    # The name is in parentheses and may hold spaces and parentheses itself: split after the last one.
    return data.rpartition(b")")[2].decode("utf-8", "replace").split()


def _read(path: str) -> bytes:
    """The whole of a file, without the objects of one: in a host where nothing happens this is most of what happens.

    Raises:
        OSError: It cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        found = os.read(descriptor, _AT_ONCE)
        while more := os.read(descriptor, _AT_ONCE):
            found += more
        return found
    finally:
        os.close(descriptor)


def start_time(pid: int) -> int | None:
    """When the process started, in ticks since boot: with its number it means one process for ever."""
    fields = stat_fields(pid)
    return int(fields[19]) if fields is not None else None


def ticks_since_boot() -> int | None:
    """The tick in which a process would start now, as ``start_time`` gives it; None where there is no such clock."""
    if sys.platform != "linux":
        return None
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) * _TICKS // 1_000_000_000


def children_of(pid: int) -> list[int]:
    """The processes that have it for a parent, dead ones that were not reaped among them.

    The kernel lists them by the thread that they belong to, and may miss some while others end: ask again later.
    """
    tasks = f"/proc/{pid}/task"
    try:
        if not os.path.exists(f"{tasks}/{pid}/children"):  # a kernel built without that list
            return _children_by_parent(pid) if os.path.exists(tasks) else []
        return [int(child) for thread in os.listdir(tasks) for child in _children_of_thread(tasks, thread)]
    except OSError:
        return []


def started_with(pid: int, name: str) -> str:
    """A variable of the environment that its program was started with; "" when it has none, or it cannot be read."""
    wanted = f"{name}=".encode()
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return ""
    for line in environment.split(b"\0"):
        if line.startswith(wanted):
            return line[len(wanted) :].decode("utf-8", "replace")
    return ""


def _children_of_thread(tasks: str, thread: str) -> list[str]:
    try:
        return _read(f"{tasks}/{thread}/children").decode("ascii").split()
    except (FileNotFoundError, ProcessLookupError):
        return []  # the thread has ended


def _children_by_parent(pid: int) -> list[int]:
    found = []
    for each in all_processes():
        fields = stat_fields(each)
        if fields is not None and int(fields[1]) == pid:
            found.append(each)
    return found


def all_processes() -> list[int]:
    """Every process of the machine, or of the container; empty where there is no ``/proc``."""
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def catches(pid: int, number: int) -> bool:
    """Whether the process has a handler for a signal; False when that is not known. Without one a signal may end it."""
    return bool(_status_number(pid, "SigCgt", 16) >> (number - 1) & 1)


def number_inside(pid: int) -> int:
    """What a process in a namespace of its own calls itself; its number here where it is in none, 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("NSpid:"):
                    return int(line.split()[-1])
    except (OSError, ValueError):
        pass
    return 0


def _status_number(pid: int, name: str, base: int) -> int:
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith(name):
                    return int(line.partition(":")[2].strip(), base)
    except (OSError, ValueError):
        pass
    return 0
