"""Has a runner become too large or too old, so that it should be replaced, or must be killed?

A soft limit is a wish: the runner is drained and replaced, and nothing is lost. A hard one is a wall: what grows by a
gigabyte a second would take the machine with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .exit_report import ExitKind
from .health import Doomed, Fine, Recycle

if TYPE_CHECKING:
    from .limits import ShardLimits

SPREAD = 0.1
"""By which part the limits of age and work differ from runner to runner: they must not all be replaced at once."""

MIB = 1024 * 1024


@attrs.frozen(kw_only=True)
class FamilyLook:
    """What a runner and its descendants use at one moment."""

    memory: int = 0
    """Bytes; 0 where it was not asked for, or nothing is known."""
    tasks: int = 0
    """Processes and threads, at least; 0 where nothing is known. A count that is far over its limit is not finished."""


NOTHING = FamilyLook()


@attrs.frozen(kw_only=True)
class DiskUse:
    """What was found, as far as was looked."""

    bytes: int = 0
    files: int = 0
    """With directories, links and whatever else has a name."""
    largest: str = ""
    """The one of the directories that holds the most bytes, or files where there is a limit for those alone."""
    obstacle: str = ""
    """Why the rest could not be measured; "" when it could."""


@attrs.frozen(kw_only=True)
class Wear:
    """What a runner has become."""

    rss: int = 0
    """Resident memory in bytes; 0 where it is not known."""
    family: FamilyLook = NOTHING
    """What it uses with all that descends from it."""
    age: float = 0.0
    """Seconds since it became ready."""
    answered: int = 0
    """Calls that it has answered."""


def decide_wear(limits: ShardLimits, wear: Wear, chance: float) -> Fine | Recycle | Doomed:
    """What the limits say. A limit of 0 is none.

    Args:
        chance: A number from 0 to 1 that stays the same for one runner: where in the spread its limits lie.
    """
    excess = decide_excess(limits, wear.family)
    if isinstance(excess, Doomed):
        return excess
    rss = wear.rss
    if limits.memory and wear.family.memory:
        rss = wear.family.memory
    elif limits.rss_hard and wear.rss > limits.rss_hard:
        text = f"out of memory: it uses {_size(wear.rss)}, rss_hard is {_size(limits.rss_hard)}"
        return Doomed(ExitKind.OUT_OF_MEMORY, text)
    if limits.rss_soft and rss > limits.rss_soft:
        return Recycle(f"it uses {_size(rss)}, rss_soft is {_size(limits.rss_soft)}")
    factor = 1.0 + SPREAD * (2.0 * chance - 1.0)
    if limits.max_age and wear.age > limits.max_age * factor:
        return Recycle(f"it is {wear.age:.0f} s old, max_age is {limits.max_age:g}")
    if limits.max_dispatches and wear.answered > limits.max_dispatches * factor:
        return Recycle(f"it has answered {wear.answered} calls, max_dispatches is {limits.max_dispatches}")
    return Fine()


def decide_excess(limits: ShardLimits, family: FamilyLook) -> Fine | Doomed:
    """What the limits say of a runner and all that descends from it, at any time of its life."""
    if limits.memory and family.memory > limits.memory:
        text = f"out of memory: used {megabytes(family.memory)} of {megabytes(limits.memory)}"
        return Doomed(ExitKind.OUT_OF_MEMORY, text)
    if limits.pids and family.tasks > limits.pids:
        text = f"too many processes: {family.tasks} of {limits.pids}"
        return Doomed(ExitKind.TOO_MANY_PROCESSES, text)
    return Fine()


def decide_disk(limits: ShardLimits, use: DiskUse) -> Fine | Doomed:
    """What the limits say of what a shard's directories hold. What cannot be measured may be without end."""
    if use.obstacle:
        text = f"cannot be measured: {use.obstacle}"
    elif limits.disk and use.bytes > limits.disk:
        text = f"{megabytes(use.bytes)} of {megabytes(limits.disk)} in {use.largest}"
    elif limits.files and use.files > limits.files:
        text = f"{use.files} files of {limits.files} in {use.largest}"
    else:
        return Fine()
    return Doomed(ExitKind.OUT_OF_DISK, f"out of disk: {text}")


def megabytes(value: int) -> str:
    """``512 MB``, of 1024 times 1024 bytes as `512M` is in the configuration. What is not whole has a digit more."""
    text = f"{value / MIB:.1f}"
    return f"{text.removesuffix('.0')} MB"


def _size(value: int) -> str:
    return f"{value / MIB:.0f} MiB"
