"""Which limits is a fresh child given from outside, before any plugin runs in it?

By ``prlimit`` and ``setpriority`` of its number: ``preexec_fn`` of ``subprocess`` is not safe beside threads. RLIMIT_AS is not
among them: libraries that map a lot and use little would break, and so the size is looked at instead (``family_look.py``).
"""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .limits import ShardLimits

NICENESS = ((100, 5), (75, 7), (50, 9), (25, 12), (10, 15))
"""From which weight on a runner is how nice. Each is nicer than its host, which has to watch it."""
MOST_NICE = 19


def limit(pid: int, limits: ShardLimits | None) -> None:
    """Limit its descriptors, the size of its files, its memory, its core dumps, and for an ordinary user its processes."""
    if not hasattr(resource, "prlimit"):
        return
    try:
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
        if limits is None:
            return
        for kind, most in (
            (resource.RLIMIT_NOFILE, limits.nofile),
            (resource.RLIMIT_FSIZE, largest_file(limits)),
            (resource.RLIMIT_DATA, limits.data),
        ):
            if most:
                _, own = resource.prlimit(pid, kind)
                allowed = most if own == resource.RLIM_INFINITY else min(most, own)
                resource.prlimit(pid, kind, (allowed, allowed))
        processes = processes_for_child(resource.getrlimit(resource.RLIMIT_NPROC)[0])
        if limits.pids and os.getuid() and processes:
            resource.prlimit(pid, resource.RLIMIT_NPROC, (processes, processes))
    except (OSError, ValueError):
        pass  # it is dead already, which its pidfd will say


def largest_file(limits: ShardLimits) -> int:
    """Bytes that one file may have: no more than all of them together may; 0 for no limit."""
    return min((each for each in (limits.file_size, limits.disk) if each), default=0)


def niceness_of(limits: ShardLimits | None) -> int:
    """How nice a runner is, and more so by a low weight: 5 to 19; 0 for a child that is no runner."""
    if limits is None:
        return 0
    return next((nice for least, nice in NICENESS if limits.cpu_weight >= least), MOST_NICE)


def be_nice(pid: int, limits: ShardLimits | None) -> None:
    """Have a fresh child stand back for others. It has one thread yet, and what it starts will be as nice."""
    nice = niceness_of(limits)
    if nice:
        try:
            own = os.getpriority(os.PRIO_PROCESS, 0)
            os.setpriority(os.PRIO_PROCESS, pid, min(MOST_NICE, own + nice))
        except OSError:
            pass  # it is dead already, which its pidfd will say


def processes_for_child(own: int) -> int:
    """Processes of this user up to which a child may make more; 0 for no limit.

    RLIMIT_NPROC counts those of the user on the whole machine, whoever has started them, so ``pids`` would be the wrong
    number for it. A quarter stays with the host, which so can still start runners while a fork bomb goes off. The kernel
    does not hold root to it.

    Args:
        own: The host's own limit.
    """
    return 0 if own == resource.RLIM_INFINITY else own * 3 // 4
