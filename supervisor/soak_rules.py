"""What must hold at every second of a soak test, and which of its series grows without end?

Pure functions of what was seen. A rule that is broken is told once for each subject, with the values that show it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

MIB = 1024 * 1024

STATUS_LIMIT = 0.05
"""Seconds that a status may take to make."""

DEADLINE_GRACE = 2.0
"""Seconds by which the end of a call may be late."""

STRAY_GRACE = 3.0
"""Seconds that a child of the host may be nobody's: what a dead runner leaves is swept by and by."""

SPARE_DESCRIPTORS, DESCRIPTORS_A_SHARD = 24, 8
SPARE_THREADS = 24
SPARE_MEMORY = 128 * MIB
RUNNER_DESCRIPTORS = 128
"""Of one runner: what it needs is a tenth of that."""


@attrs.frozen(kw_only=True)
class Broken:
    """An invariant that did not hold."""

    rule: str
    subject: str
    """A shard, a call, or the host."""
    text: str
    """The values."""
    at: float
    """Seconds since the load began."""
    times: int = 1
    """How often it was seen; the values are those of the first time."""

    def describe(self) -> str:
        times = f" ({self.times} times)" if self.times > 1 else ""
        return f"{self.at:.1f} s: {self.rule}: {self.subject}: {self.text}{times}"


@attrs.frozen(kw_only=True)
class Sight:
    """One shard at one moment."""

    shard: str
    is_ready: bool
    state: str
    incarnation: int
    pid: int | None
    out_for: float = 0.0
    """Seconds since it was ready; 0.0 while it is."""
    out_allowed: float = 0.0
    """Seconds that its policy allows for that."""
    descriptors: int | None = None
    """Of its runner; None where that is not known."""


@attrs.frozen(kw_only=True)
class Snapshot:
    """The host at one moment."""

    at: float
    """Seconds since the load began."""
    shards: tuple[Sight, ...]
    children: frozenset[int] | None
    """Process ids of the host's children; None where that is not known."""
    strays: Mapping[int, float] = attrs.field(factory=dict)
    """Children that are nobody's, and since when; see ``note_strays``."""
    descriptors: int
    threads: int
    rss: int
    """Bytes of resident memory; 0 where that is not known."""
    status_seconds: float
    """What making a status took."""
    overdue: tuple[str, ...] = ()
    """Calls that have not ended although their deadline is past by ``DEADLINE_GRACE``, in words."""


def note_strays(
    before: Mapping[int, float], children: Collection[int], expected: Collection[int], at: float
) -> dict[int, float]:
    """Which children are nobody's, and since when."""
    return {pid: before.get(pid, at) for pid in set(children) - set(expected)}


def find_broken(first: Snapshot, before: Snapshot, now: Snapshot) -> list[Broken]:
    """Everything that does not hold now.

    Args:
        first: At the start, when nothing had been hurt: what is normal.
        before: A second ago.
    """
    return [
        *_about_shards(before, now),
        *_about_processes(before, now),
        *_about_resources(first, now),
        *(_broken("a call ends by its deadline", call, "it has not ended", now) for call in now.overdue),
    ]


def _broken(rule: str, subject: str, text: str, now: Snapshot) -> Broken:
    return Broken(rule=rule, subject=subject, text=text, at=now.at)


def _about_shards(before: Snapshot, now: Snapshot) -> list[Broken]:
    earlier = {sight.shard: sight for sight in before.shards}
    found = []
    for sight in now.shards:
        if not sight.is_ready and sight.out_for > sight.out_allowed:
            text = f"{sight.state} for {sight.out_for:.1f} s, its policy allows {sight.out_allowed:.1f} s"
            found.append(_broken("a shard is back in time", sight.shard, text, now))
        known = earlier.get(sight.shard)
        if known is None:
            continue
        if sight.incarnation < known.incarnation:
            text = f"#{sight.incarnation} after #{known.incarnation}"
            found.append(_broken("generations grow", sight.shard, text, now))
        if (
            sight.incarnation == known.incarnation
            and sight.pid != known.pid
            and None not in (sight.pid, known.pid)
        ):
            text = f"#{sight.incarnation} was process {known.pid} and is {sight.pid}"
            found.append(_broken("a generation is one process", sight.shard, text, now))
    return found


def _about_processes(before: Snapshot, now: Snapshot) -> list[Broken]:
    if before.children is None or now.children is None:
        return []
    found = [
        _broken(
            "every child is a runner", f"process {pid}", f"nobody's child for {now.at - since:.1f} s", now
        )
        for pid, since in now.strays.items()
        if now.at - since > STRAY_GRACE
    ]
    for sight in now.shards:
        # The kernel's list of children may miss some while others end: only one that is missing twice is.
        is_missing = sight.pid is not None and sight.pid not in now.children | before.children
        if sight.is_ready and is_missing and sight in before.shards:
            text = f"process {sight.pid} is no child of the host"
            found.append(_broken("a ready shard has a process", sight.shard, text, now))
    return found


def _about_resources(first: Snapshot, now: Snapshot) -> list[Broken]:
    most_descriptors = first.descriptors + SPARE_DESCRIPTORS + DESCRIPTORS_A_SHARD * len(first.shards)
    found = []
    for name, value, most in (
        ("descriptors", now.descriptors, most_descriptors),
        ("threads", now.threads, first.threads + SPARE_THREADS),
        ("bytes of memory", now.rss, first.rss + SPARE_MEMORY),
    ):
        if value > most:
            found.append(_broken(f"{name} are bounded", "the host", f"{value}, at most {most}", now))
    if now.status_seconds > STATUS_LIMIT:
        text = f"it took {now.status_seconds * 1000:.0f} ms, at most {STATUS_LIMIT * 1000:.0f} ms"
        found.append(_broken("a status is quick", "the host", text, now))
    for sight in now.shards:
        if sight.descriptors is not None and sight.descriptors > RUNNER_DESCRIPTORS:
            text = f"{sight.descriptors}, at most {RUNNER_DESCRIPTORS}"
            found.append(_broken("descriptors are bounded", f"the runner of {sight.shard}", text, now))
    return found


# --- what grows ------------------------------------------------------------------------------------------------

LEAST_SAMPLES = 60
"""Fewer say nothing about a slope."""

WARM_UP = 0.25
"""The part of a series at its start that is left out: caches fill, modules are imported."""

CERTAINTY = 2.0
"""By so many times its scatter a series must have grown."""

TOLERATED = {"descriptors": 4.0, "threads": 4.0, "memory": 12.0 * MIB}
"""Growth over a whole run that is not told apart from noise: a fault is being healed at the last sample, the memory of a
Python process comes and goes in steps."""


@attrs.frozen(kw_only=True)
class Slope:
    """The line of least squares through a series."""

    samples: int
    per_minute: float
    growth: float
    """From the first sample to the last, along the line."""
    scatter: float
    """The standard deviation around the line."""


def fit_slope(series: Sequence[tuple[float, float]]) -> Slope:
    """The line through ``(seconds, value)``; flat for less than two different times."""
    count = len(series)
    if count < 2:
        return Slope(samples=count, per_minute=0.0, growth=0.0, scatter=0.0)
    middle = sum(at for at, _ in series) / count
    mean = sum(value for _, value in series) / count
    spread = sum((at - middle) ** 2 for at, _ in series)
    if not spread:
        return Slope(samples=count, per_minute=0.0, growth=0.0, scatter=0.0)
    slope = sum((at - middle) * (value - mean) for at, value in series) / spread
    residue = sum((value - mean - slope * (at - middle)) ** 2 for at, value in series)
    return Slope(
        samples=count,
        per_minute=slope * 60,
        growth=slope * (series[-1][0] - series[0][0]),
        scatter=math.sqrt(residue / count),
    )


def settled(series: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """The series without its warm-up."""
    return series[int(len(series) * WARM_UP) :]


def is_growing(slope: Slope, tolerated: float) -> bool:
    """Whether a series grows, and not by chance.

    Args:
        tolerated: Growth over the whole series that is nothing.
    """
    if slope.samples < LEAST_SAMPLES * (1 - WARM_UP):
        return False
    return slope.growth > max(tolerated, CERTAINTY * slope.scatter)
