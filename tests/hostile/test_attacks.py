"""Every attack, under every profile, by both kinds of host: it reaches what the table says, and nothing else is touched."""

from __future__ import annotations

import pytest

from .attacks import all_rows
from .attacks.row import PROFILES, USERS
from .installation import NoInterpreter
from .machine import need_profile
from .performances import Performances, Results, verdict
from .theatre import NoStage

pytestmark = pytest.mark.slow

CASES = [
    pytest.param(profile, user, row.name, id=f"{profile}-{user}-{row.name}")
    for profile in PROFILES
    for user in USERS
    for row in all_rows().values()
    if row.expects(profile, user) != "."
]


def results_of(performances: Performances, profile: str, user: str) -> Results:
    """What came of it, or a skip that says why there is nothing."""
    need_profile(profile)
    try:
        return performances.of(profile, user)
    except (NoStage, NoInterpreter) as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize(("profile", "user", "name"), CASES)
def test_an_attack_reaches_what_the_table_says(
    profile: str, user: str, name: str, performances: Performances
) -> None:
    """What is blocked leaves the host, its siblings and the machine as they were; what is reached is no surprise either."""
    row = all_rows()[name]
    outcome = results_of(performances, profile, user)[name]
    if outcome.letter == "absent":
        pytest.skip(outcome.evidence)
    if row.optional and profile != "plain" and row.expects("plain", user) == "R":
        control = results_of(performances, "plain", user)[name]
        if control.letter == "absent":
            pytest.skip(control.evidence)

    found = verdict(row, outcome, row.expects(profile, user))

    assert found == row.expects(profile, user), f"{outcome.evidence}; seen: {list(outcome.seen)}; {row.why}"


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("profile", PROFILES)
def test_nothing_of_it_is_left(profile: str, user: str, performances: Performances) -> None:
    """When the host has stopped, no process of its shards runs, whatever they have tried."""
    left = results_of(performances, profile, user)["what is left"].seen

    assert left == ()


def test_there_are_enough_attacks() -> None:
    """Each kind has several, every one says what stops it, and what nothing stops is the exception."""
    rows = all_rows().values()
    kinds = {kind: [row for row in rows if row.kind == kind] for kind in {row.kind for row in rows}}

    assert len(rows) >= 70
    assert min(map(len, kinds.values())) >= 4
    assert all(row.why for row in rows)
    reached = {row.name for row in rows if "R" in row.expected["sandbox"]}
    assert reached == {"fill_disk_with_many_files", "use_up_inodes"}
