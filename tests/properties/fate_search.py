"""Which states can be reached, which of them break what, and by which shortest way? Breadth first, all of them."""

from __future__ import annotations

import attrs

from .fate_model import FAULTS, Step, steps_from, take
from .fate_state import Fate, Rules, State, first_state


@attrs.define
class Report:
    """What a search has found.

    Attributes:
        states: How many were reached.
        broken: For each invariant that does not hold the shortest way to where it breaks.
        stuck: The shortest way to a state from which the end cannot be reached any more; None when there is none.
        endings: In how many states everything was over.
        most_lost: The most calls that were lost on one way.
    """

    rules: Rules
    states: int = 0
    broken: dict[str, list[Step]] = attrs.field(factory=dict)
    stuck: list[Step] | None = None
    endings: int = 0
    most_lost: int = 0

    @property
    def holds(self) -> bool:
        return not self.broken and self.stuck is None


@attrs.define
class Graph:
    """Every state that was reached, in the order of its distance, and how."""

    rules: Rules
    states: list[State]
    came_from: list[int]
    came_by: list[Step | None]
    before: list[list[int]]
    """From which states each can be reached without a fault."""

    def way_to(self, number: int) -> list[Step]:
        steps: list[Step] = []
        while (step := self.came_by[number]) is not None:
            steps.append(step)
            number = self.came_from[number]
        return steps[::-1]


def search(rules: Rules) -> Report:
    """Visit every state."""
    report, graph = Report(rules), Graph(rules, [first_state(rules)], [0], [None], [[]])
    known = {graph.states[0]: 0}
    here = 0
    while here < len(graph.states):
        state = graph.states[here]
        for step in steps_from(rules, state):
            following, problems = take(rules, state, step)
            there = known.get(following)
            if there is None:
                there = known[following] = len(graph.states)
                graph.states.append(following)
                graph.came_from.append(here)
                graph.came_by.append(step)
                graph.before.append([])
            if step.act not in FAULTS:
                graph.before[there].append(here)
            for problem in problems:
                report.broken.setdefault(problem, [*graph.way_to(here), step])
        here += 1
    _look_at_ends(report, graph)
    return report


def _look_at_ends(report: Report, graph: Graph) -> None:
    report.states = len(graph.states)
    good = [number for number, state in enumerate(graph.states) if state.is_over]
    report.endings = len(good)
    report.most_lost = max((graph.states[number].fate.count(Fate.LOST) for number in good), default=0)
    seen = bytearray(len(graph.states))
    for number in good:
        seen[number] = 1
    while good:
        for number in graph.before[good.pop()]:
            if not seen[number]:
                seen[number] = 1
                good.append(number)
    if 0 in seen:
        report.stuck = graph.way_to(seen.index(0))
