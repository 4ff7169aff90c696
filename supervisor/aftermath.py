"""What becomes of a shard after an unplanned end: which state, by which row of the table, for how long, in which words?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .restart import Verdict
from .shard_state import ShardState

if TYPE_CHECKING:
    from .judgement import Judgement
    from .restart import Decision


@attrs.frozen(kw_only=True)
class Aftermath:
    """What a shard does after an end."""

    state: ShardState
    by: str
    """The row of the table of states."""
    text: str
    """For people: ``back in 0.2 s`` · ``given up: …`` · ``stopped``."""
    reason: str
    """Why the state changes."""
    delay: float | None
    """Seconds until the next start; None when there is none."""


def decide_aftermath(decision: Decision, judgement: Judgement, *, held: float, spawned: bool) -> Aftermath:
    """Put together what the policy says and what the judge found.

    Args:
        held: Seconds for which the shard is held anyway; may be negative.
        spawned: Whether there was a process at all.
    """
    if decision.verdict is Verdict.STAY_STOPPED:
        return Aftermath(
            state=ShardState.STOPPED, by="T23", text="stopped", reason=decision.reason, delay=None
        )
    if decision.verdict is Verdict.GIVE_UP:
        again = "" if decision.delay is None else f"; another attempt in {decision.delay:.0f} s"
        by = ("T24" if decision.is_permanent else "T26") if spawned else "T4"
        reason = f"{decision.reason}{again}"
        text = f"given up: {reason}"
        return Aftermath(state=ShardState.FAILED, by=by, text=text, reason=reason, delay=decision.delay)
    delay = max(decision.delay or 0.0, judgement.hold, held)
    text = f"back in {delay:.1f} s" if delay else "back at once"
    if judgement.reason:
        text += f" ({judgement.reason})"
    by = ("T25" if judgement.is_excused else "T27") if spawned else "T4"
    return Aftermath(state=ShardState.BACKOFF, by=by, text=text, reason=text, delay=delay)
