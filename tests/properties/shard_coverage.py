"""Which rows of a shard's table have been seen, with their guard true and with it false?

``GUARDS`` says for each row what counts as either: the row was taken because its guard held; what the row is about happened, and
the guard kept the shard from taking it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from rookery.supervisor.exit_report import ExitKind, ExitReport
from rookery.supervisor.restart import RestartMode
from rookery.supervisor.shard_state import ShardState

if TYPE_CHECKING:
    from rookery.supervisor.observers import ShardMoved
    from tests.properties.shard_puppet import Puppet

S = ShardState

TRACED_LOOKS = 6
"""More than any limit for a process that was stopped, of the shards of this test."""

GUARDS: dict[str, tuple[str, str]] = {
    "T1": ("started at rest: it becomes IDLE", "started while it runs: nothing moves"),
    "T2": ("its turn comes", "somebody else has the turn, or it is held: it stays IDLE"),
    "T3": ("the process runs", "the process cannot be made: T4"),
    "T4": ("not now: BACKOFF", "not ever: FAILED"),
    "T5": ("its hello is accepted", "its hello is refused or turned away: it never loads"),
    "T6": ("its hello is refused", "its hello is accepted: T5"),
    "T7": ("too late", "it makes progress, and loads for longer than one limit"),
    "T8": ("it gets more time", "it asks for nothing that it has not, or for too much: no move"),
    "T9": ("some of its plugins are loaded", "none is: it is killed"),
    "T10": ("silent for long enough", "silent for less: it stays READY"),
    "T11": ("a beat after silence", "no beat, and it stays SUSPECT"),
    "T12": ("silent for too long", "silent for as long, and traced or importing: it stays SUSPECT"),
    "T13": (
        "stopped, continued, and stopped for too long",
        "stopped for as long, and traced: it stays SUSPECT",
    ),
    "T14": ("told to leave", "told to leave while it leaves: no second time"),
    "T15": ("nothing in flight", "something in flight: T16"),
    "T16": ("still in flight when the time is over", "nothing in flight: T15"),
    "T17": ("still there when the time is over", "it has left in time: REAPING"),
    "T18": ("the process is dead", "only its connection is: no REAPING"),
    "T19": ("it breaks a rule", "it breaks a rule and has to leave anyway: the end stays a planned one"),
    "T20": ("killed and still there when the time is over", "killed and dead in time: REAPING"),
    "T21": ("dead: reaped and told", "lost: told and not reaped"),
    "T22": ("planned", "not planned: T23 to T27"),
    "T23": ("the mode says no", "the mode has something to say, and the end is another one: it comes back"),
    "T24": ("76, 78, 125", "another exit code: no FAILED for it"),
    "T25": ("excused by the judge", "not excused: T27"),
    "T26": ("too often", "not too often, and it had died before: T27"),
    "T27": ("it comes back", "it does not: T23, T24, T26"),
    "T28": ("the delay is over", "it is not, and it stays BACKOFF"),
    "T29": ("stopped while nothing runs", "stopped when it is stopped: nothing moves"),
    "T30": ("the time for another attempt", "not yet, or never: it stays FAILED"),
    "T31": ("the host stops", "the host stops, and it is stopped already: nothing moves"),
}
"""Row to what is seen with a guard that holds, and with one that does not."""


@attrs.define
class Seen:
    """What has been seen so far, in all programs."""

    counts: dict[tuple[str, bool], int] = attrs.Factory(dict)

    def mark(self, row: str, holds: bool) -> None:
        self.counts[row, holds] = self.counts.get((row, holds), 0) + 1

    @property
    def missing(self) -> list[str]:
        """What has not been seen, in words."""
        return [
            f"{row} {'+' if holds else '-'}: {texts[not holds]}"
            for row, texts in GUARDS.items()
            for holds in (True, False)
            if (row, holds) not in self.counts
        ]

    def note_move(self, last: ShardMoved, move: ShardMoved) -> None:
        """A shard moved, after another move of its."""
        if move.transition != "T4":
            self.mark(move.transition, True)
        match move.transition:
            case "T4":
                self.mark("T4", move.new is S.BACKOFF)
                self.mark("T3", False)
            case "T5":
                self.mark("T6", False)
            case "T6":
                self.mark("T5", False)
            case "T15":
                self.mark("T16", False)
            case "T16":
                self.mark("T15", False)
            case "T18" if move.old is S.STOPPING:
                self.mark("T17", False)
            case "T18" if move.old is S.KILLING:
                self.mark("T20", False)

    def note_death(self, report: ExitReport, puppet: Puppet | None) -> None:
        """An end was told."""
        if puppet is None:
            return
        self.mark("T21", puppet.is_reaped)
        if report.kind is ExitKind.LOAD_FAILED:
            self.mark("T9", False)
        if report.planned and ExitKind.PROTOCOL in puppet.offences:
            self.mark("T19", False)

    def note_following(self, report: ExitReport, by: str, mode: RestartMode, *, counted: int) -> None:
        """What follows was decided.

        Args:
            counted: How many ends are held against the shard.
        """
        if by == "T27" and counted > 1:
            self.mark("T26", False)
        if by in ("T23", "T24", "T25", "T26", "T27"):
            self.mark("T22", False)
        if by in ("T25", "T27") and mode is not RestartMode.PERMANENT:
            self.mark("T23", False)
        if by != "T24" and report.kind is ExitKind.EXITED:
            self.mark("T24", False)
        if by == "T27":
            self.mark("T25", False)
        if by in ("T23", "T24", "T26"):
            self.mark("T27", False)

    def note_rest(self, state: ShardState, puppet: Puppet | None, *, stays: bool) -> None:
        """A shard has come to rest in a state, and nothing stays undone.

        Args:
            stays: It was in this state at the end of the step before.
        """
        waiting = {S.BACKOFF: "T28", S.FAILED: "T30", S.IDLE: "T2"}.get(state)
        if waiting:
            self.mark(waiting, False)
        if puppet is None:
            return
        if state is S.READY and puppet.silent_looks:
            self.mark("T10", False)
        if state is S.SUSPECT and stays:
            self.mark("T11", False)
        if state is S.SUSPECT and puppet.is_spared:
            self.mark(
                "T13" if puppet.looks.is_traced and puppet.stopped_looks > TRACED_LOOKS else "T12", False
            )
        if state not in (S.REAPING, S.LOST) and puppet.link.is_closed and not puppet.is_dead:
            self.mark("T18", False)
