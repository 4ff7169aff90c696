"""Are the rules of the model those of the code? Ways through the model are played in the real host, step by step.

After each step of either the same calls wait in the same order, are out on the same connection, or have ended in the same
way. A difference is a mistake in one of the two.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import attrs
import pytest
import trio
from trio.testing import MockClock

from rookery.supervisor import gate

from .fate_model import Step, steps_from, take
from .fate_play import Play
from .fate_search import search
from .fate_state import Mutant, Rules, State, first_state
from .fate_story import tell

Way = list[tuple[Step, State, State]]
"""Each step with the states before and after it."""

SMALL = [
    pytest.param(Rules(keys="aa", window=2, crashes=2), id="at most once"),
    pytest.param(Rules(keys="a", crashes=3, again=True), id="at least once"),
    pytest.param(Rules(keys="aa", crashes=1, restarts=1, again=True), id="one at a time"),
    pytest.param(Rules(keys="a-", crashes=1), id="one without a key"),
    pytest.param(Rules(keys="aa", window=2, crashes=1, orders=False), id="the host keeps lanes"),
    pytest.param(Rules(keys="aa", window=2, crashes=1, cancels=1), id="a caller leaves"),
    pytest.param(
        Rules(keys="aaa", window=2, cancels=1, orders=False), id="a caller leaves the middle of a lane"
    ),
    pytest.param(Rules(keys="a", crashes=1, lates=1, again=True), id="a deadline passes"),
    pytest.param(Rules(keys="a", restarts=1, impatient=True), id="a drain takes too long"),
    pytest.param(Rules(keys="aa", window=2, crashes=1, give_ups=1), id="the shard is given up"),
    pytest.param(Rules(keys="aa", suspects=1), id="a runner shows no life"),
    pytest.param(Rules(keys="a-", window=2, terms=1), id="a stranger ends a runner"),
]
LARGE = [
    pytest.param(Rules(keys="aaa", window=2, crashes=2, restarts=1), id="at most once"),
    pytest.param(Rules(keys="aab", window=3, crashes=3, again=True), id="at least once, two keys"),
    pytest.param(Rules(keys="aa-", window=2, crashes=1, restarts=1, cancels=1), id="callers leave"),
    pytest.param(
        Rules(keys="aab", window=2, crashes=1, restarts=1, lates=1, again=True, impatient=True),
        id="deadlines and slow drains",
    ),
    pytest.param(
        Rules(keys="aab", window=2, crashes=1, restarts=1, lates=1, cancels=1, orders=False),
        id="the host keeps lanes",
    ),
    pytest.param(Rules(keys="aab", window=2, crashes=1, restarts=1, lates=1, cancels=1), id="all of it"),
    pytest.param(
        Rules(keys="aa-", crashes=2, restarts=1, suspects=1, give_ups=1, lates=1, cancels=1, again=True),
        id="given up, suspected, late",
    ),
    pytest.param(
        Rules(keys="aa", window=2, crashes=3, lates=1, cancels=1, again=True, marks=False),
        id="nothing is marked",
    ),
    pytest.param(
        Rules(keys="aab", window=2, terms=2, crashes=1, cancels=1, lates=1, again=True),
        id="strangers end runners",
    ),
]
WALKS = 50
"""Through each of the large worlds."""

ALL = 1_000
"""More than any small world has."""


@pytest.fixture(autouse=True)
def whole_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """One lane may have all calls of a shard, so that three of them are many."""
    monkeypatch.setattr(gate, "LANE_SHARE", 1)


@pytest.mark.slow
@pytest.mark.parametrize("rules", SMALL)
def test_the_host_takes_every_step_of_a_small_world_as_the_model_does(rules: Rules) -> None:
    """Places, fates, attempts, what is told to the caller and to the runner, the order of what waits."""
    ways = list(_walks(rules, ALL, seed=1))
    differing = [difference for way in ways if (difference := _play(rules, way))]

    assert differing == [], f"{len(differing)} ways differ; the shortest:\n{min(differing, key=len)}"
    assert len(ways) < ALL
    assert len({state for way in ways for _, *both in way for state in both}) == search(rules).states


@pytest.mark.slow
@pytest.mark.parametrize("rules", LARGE)
def test_the_host_goes_many_ways_of_a_large_world_as_the_model_does(rules: Rules) -> None:
    """The same, for ways that are chosen by a seed."""
    differing = [difference for way in _walks(rules, WALKS, seed=1) if (difference := _play(rules, way))]

    assert differing == [], (
        f"{len(differing)} of {WALKS} ways differ; the shortest:\n{min(differing, key=len)}"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mutant", "rules"),
    [
        (Mutant.TAIL, Rules(keys="aa-", window=2, crashes=1)),
        (Mutant.OLDEST_FIRST, Rules(keys="aa", window=2, crashes=1)),
        (Mutant.RETRY_ANYTHING, Rules(keys="a", crashes=1)),
        (Mutant.UNCOUNTED, Rules(keys="a", crashes=1, again=True)),
        (Mutant.FORGETFUL, Rules(keys="a", crashes=1, lates=1, again=True)),
        (Mutant.LEAVING_IS_UNBEGUN, Rules(keys="a", restarts=1, impatient=True)),
        (Mutant.GIVEN_BACK_FAILS, Rules(keys="a", terms=1)),
    ],
)
def test_the_comparison_sees_a_rule_that_is_not_ours(mutant: Mutant, rules: Rules) -> None:
    """Or it would say nothing that it sees no difference."""
    other = attrs.evolve(rules, mutant=mutant)

    assert any(_play(other, way) for way in _walks(other, ALL, seed=1))


def _walks(rules: Rules, count: int, *, seed: int) -> Iterator[Way]:
    """Ways from the beginning to the end, by chance, each with a step that none has taken; fewer when there is none left."""
    chance, first = random.Random(seed), first_state(rules)
    known: dict[tuple[State, Step], State] = {}
    exhausted: set[State] = set()

    def leads_on(state: State, step: Step) -> bool:
        return (state, step) not in known or known[state, step] not in exhausted

    while count and first not in exhausted:
        state, way = first, Way()
        while steps := list(steps_from(rules, state)):
            step = chance.choice([step for step in steps if leads_on(state, step)] or steps)
            following, _ = take(rules, state, step)
            known[state, step] = following
            way.append((step, state, following))
            state = following
        exhausted.add(state)
        for _, state, _ in reversed(way):
            if any(leads_on(state, step) for step in steps_from(rules, state)):
                break
            exhausted.add(state)
        count -= 1
        yield way


def _play(rules: Rules, way: Way) -> str:
    """Play one way; say where the host and the model part, "" if they do not."""
    return trio.run(_take_steps, rules, way, clock=MockClock())


async def _take_steps(rules: Rules, way: Way) -> str:
    play = Play(rules, [step for step, _, _ in way])
    try:
        for number, (step, before, after) in enumerate(way, 1):
            await play.do(step, before)
            if differences := play.differences(after):
                story = tell(rules, [each for each, _, _ in way[:number]])
                return "\n".join([story, *(f"    {difference}" for difference in differences)])
    finally:
        play.close()
    return ""
