"""What is one run of a runner called, so that every process that descends from it carries the name?

The name is in the environment and is inherited: ``ROOKERY_RUN=<boot id>:<shard>:<incarnation>:<host>``. The host is a
random number: two hosts, or two in one process, that have a shard of the same name would else take each other's processes
for their own.
"""

from __future__ import annotations

import os
from pathlib import Path

RUN_VARIABLE = "ROOKERY_RUN"


def boot_id() -> str:
    """What this start of the machine is called; "" where it has no name."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


class RunNames:
    """Names the runs of one host."""

    def __init__(self) -> None:
        self._boot = boot_id()
        self._host = os.urandom(8).hex()

    def cookie_of(self, run: str) -> str:
        """The value of the variable.

        Args:
            run: ``<shard>.<incarnation>``.
        """
        shard, _, incarnation = run.rpartition(".")
        return f"{self._boot}:{shard}:{incarnation}:{self._host}"

    def run_of(self, cookie: str) -> str:
        """The run that a value of the variable means; "" for one of another host, and for anything else."""
        boot, _, rest = cookie.partition(":")
        name, _, host = rest.rpartition(":")
        if boot != self._boot or host != self._host:
            return ""
        return name.replace(":", ".")
