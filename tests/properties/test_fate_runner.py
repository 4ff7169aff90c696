"""Does a real runner do with its calls what the model's runner does?

The host is a script that follows the model: it sends what the model sends, takes back what the model takes back, and lets a
handler go on when the model's does. The runner's own steps are taken by the model as soon as it can, as a runner does that
waits for nothing. After each step the marks on the page and the answers are compared.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
import trio

from rookery.protocol import PLUGIN_CANCEL, PLUGIN_INVOKE_TOOL, PLUGIN_RECALL, RemoteError
from rookery.supervisor.page import Page, open_page
from tests.doubles.scripted_host import ScriptedHost, assignment, open_runner

from .fate_model import Act, Step, steps_from, take
from .fate_play import REFUSALS
from .fate_state import OUT, RESULT, Mutant, Rules, first_state
from .fate_story import tell

PLUGIN = "test.waits_at_gates"
FEATURES = ("assignment", "loading", "logs", "ordered", "beats", "started", "cancel", "recall")
PLAYS = 40
ROUNDS = 3
"""Questions that are answered at once, after which everything that was under way in the runner has been said."""

ITS_OWN = (Act.START, Act.HEAR, Act.BEGIN, Act.ANSWER, Act.READ)
"""What nobody has to cause."""

SHOWN = (Act.SUBMIT, Act.CANCEL, Act.RESTART, Act.EFFECT)


@pytest.fixture
def page() -> Iterator[Page]:
    made = open_page(64)
    assert made is not None
    yield made
    made.close()


class Play:
    """One way through the model with a real runner."""

    def __init__(self, rules: Rules, host: ScriptedHost, page: Page, number: int) -> None:
        self._rules = rules
        self._host = host
        self._page = page
        self._number = number
        self.state = first_state(rules)
        self._ids: dict[int, int] = {}
        self._answers: dict[int, Any] = {}
        self._expected: dict[int, int] = {}
        self.steps: list[Step] = []

    def next_steps(self) -> list[Step]:
        return [step for step in steps_from(self._rules, self.state) if step.act in SHOWN]

    async def do(self, step: Step) -> None:
        """Take a step in both, and let both come to rest."""
        before = self.state
        self._take(step)
        if step.act is Act.EFFECT:
            await self._host.run(PLUGIN, "open", gate=self._name(step.call))
        elif step.act is Act.CANCEL and before.place[step.at] == OUT:
            self._tell(PLUGIN_CANCEL, [step.at])
        elif step.act is Act.RESTART:
            started = self._page.read_started()
            assert started is not None
            self._tell(PLUGIN_RECALL, [call for call in self._waiting if self._ids[call] not in started])
        while own := [step for step in steps_from(self._rules, self.state) if step.act in ITS_OWN]:
            self._take(min(own, key=lambda each: ITS_OWN.index(each.act)))
        for _ in range(ROUNDS):
            await self._host.ask("plugin.health")

    def _take(self, step: Step) -> None:
        before = self.state
        if step.act is Act.READ:
            _, call, kind = before.runners[0].socket[0]
            self._expected[call] = kind
        self.state, _ = take(self._rules, before, step)
        self.steps.append(step)
        for runner in self.state.runners:
            for _, call in runner.pending:
                if call not in self._ids:
                    self._send(call)

    @property
    def effects(self) -> list[str]:
        """The gates that calls have passed, in order."""
        return [self._name(step.call) for step in self.steps if step.act is Act.EFFECT]

    @property
    def _waiting(self) -> list[int]:
        return [call for call in self._ids if call not in self._answers]

    def _name(self, call: int) -> str:
        return f"{self._number}.{call}"

    def _send(self, call: int) -> None:
        key = self._rules.keys[call]
        ordering = {"ordering_key": f"{self._number}.{key}"} if key != "-" else {}
        self._ids[call] = self._host.link.send(
            PLUGIN_INVOKE_TOOL,
            {"component_name": "wait", "args": {"gate": self._name(call)}, **ordering},
            plugin_id=PLUGIN,
            deadline=trio.current_time() + 60.0,
            on_done=lambda outcome: self._answers.__setitem__(call, outcome),
        )

    def _tell(self, method: str, calls: list[int]) -> None:
        self._host.link.broadcast(method, {"request_ids": [self._ids[call] for call in calls]})

    def differences(self) -> list[str]:
        started = self._page.read_started()
        assert started is not None
        begun = sorted(call for call, request_id in self._ids.items() if request_id in started)
        marked = sum(runner.marked for runner in self.state.runners)
        expected = [call for call in range(len(self._rules.keys)) if marked >> call & 1]
        pairs = [("begun", begun, expected), ("answers", self._kinds, dict(sorted(self._expected.items())))]
        return [f"{what}: {real}, expected {wanted}" for what, real, wanted in pairs if real != wanted]

    @property
    def _kinds(self) -> dict[int, int]:
        return {call: _kind_of(answer) for call, answer in sorted(self._answers.items())}


def _kind_of(answer: Any) -> int:
    if not isinstance(answer, RemoteError):
        return RESULT
    kind = answer.details.get("kind")
    said = (answer.code, {"kind": kind} if kind else {})
    return next(number for number, known in REFUSALS.items() if known == said)


@pytest.mark.slow
@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(Rules(keys="aaab", window=4, cancels=2, restarts=1), id="two keys"),
        pytest.param(Rules(keys="aa--", window=3, cancels=2, restarts=1), id="some without a key"),
        pytest.param(Rules(keys="aaaa", window=2, cancels=1, restarts=1), id="one key"),
    ],
)
async def test_a_runner_does_what_the_model_says(rules: Rules, page: Page) -> None:
    """What begins and is marked, what is given back, what is cut off, what has a result, and in which order it ran."""
    assert await _play(rules, page) == ""


@pytest.mark.slow
@pytest.mark.parametrize("mutant", [Mutant.TWO_AT_ONCE, Mutant.MARK_LATE])
async def test_a_runner_with_another_rule_is_told_from_ours(mutant: Mutant, page: Page) -> None:
    """Or the comparison would say nothing."""
    assert await _play(Rules(keys="aaa", window=3, mutant=mutant), page)


async def _play(rules: Rules, page: Page) -> str:
    """Go ways that are chosen by a seed; tell the first on which the two part, "" when there is none."""
    chance, effects = random.Random(1), []
    async with open_runner(assignment("waits_at_gates"), page=page, features=FEATURES) as host:
        await host.wait_ready()
        for number in range(PLAYS):
            play = Play(rules, host, page, number)
            while steps := play.next_steps():
                await play.do(chance.choice(steps))
                if found := play.differences():
                    return "\n".join([tell(rules, play.steps), *found])
            effects += play.effects
        ran: list[str] = await host.run(PLUGIN, "passed")
    assert effects, "nothing has run"
    return "" if ran == effects else f"ran {ran}, expected {effects}"
