"""Have so many shards died at once that it is the machine, the disk or the deployment, and no plugin?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

WINDOW = 10.0
"""Seconds."""

FRACTION = 0.5
"""Of the shards; more than this part of them."""

LEAST = 2
"""So many at least, when nobody can be charged with their deaths."""

LEAST_CHARGED = 3
"""So many at least, when plugins can: two plugins that crash at the same time are two plugins that crash."""

BACKOFF = (1.0, 3.0)
"""Seconds that all of them wait: at least, and at most, by chance."""


@attrs.frozen
class Death:
    """An unplanned end."""

    shard: str
    at: float
    is_charged: bool = False
    """Whether it is certain which plugin did it."""


def recent(deaths: Sequence[Death], now: float) -> tuple[Death, ...]:
    """Those that still count."""
    return tuple(death for death in deaths if death.at > now - WINDOW)


def find_incident(deaths: Sequence[Death], shards: int, now: float) -> frozenset[str]:
    """The shards that are part of one incident; nothing when there is none.

    Args:
        shards: How many there are in all.
    """
    counted = recent(deaths, now)
    dead = frozenset(death.shard for death in counted)
    unexplained = {death.shard for death in counted if not death.is_charged}
    is_enough = len(dead) >= LEAST_CHARGED or len(unexplained) >= LEAST
    return dead if is_enough and len(dead) > FRACTION * shards else frozenset()


def group_backoff(chance: float) -> float:
    """Seconds that one of them waits.

    Args:
        chance: A random number from 0 to 1.
    """
    least, most = BACKOFF
    return least + (most - least) * chance
