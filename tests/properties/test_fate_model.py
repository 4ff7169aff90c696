"""Do our rules for the fate of a call hold in every state that can be reached, and would a broken one be seen?

Every way that a few calls can go is searched: arrivals, answers, the death of a runner at any step, planned restarts,
callers that leave, deadlines. That the rules of the model are those of the code is the question of
``test_fate_conformance.py``.
"""

from __future__ import annotations

import attrs
import pytest

from .fate_search import search
from .fate_state import Mutant, Rules
from .fate_story import tell

M = Mutant


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rules", "states", "most_lost"),
    [
        pytest.param(Rules(keys="aaa", window=2, restarts=2), 608, 0, id="planned restarts"),
        pytest.param(Rules(keys="aaa", crashes=2, restarts=1), 2_250, 2, id="at most once"),
        pytest.param(Rules(keys="aaa", crashes=2, restarts=1, again=True), 4_552, 0, id="at least once"),
        pytest.param(
            Rules(keys="aaaa", window=4, crashes=3, restarts=1),
            15_802,
            3,
            id="at most once, four calls at once",
        ),
        pytest.param(
            Rules(keys="aaaa", window=3, crashes=2, restarts=1, again=True),
            18_219,
            0,
            id="at least once, three calls at once",
        ),
        pytest.param(
            Rules(keys="aab", window=3, crashes=2, again=True), 7_950, 1, id="two keys, few retries"
        ),
        pytest.param(Rules(keys="aa-", window=2, crashes=2), 1_143, 3, id="one without a key"),
        pytest.param(
            Rules(keys="aab", window=2, crashes=2, restarts=1, orders=False),
            7_658,
            3,
            id="the host keeps lanes",
        ),
        pytest.param(
            Rules(keys="aab", window=2, crashes=1, restarts=1, cancels=1), 15_934, 2, id="a caller leaves"
        ),
        pytest.param(
            Rules(keys="aa", window=2, crashes=1, restarts=1, lates=1, again=True, impatient=True),
            17_704,
            0,
            id="a deadline passes, and a drain takes too long",
        ),
        pytest.param(
            Rules(keys="aab", window=2, crashes=1, suspects=1, give_ups=1, again=True),
            6_052,
            0,
            id="a runner shows no life, the shard is given up",
        ),
        pytest.param(
            Rules(keys="aa-", window=1, crashes=1, give_ups=1, lates=1), 8_762, 1, id="given up, and late"
        ),
        pytest.param(Rules(keys="aaa", window=2, terms=2), 1_555, 0, id="strangers end runners"),
        pytest.param(
            Rules(keys="aab", window=2, terms=1, crashes=1, again=True),
            7_391,
            0,
            id="a stranger ends a runner, and one dies",
        ),
        pytest.param(
            Rules(keys="aaa", window=1, crashes=2, buffered=True, again=True),
            1_222,
            0,
            id="answers in the runner's memory, one call at a time",
        ),
    ],
)
def test_our_rules_hold_in_every_state(rules: Rules, states: int, most_lost: int) -> None:
    """No invariant is broken anywhere, and the end can be reached from everywhere without another fault.

    The number of states is written down because a rule that changes without anybody's notice changes it.
    """
    report = search(rules)

    assert {what: tell(rules, way) for what, way in report.broken.items()} == {}
    assert report.stuck is None, tell(rules, report.stuck)
    assert (report.states, report.most_lost) == (states, most_lost)


@pytest.mark.parametrize(
    ("mutant", "rules", "broken"),
    [
        pytest.param(M.TAIL, Rules(keys="aa", window=2, crashes=1), {"I9": 12}, id="put back at the tail"),
        pytest.param(M.OLDEST_FIRST, Rules(keys="aa", window=2, crashes=1), {"I9": 12}, id="oldest first"),
        pytest.param(M.RETRY_ANYTHING, Rules(keys="a", crashes=1), {"I7": 10}, id="everything is retried"),
        pytest.param(
            M.BARE_ID, Rules(keys="a", crashes=1, again=True), {"I14": 10}, id="no generation, again"
        ),
        pytest.param(
            M.BARE_ID, Rules(keys="aa", crashes=1), {"I10": 8, "I7": 11, "I14": 11}, id="no generation, once"
        ),
        pytest.param(M.TWO_AT_ONCE, Rules(keys="aa", window=2), {"ONE": 7, "I9": 7}, id="two at once"),
        pytest.param(
            M.UNCOUNTED,
            Rules(keys="a", crashes=2, again=True, attempts=2),
            {"I8": 16},
            id="attempts uncounted",
        ),
        pytest.param(
            M.NO_BARRIER, Rules(keys="aa", window=2, restarts=1), {"ONE": 9, "I9": 9}, id="no barrier"
        ),
        pytest.param(M.NO_DRAIN, Rules(keys="a", restarts=1), {"EASY": 6}, id="no drain"),
        pytest.param(M.UNREAD, Rules(keys="a", crashes=1), {"I10": 8}, id="not read out, at most once"),
        pytest.param(
            M.UNREAD, Rules(keys="aa", window=2, crashes=1, again=True), {"I9": 14}, id="not read out, again"
        ),
        pytest.param(M.MARK_LATE, Rules(keys="a", crashes=1), {"I7": 10}, id="marked after the effect"),
        pytest.param(
            M.FORGETFUL,
            Rules(keys="a", crashes=1, lates=1, again=True),
            {"SAID": 11},
            id="attempts forgotten",
        ),
        pytest.param(
            M.LEAVING_IS_UNBEGUN,
            Rules(keys="a", restarts=1, impatient=True),
            {"BACK": 8, "SAID": 9},
            id="cut off, unsaid",
        ),
        pytest.param(M.GIVEN_BACK_FAILS, Rules(keys="a", terms=1), {"BACK": 5}, id="not put back"),
    ],
)
def test_a_broken_rule_is_found_by_the_shortest_way(
    mutant: Mutant, rules: Rules, broken: dict[str, int]
) -> None:
    """Exactly these invariants break, after so many steps; with the rule whole none does."""
    report = search(attrs.evolve(rules, mutant=mutant))

    assert search(rules).holds
    assert {what: len(way) for what, way in report.broken.items()} == broken, report.broken


@pytest.mark.parametrize(
    ("rules", "broken"),
    [
        pytest.param(Rules(keys="aa", window=2, crashes=1, marks=False), {"I10"}, id="nothing is marked"),
        pytest.param(
            Rules(keys="aaa", window=2, crashes=1, marks=False, again=True, mutant=M.UNREAD),
            {"I9"},
            id="nothing is marked, nor read out",
        ),
        pytest.param(Rules(keys="aa", window=2, crashes=1, buffered=True), {"I10"}, id="answers in memory"),
        pytest.param(
            Rules(keys="aa", window=2, crashes=1, buffered=True, again=True),
            {"I9"},
            id="answers in memory, again",
        ),
        pytest.param(
            Rules(keys="aa", window=2, lates=1, orders=False),
            {"I9", "ONE"},
            id="a late call in the host's lane",
        ),
    ],
)
def test_what_is_not_promised(rules: Rules, broken: set[str]) -> None:
    """The price of less: of a runner without marks, of answers that wait in its memory for the next write when a later
    call of the key begins, of a lane that the host keeps and a deadline ends.
    """
    report = search(rules)

    assert set(report.broken) == broken
    assert report.stuck is None


@pytest.mark.slow
def test_answers_that_are_written_before_the_next_call_begins_would_be_kept() -> None:
    """What it would take to promise more: a death then costs one call of a key, and not all that it had at once."""
    rules = Rules(keys="aaa", window=3, crashes=1, buffered=True)
    flushes = attrs.evolve(rules, flushes=True)

    assert (search(rules).most_lost, search(flushes).most_lost) == (3, 1)
    assert search(attrs.evolve(flushes, crashes=2, again=True)).holds


def test_a_way_is_told_in_words() -> None:
    """Whoever breaks a rule reads how."""
    rules = Rules(keys="a", restarts=1, mutant=M.NO_DRAIN)

    story = tell(rules, search(rules).broken["EASY"])

    assert story.splitlines() == [
        "  1 call 0 of key a is made: waiting: 0",
        "  2 a runner is ready: waiting: none",
        "  3 runner 0 begins call 0",
        "  4 runner 0 is to leave",
        "  5 the host closes the connection to runner 0",
        "  6 runner 0 is buried, and its calls are settled: 0 ends: runner lost, breaks EASY",
    ]
