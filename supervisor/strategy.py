"""Which siblings follow a shard whose runner ended, and when does a group give up?

The strategies are those of Erlang's supervisors, and so is the counting: one end is one restart, however many siblings are
cycled for it, and what is cycled was planned.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import attrs

from .ranges import Form, Range

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GROUP_FORM = Form(
    lambda text: 0 < len(text) <= 32 and text.replace("-", "_").isidentifier() and text == text.lower(),
    "a word of a-z, 0-9, '_' and '-', such as 'plugins'",
)

DEFAULT_GROUP = "plugins"
"""The group of every shard that names none."""


class Strategy(StrEnum):
    ONE_FOR_ONE = "one_for_one"
    """Nobody follows: shards share nothing."""
    REST_FOR_ONE = "rest_for_one"
    """Those behind it in the file are restarted: they hold something of those before them."""
    ONE_FOR_ALL = "one_for_all"
    """All are restarted: they hold something of each other."""


class Significance(StrEnum):
    """What the end of a shard means for its group."""

    OPTIONAL = "optional"
    """Given up, it stays so, and the bot goes on without it."""
    REQUIRED = "required"
    """Given up, its whole group is restarted, and when that does not help the host ends with 70."""
    ONE_SHOT = "one_shot"
    """It has a job and then ends; see `auto_shutdown`."""


class AutoShutdown(StrEnum):
    """When the end of jobs ends the host."""

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    """When one of the one_shot shards of the group has ended."""
    ALL_SIGNIFICANT = "all_significant"
    """When all of them have."""


@attrs.frozen(kw_only=True)
class GroupSettings:
    """Shards that start, fail and stop by one rule. Times are seconds."""

    name: str = attrs.field(default=DEFAULT_GROUP, validator=GROUP_FORM)
    strategy: Strategy = Strategy.ONE_FOR_ONE
    restart_limit: int = attrs.field(default=3, validator=Range(0))
    """How often the group is restarted for a required shard within `restart_window`; once more ends the host."""
    restart_window: float = attrs.field(default=300.0, validator=Range(0, above=True))
    """A restart of the group counts for so long."""
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER
    start_concurrency: int = attrs.field(default=4, validator=Range(1, 256))
    """Shards that are on their way up at once."""
    start_stagger: float = attrs.field(default=0.1, validator=Range(0, 60))
    """A start is put off by chance, at most by so long."""

    @property
    def is_ordered(self) -> bool:
        """Whether a shard waits for those before it."""
        return self.strategy is not Strategy.ONE_FOR_ONE


def start_order(places: Mapping[str, int | None]) -> tuple[str, ...]:
    """The shards of a group as they start: those with a place by it, then the others as they are given.

    Args:
        places: By name, in the order of the file; None is no place.
    """
    return tuple(sorted(places, key=lambda name: _place(places[name])))


def _place(order: int | None) -> tuple[bool, int]:
    return order is None, order or 0


def followers(strategy: Strategy, order: Sequence[str], failed: str) -> tuple[str, ...]:
    """The siblings that are restarted because one ended, the last of the order first, as they are to be stopped.

    Args:
        order: The names of the group's shards, as they start.
    """
    if strategy is Strategy.ONE_FOR_ONE or failed not in order:
        return ()
    first = order.index(failed) + 1 if strategy is Strategy.REST_FOR_ONE else 0
    return tuple(name for name in reversed(order[first:]) if name != failed)


def predecessors(settings: GroupSettings, order: Sequence[str], name: str) -> tuple[str, ...]:
    """Those that a shard waits for before it starts."""
    if not settings.is_ordered or name not in order:
        return ()
    return tuple(order[: order.index(name)])
