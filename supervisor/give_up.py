"""After how long, and after how many restarts, is a shard given up that ends again and again?

Nobody sees that from a policy's numbers: two windows, a growing delay and its reset work on each other. So the real decision is
asked, life after life, without waiting.
"""

from __future__ import annotations

import attrs

from .exit_report import ExitKind, ExitReport
from .restart import History, RestartMode, RestartPolicy, Verdict, decide_restart
from .shard_state import ShardState

START = 0.2
"""Seconds from the start of a runner to its end when it dies at once, measured: the interpreter and the imports."""

CHANCE = 0.5
"""How much of the random part of a delay is taken off: what is to be expected."""

MOST_LIVES = 1_000
"""More is for ever, for whoever reads this."""

LIVES = (0.0, 10.0, 100.0)
"""Seconds that are told of: it cannot start at all, it dies of its first work, it dies of something rare."""

_STEPS = (1.0, 1.5, 2.0, 3.0, 5.0)


@attrs.frozen(kw_only=True)
class GiveUp:
    """How a shard is given up whose runners are ready for the same time each."""

    ready_for: float
    """Seconds that each runner works."""
    seconds: float
    """From the first start to the last end."""
    restarts: int


def simulate_give_up(policy: RestartPolicy, ready_for: float) -> GiveUp | None:
    """How a shard is given up whose every runner crashes after so long; None when it never is, as far as can be told.

    Args:
        ready_for: Seconds that each runner works before it ends; 0 is one that never becomes ready.
    """
    now, history = 0.0, History()
    for restarts in range(MOST_LIVES):
        started = now
        now += START + ready_for
        decision = decide_restart(policy, history, _crash(started, now, ready_for), now, CHANCE)
        if decision.verdict is not Verdict.RESTART:
            return GiveUp(ready_for=ready_for, seconds=now, restarts=restarts)
        history = decision.history
        now += decision.delay or 0.0
    return None


def find_endless(policy: RestartPolicy) -> float | None:
    """The shortest life, of a few round ones, with which a shard is never given up; None when each of them gives it up."""
    for power in range(6):
        for step in _STEPS:
            if simulate_give_up(policy, step * 10.0**power) is None:
                return step * 10.0**power
    return None


def is_given_up(policy: RestartPolicy) -> bool:
    """Whether the question makes sense: a temporary shard is never started again."""
    return policy.mode is not RestartMode.TEMPORARY


def _crash(started: float, ended: float, ready_for: float) -> ExitReport:
    return ExitReport(
        shard="",
        incarnation=1,
        pid=None,
        plugins=(),
        state=ShardState.READY if ready_for else ShardState.LOADING,
        kind=ExitKind.EXITED,
        code=1,
        started_at=started,
        ended_at=ended,
        ready_at=ended - ready_for if ready_for else None,
    )
