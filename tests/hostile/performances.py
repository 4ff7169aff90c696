"""What came of every attack under a profile: performed once, however many tests ask, and in whichever process they run."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import attrs

from .attacks import all_rows
from .attacks.row import Row
from .theatre import NoStage, Outcome, Playhouse, free_uid

Results = dict[str, Outcome]


class Performances:
    """The books of all performances of one test run.

    Args:
        shared: A directory that all processes of the run have in common.
    """

    def __init__(self, shared: Path, playhouse: Playhouse) -> None:
        self._shared, self._playhouse = shared, playhouse

    def of(self, profile: str, user: str) -> Results:
        """What came of each attack.

        Raises:
            NoStage: It cannot be performed here.
            NoInterpreter: As above.
        """
        uid = uid_of(user)
        book = self._shared / f"hostile-{profile}-{user}.json"
        with book.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not book.exists():
                book.write_text(json.dumps(self._perform(profile, user, uid)))
        told = json.loads(book.read_text())
        return {name: Outcome(**{**each, "seen": tuple(each["seen"])}) for name, each in told.items()}

    def _perform(self, profile: str, user: str, uid: int) -> dict[str, object]:
        names = [row.name for row in all_rows().values() if row.expects(profile, user) != "."]
        with self._playhouse.open_theatre(profile, uid) as theatre:
            results = theatre.perform(names)
            left = theatre.wait_alone()
        results["what is left"] = Outcome(letter="", evidence="", seen=tuple(left.values()), took=0.0)
        return {name: attrs.asdict(outcome) for name, outcome in results.items()}


def uid_of(user: str) -> int:
    """Of whoever runs the host.

    Raises:
        NoStage: This test run is somebody else's.
    """
    import os

    if user == "user":
        return os.getuid() or free_uid()
    if os.getuid() != 0:
        raise NoStage("these tests are not run by root")
    return 0


def verdict(row: Row, outcome: Outcome, expected: str) -> str:
    """The letter that counts: what the host has seen goes before what the attack believes."""
    if outcome.letter == "died" and row.dies:
        held = "-" if expected == "-" else "L"  # whoever is ended at the attempt has reached nothing either
        return "R" if _harm(outcome) else held
    if outcome.letter == "R" and row.witnessed and not outcome.seen:
        return "-"
    if expected != "R" and _harm(outcome):
        return "R"
    return outcome.letter


def _harm(outcome: Outcome) -> list[str]:
    """What was seen, but for delays, which a busy machine has by itself."""
    return [line for line in outcome.seen if "has answered after" not in line]
