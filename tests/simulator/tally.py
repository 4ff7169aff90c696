"""How often has a shard ended unplanned, counted a second time from what observers are told?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rookery.supervisor.exit_report import ExitKind
from rookery.supervisor.observers import RunnerDied, ShardMoved
from rookery.supervisor.restart import RECYCLE_EXIT_CODE, RestartPolicy
from rookery.supervisor.shard_state import ShardState

if TYPE_CHECKING:
    from tests.simulator.world import World

SOME = 1e-6

_ENDED = re.compile(r"it ended (\d+) times within ([\d.e+]+) s")

HELD = 60.0
"""Seconds that a quarantine, an incident or an operator may hold a shard in these runs, at most."""


class Tally:
    """The ends of one shard.

    Attributes:
        failures: Unplanned ends in a row.
    """

    def __init__(self, policy: RestartPolicy, world: World) -> None:
        self._policy = policy
        self._world = world
        self._record: RunnerDied | None = None
        self.failures = 0
        self._certain: list[float] = []
        """Ends that count for sure."""
        self._possible: list[float] = []
        """Those that may count: a plugin's part in the others makes the difference."""

    def forget(self) -> None:
        """Its record is clean."""
        self.failures = 0
        self._certain.clear()
        self._possible.clear()

    def excuse(self) -> None:
        """Some of the ends were nobody's fault."""
        self._certain.clear()

    def take_death(self, record: RunnerDied) -> None:
        self._record = record

    def take_move(self, move: ShardMoved) -> str:
        """Count, and say what is wrong with what the shard does now; "" for nothing."""
        record, self._record = self._record, None
        if record is None or record.report.planned or move.transition == "T22":
            return ""
        report, policy = record.report, self._policy
        if report.ready_for >= policy.backoff_reset and report.has_served:
            self.failures = 0
        if move.transition in ("T23", "T31", "T29"):
            return ""
        if report.kind is ExitKind.EXITED and report.code == RECYCLE_EXIT_CODE:
            return ""
        self.failures += 1
        self._possible.append(report.ended_at)
        if move.transition == "T27" and not report.loading:  # an excused T4 looks like one that is not
            self._certain.append(report.ended_at)
        if move.new is ShardState.BACKOFF:
            return self._judge_restart(move, record)
        if move.new is ShardState.FAILED:
            complaint = self._judge_give_up(move)
            self._certain.clear()
            self._possible.clear()
            return complaint
        return ""

    def _judge_restart(self, move: ShardMoved, record: RunnerDied) -> str:
        policy, now = self._policy, self._world.now
        if move.failures != self.failures:
            return f"it counts {move.failures} ends in a row, and there were {self.failures}"
        for window, limit in (
            (policy.burst_window, policy.burst_limit),
            (policy.sustained_window, policy.sustained_limit),
        ):
            found = sum(at > now - window for at in self._certain)
            if found > limit and move.transition == "T27" and not record.report.loading:
                return f"it comes back after {found} ends within {window:g} s, and {limit} are allowed"
        planned = 0.0
        if self.failures > 1:
            planned = min(
                policy.backoff_max, policy.backoff_base * policy.backoff_factor ** (self.failures - 2)
            )
        delay = record.delay or 0.0
        if not planned * (1.0 - policy.backoff_jitter) - SOME <= delay <= max(planned, HELD) + SOME:
            return f"it comes back after {delay:.3f} s, and {planned:.3f} s are right"
        return ""

    def _judge_give_up(self, move: ShardMoved) -> str:
        told = _ENDED.search(move.reason)
        if told is None:
            return ""
        count, window = int(told[1]), float(told[2])
        found = sum(at > self._world.now - window for at in self._possible)
        limits = {self._policy.sustained_window: self._policy.sustained_limit}
        limits[self._policy.burst_window] = self._policy.burst_limit
        if count > found:
            return f"it is given up for {count} ends, and there were {found}"
        if count <= limits[window]:
            return f"it is given up after {count} ends within {window:g} s, and {limits[window]} are allowed"
        return ""
