"""Can a plugin take back what it was denied: limits, a place behind others, no core file?"""

from __future__ import annotations

import os
import resource
from pathlib import Path

from .kernel_calls import call, child_result
from .row import Absent, Stage, Stopped, attack

MIB = 1 << 20


@attack(
    "R",
    "R/-",
    "-",
    "-",
    "an ordinary user may lower a limit only, and a shard may not even ask about others",
    fresh=True,
)
def raise_own_limits(stage: Stage) -> str:
    """More than the shard was given."""
    names = ("RLIMIT_NOFILE", "RLIMIT_CORE", "RLIMIT_NPROC", "RLIMIT_FSIZE", "RLIMIT_AS", "RLIMIT_DATA")
    if stage["profile"] == "plain":  # nobody has limited it, so it may take what it has
        return "it has what the host has"
    _ask_for_capability(stage)
    raised = []
    for name in names:
        kind = getattr(resource, name)
        soft, hard = resource.getrlimit(kind)
        if hard == resource.RLIM_INFINITY:
            continue
        try:
            resource.setrlimit(kind, (soft, hard + 1))
            raised.append(name)
        except (OSError, ValueError):
            continue
    if not raised:
        raise Stopped("every one of them was refused")
    return ", ".join(raised)


def _ask_for_capability(stage: Stage) -> None:
    """Root of many a container may do everything but this."""
    if stage["profile"] == "process" and os.geteuid() == 0 and not stage["capabilities"] >> 24 & 1:
        raise Absent("root of this machine has no CAP_SYS_RESOURCE")


@attack("R", "R", "-", "-", "Landlock: /proc can be read only")
def lower_own_score(stage: Stage) -> str:
    """Let the kernel kill others first. As the host has it, the kernel lets everybody go back."""
    path = Path("/proc/self/oom_score_adj")
    before = int(path.read_text())
    path.write_text("0")
    path.write_text(str(before))
    return f"0 instead of {before}"


@attack("R/-", "R/-", "-", "-", "a capability that no shard has")
def become_more_important(stage: Stage) -> str:
    """Before everybody else on the processor."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, -5)
    os.setpriority(os.PRIO_PROCESS, 0, before)
    return "nice -5"


@attack("R/-", "R/-", "-", "-", "a capability that no shard has")
def run_in_real_time(stage: Stage) -> str:
    """Nothing else runs until it waits."""
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return "in real time"


@attack("R/-", "R/-", "-", "-", "a capability that no shard has")
def come_first_at_the_disk(stage: Stage) -> str:
    call("ioprio_set", 1, 0, 1 << 13)
    call("ioprio_set", 1, 0, 0)
    return "first at the disk"


@attack("R", "R/-", "-", "-", "RLIMIT_CORE is 0, and an ordinary user cannot raise it", fresh=True)
def dump_core(stage: Stage) -> str:
    """A file of all its memory, of any size, wherever it stands."""
    _ask_for_capability(stage)

    def crash() -> str:
        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (min(hard, 64 * MIB) if hard != -1 else 64 * MIB,) * 2)
        if resource.getrlimit(resource.RLIMIT_CORE)[0] < MIB:
            raise PermissionError(1, "it stays 0")
        return "a core of 64 MiB"

    return child_result(crash)
