"""When may a shard start: who waits for whom, and how many are on their way at once?"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Protocol

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

    from .shard import Shard

STARTS_AT_ONCE = 4
"""Runners that load at the same time: more only makes all of them slow (sixteen on two cores take 2.5 s)."""

STAGGER = 0.1
"""Seconds, at most, that a start is put off by chance: what died together does not start together."""


class StartTurns(Protocol):
    """Gives shards their turn to start."""

    async def wait(self, shard: Shard) -> None:
        """Return when it is this shard's turn; it holds it until ``give_back``. Cancelled, it holds nothing."""

    def give_back(self, shard: Shard) -> None:
        """The shard is up, or has ended; harmless when it held no turn."""


class AtOnce:
    """Everybody's turn is always."""

    async def wait(self, shard: Shard) -> None:
        await trio.lowlevel.checkpoint()

    def give_back(self, shard: Shard) -> None:
        """There is nothing to give back."""


class Turns:
    """So many shards are on their way up at once, the others in the order in which they came.

    Args:
        at_once: How many.
        stagger: Seconds that a start waits at most, by chance, once it is its turn and others are on their way too.
        chance: A random number from 0 to 1.
    """

    def __init__(
        self,
        at_once: int = STARTS_AT_ONCE,
        *,
        stagger: float = 0.0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._limiter = trio.CapacityLimiter(at_once)
        self._stagger = stagger
        self._chance = chance
        self._holders: set[Shard] = set()

    @property
    def held(self) -> int:
        """How many shards are on their way up."""
        return len(self._holders)

    async def wait(self, shard: Shard) -> None:
        await self._limiter.acquire_on_behalf_of(shard)
        self._holders.add(shard)
        try:
            await trio.sleep(self._stagger * self._chance() if self.held > 1 else 0)
        except BaseException:
            self.give_back(shard)
            raise

    def give_back(self, shard: Shard) -> None:
        if shard in self._holders:
            self._holders.remove(shard)
            self._limiter.release_on_behalf_of(shard)
