"""What may be found after the unplanned end of a runner, besides whether its shard comes back?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import attrs

if TYPE_CHECKING:
    from .exit_report import ExitReport
    from .shard import Shard


@attrs.frozen(kw_only=True)
class Judgement:
    """What follows for the shard from whose fault it was."""

    is_excused: bool = False
    """The end is not counted for the shard: what caused it is certain, and is gone from it."""
    hold: float = 0.0
    """Seconds that it waits at least before it starts again."""
    reason: str = ""
    """Why it waits, for people; "" when it does not."""
    culprit: str = ""
    """The plugin or the event that is to blame; "" when nobody knows."""


NOTHING_FOUND = Judgement()


class Judge(Protocol):
    """Finds whose fault an end was, and acts on it. Called from the loop; must not raise."""

    def judge(self, shard: Shard, report: ExitReport) -> Judgement:
        """Called once for each unplanned end, before it is decided whether the shard starts again."""

    def take_blocked(self, shard: Shard, plugin_id: str, reason: str) -> None:
        """A plugin has ended so many runners while it was loaded that the shard goes on without it."""


class _NoJudge:
    def judge(self, shard: Shard, report: ExitReport) -> Judgement:
        return NOTHING_FOUND

    def take_blocked(self, shard: Shard, plugin_id: str, reason: str) -> None:
        """It stays where it is, and is not loaded."""


NO_JUDGE: Judge = _NoJudge()
"""Nobody is to blame."""
