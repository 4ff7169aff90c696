"""What follows for the group and for the host when a shard is given up, or when a job has ended?

The levels are those of Erlang: a shard is restarted until its own limits are reached, then its group is, then the host ends
and whoever runs it starts it again. They multiply, so the numbers are small: five restarts of a shard, by three of its group,
are twenty-four starts of a runner that cannot live at all, within half a minute, and then no more.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import attrs

from .strategy import AutoShutdown, Significance

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .strategy import GroupSettings


class AfterGivingUp(Enum):
    """What a shard that is given up means."""

    NOTHING = "nothing"
    """The bot goes on without it, and its own timer tries again."""
    RESTART_GROUP = "restart the group"
    END_HOST = "end the host"


@attrs.frozen
class Escalation:
    """How far it goes."""

    step: AfterGivingUp
    restarts: tuple[float, ...]
    """The restarts of the group that count from now on, this one included."""


def decide_escalation(
    settings: GroupSettings,
    significance: Significance,
    restarts: Sequence[float],
    now: float,
    *,
    is_permanent: bool,
) -> Escalation:
    """What follows when a shard is given up.

    Args:
        restarts: When the group was restarted before, oldest first.
        is_permanent: Its exit code says that every start ends like this. The group is spared restarts that cannot help.
    """
    counted = tuple(moment for moment in restarts if moment > now - settings.restart_window)
    if significance is not Significance.REQUIRED:
        return Escalation(AfterGivingUp.NOTHING, counted)
    if is_permanent or len(counted) >= settings.restart_limit:
        return Escalation(AfterGivingUp.END_HOST, counted)
    return Escalation(AfterGivingUp.RESTART_GROUP, (*counted, now))


class Job(Enum):
    """How far a one_shot shard is."""

    OPEN = "open"
    """It runs, or may run again."""
    DONE = "done"
    """It ended by itself with code 0."""
    FAILED = "failed"
    """It ended otherwise and is not started again."""


def decide_jobs(rule: AutoShutdown, jobs: Iterable[Job], ended: Job) -> Job:
    """Whether the host goes on (`OPEN`), has done its work (`DONE`), or cannot do it any more (`FAILED`).

    Args:
        jobs: All of the group.
        ended: The one of them that has ended now.
    """
    jobs = tuple(jobs)
    match rule:
        case AutoShutdown.ANY_SIGNIFICANT:
            return ended
        case AutoShutdown.ALL_SIGNIFICANT if Job.OPEN not in jobs:
            return Job.FAILED if Job.FAILED in jobs else Job.DONE
    return Job.OPEN
