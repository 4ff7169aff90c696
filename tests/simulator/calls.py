"""What was called, what ran, and what was told of it: the books against which every end of a call is checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from rookery.supervisor.call import Call
from rookery.supervisor.fate import DispatchFailed, Fate
from rookery.supervisor.retries import MAX_ATTEMPTS
from tests.simulator.world import World

if TYPE_CHECKING:
    from tests.simulator.runner import SimRunner

LATE = 0.1
"""Seconds after its deadline by which a call has ended."""

BY_DEATH = frozenset({Fate.RUNNER_LOST, Fate.HUNG})
BY_TRANSITION = BY_DEATH | {Fate.SHUTTING_DOWN}


@attrs.define(eq=False, kw_only=True)
class Booked:
    """One call of the load."""

    number: int
    plugin_id: str
    shard: str
    """Where its plugin lived when it was made."""
    component: str
    key: str | None
    is_idempotent: bool
    deadline: float
    work: float
    """Seconds that its handler takes."""
    call: Call | None = None
    runs: list[SimRunner] = attrs.field(factory=list)
    """The runners in which its handler has begun, in order."""
    answered: SimRunner | None = None
    """The runner that has written an answer to it, completely, while it was open."""
    outcome: str = ""
    """"" while it is open."""
    is_withdrawn: bool = False
    is_poison: bool = False
    """It ends every runner in which it begins."""
    is_slow: bool = False
    """Its handler takes longer than it was told to."""
    is_promised: bool = False
    """It was told that it has not run and will not."""

    def __str__(self) -> str:
        kind = "idempotent" if self.is_idempotent else "plain"
        key = f" of {self.key}" if self.key else ""
        return f"call {self.number} ({kind} {self.plugin_id}.{self.component}{key})"


class Books:
    """All calls of one run.

    Attributes:
        by_number: Every call.
        open: Those without an end that somebody waits for.
    """

    def __init__(self, world: World, spared: frozenset[str]) -> None:
        self._world = world
        self._spared = spared
        self.by_number: dict[int, Booked] = {}
        self.open: dict[int, Booked] = {}
        self.is_stopping = False
        self.outcomes: dict[str, int] = {}
        self.drains: dict[str, float] = {}
        """By shard: the seconds that it may drain."""
        self.runners: dict[str, SimRunner] = {}
        """By shard: the latest runner."""
        self._newest: dict[tuple[str, str, bool], int] = {}
        """By plugin, key and kind: the latest call that has begun."""
        self._latest: dict[str, SimRunner] = {}
        """By shard: the youngest runner that has begun a call."""

    def add(self, booked: Booked) -> None:
        self.by_number[booked.number] = self.open[booked.number] = booked

    # --- what runners do ---------------------------------------------------------------------------------------

    def note_run(self, number: int, runner: SimRunner) -> None:
        """A handler's first line."""
        booked = self.by_number[number]
        self._world.note(f"{booked} begins in {runner}")
        if booked.is_promised:
            self._accuse(booked, "begins although its caller was told that it never would")
        if booked.runs and not booked.is_idempotent:
            self._accuse(booked, "may run once and begins again", "I7")
        booked.runs.append(runner)
        if len(booked.runs) > MAX_ATTEMPTS:
            self._accuse(booked, f"begins for the {len(booked.runs)}th time", "I8")
        self._check_order(booked)
        latest = self._latest.get(runner.shard)
        if latest is not None and latest.incarnation > runner.incarnation:
            self._accuse(booked, f"begins in {runner}, and {latest} works already", "I13")
        self._latest[runner.shard] = runner

    def _check_order(self, booked: Booked) -> None:
        if booked.key is None:
            return
        # Two windows lead to a shard, and calls of the two kinds overtake each other.
        place = (booked.plugin_id, booked.key, booked.component.startswith("inner"))
        newest = self._newest.get(place, 0)
        if booked.number < newest:
            how = "begins" if len(booked.runs) == 1 else "begins again"
            self._accuse(booked, f"{how} after call {newest} of the same key", "I9")
        self._newest[place] = max(newest, booked.number)

    def note_answer(self, number: int, runner: SimRunner) -> None:
        """An answer is completely in the kernel."""
        booked = self.by_number[number]
        if booked.number in self.open and not runner.wire.is_broken and not runner.wire.has_ended:
            booked.answered = runner

    # --- what callers are told ---------------------------------------------------------------------------------

    def settle(self, booked: Booked, outcome: dict[str, Any] | DispatchFailed) -> None:
        if booked.outcome or booked.is_withdrawn:
            return self._accuse(
                booked, f"ends a second time, after {booked.outcome or 'its withdrawal'}", "I6"
            )
        failure = outcome if isinstance(outcome, DispatchFailed) else None
        booked.outcome = "done" if failure is None else failure.fate.value
        del self.open[booked.number]
        self.outcomes[booked.outcome] = self.outcomes.get(booked.outcome, 0) + 1
        detail = "" if failure is None else f": {failure}, maybe_executed={failure.maybe_executed}"
        self._world.note(f"{booked} ends {booked.outcome}{detail}")
        allowed = self._world.allow_for_lag(booked.deadline, LATE)
        if self._world.now > allowed + 1e-6:
            late = self._world.now - booked.deadline
            self._accuse(booked, f"ends {late:.3f} s after its deadline", "I6")
        if failure is None:
            assert isinstance(outcome, dict)
            self._check_result(booked, outcome)
        else:
            self._check_failure(booked, failure)
        return None

    def _check_result(self, booked: Booked, answer: dict[str, Any]) -> None:
        result = answer.get("result")
        if not booked.runs:
            return self._accuse(booked, f"has the result {result!r} and never ran", "I7")
        if not booked.is_idempotent and len(booked.runs) != 1:
            self._accuse(booked, f"is done and ran {len(booked.runs)} times", "I7")
        runner = booked.runs[-1]
        if result != [booked.number, runner.pid]:
            self._accuse(booked, f"got the answer {result!r}, and ran in {runner}", "I14")
        return None

    def _check_failure(self, booked: Booked, failure: DispatchFailed) -> None:
        if not failure.maybe_executed:
            booked.is_promised = True
            if booked.runs:
                self._accuse(booked, f"has begun, and its caller is told that it has not ({failure})", "I7")
        answered = booked.answered
        if answered is not None and failure.fate in BY_DEATH:
            self._accuse(booked, f"was answered by {answered} and is lost all the same", "I10")
        if failure.fate in BY_DEATH and failure.maybe_executed and not booked.runs:
            self._check_innocent(booked)
        if failure.fate in BY_TRANSITION and not self.is_stopping:
            self._check_transition(booked)
        if booked.shard in self._spared and not self._is_explained(booked, failure):
            self._accuse(booked, f"failed in a shard to which nothing was done: {failure}", "I16")

    def _check_innocent(self, booked: Booked) -> None:
        """A call that had not begun when its runner died is put back, if the runner kept account."""
        runner = self._runner_of(booked)
        if runner is not None and runner.keeps_account and booked.number not in runner.marked:
            self._accuse(booked, f"had not begun when {runner} died, and is lost", "I10")

    def _check_transition(self, booked: Booked) -> None:
        """An end that was planned loses no call whose handler would have ended in time."""
        runner = self.runners.get(booked.call.component.shard) if booked.call is not None else None
        if runner is None or runner.causes or "recall" not in runner.features or self._world.lags:
            return
        if booked.work <= 0.2 and not booked.is_slow and self.drains[runner.shard] >= 5.0:
            self._accuse(booked, f"is lost by the planned end of {runner}", "promise")

    def _runner_of(self, booked: Booked) -> SimRunner | None:
        """The dead runner that is being buried now."""
        runner = self.runners.get(booked.call.component.shard) if booked.call is not None else None
        return runner if runner is not None and runner.is_dead else None

    def _is_explained(self, booked: Booked, failure: DispatchFailed) -> bool:
        # An event that has ended runners elsewhere is shown to nobody.
        if self.is_stopping or failure.fate in (Fate.HANDLER_ERROR, Fate.DEAD_LETTERED):
            return True
        if failure.fate is not Fate.TIMEOUT:
            return False
        return any(
            begin <= booked.deadline and end >= booked.deadline - 5.0 for begin, end in self._world.lags
        )

    def withdraw(self, booked: Booked, *, was_waiting: bool) -> None:
        self._world.note(f"{booked} is withdrawn")
        booked.is_withdrawn = True
        booked.is_promised = was_waiting
        self.outcomes["withdrawn"] = self.outcomes.get("withdrawn", 0) + 1
        del self.open[booked.number]

    def check_deadlines(self) -> None:
        """Nothing is open after its time."""
        for booked in self.open.values():
            allowed = self._world.allow_for_lag(booked.deadline, LATE)
            if self._world.now > allowed + 1e-6:
                self._accuse(
                    booked, f"is open {self._world.now - booked.deadline:.3f} s after its deadline", "I6"
                )

    def _accuse(self, booked: Booked, text: str, invariant: str = "I7") -> None:
        self._world.accuse(f"{invariant}: {booked} {text}")
