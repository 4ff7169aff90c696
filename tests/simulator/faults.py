"""What goes wrong in one run, and how often: a seed switches each kind on or off, and the points where it could happen ask.

A quarter of the kinds is on in a run, and each fires at a quarter of its points, as in FoundationDB's simulator. Points that
each call passes are many: there a kind has a rate of its own besides, so that shards also work between two deaths.
"""

from __future__ import annotations

import random
from collections import Counter

SWITCHED_ON = 0.25
"""Of the kinds, in one run."""

FIRES = 0.25
"""Of the points that a kind passes."""

RATES = (0.02, 0.08, 0.4)
"""How much rarer a kind is at points that each call passes; one of them in a run."""

KINDS = (
    # At the start of a runner.
    "spawn refused",
    "no interpreter",
    "order lost",
    "no descriptors",
    "no page",
    "no hello",
    "strange first frame",
    "death before hello",
    "death while loading",
    "hang while loading",
    "slow loading",
    "load failure",
    "late hello",
    # Of a runner that works.
    "death at work",
    "hang for a moment",
    "hang for good",
    "stopped by a signal",
    "does not read",
    "closes its connection",
    "garbage",
    "half a frame",
    "strange plugin",
    "flood of strange answers",
    "grows",
    "late proof of death",
    "grandchild",
    # Of one call.
    "death at the start of a handler",
    "death before the first line",
    "death in a handler",
    "death at the end of a handler",
    "death after an answer",
    "death in a frame",
    "hang in a handler",
    "slow handler",
    "stubborn handler",
    "handler error",
    "answer twice",
    "poison",
    "strange answer",
    # On the way out.
    "ignores SIGTERM",
    "unkillable",
    "does not drain",
    "death while draining",
    # Of the host.
    "the host stands still",
    "operator",
)

OF_CALLS = frozenset(KINDS[KINDS.index("death at the start of a handler") : KINDS.index("ignores SIGTERM")])


class Faults:
    """The faults of one run.

    Args:
        spared: Shards to which nothing is done.

    Attributes:
        is_calm: Nothing goes wrong any more.
        fired: How often each kind did.
    """

    def __init__(self, chance: random.Random, spared: frozenset[str], *, only: str = "") -> None:
        self._random = chance
        self._spared = spared
        self.is_calm = False
        self.fired: Counter[str] = Counter()
        on = {kind: chance.choice(RATES) for kind in KINDS if chance.random() < SWITCHED_ON}
        self.on = {only: 0.4} if only else on

    def fires(self, kind: str, shard: str = "") -> bool:
        """Whether this kind of fault happens here and now."""
        rate = self.on.get(kind)
        if rate is None or self.is_calm or shard in self._spared:
            return False
        probability = FIRES * rate if kind in OF_CALLS else FIRES
        if self._random.random() >= probability:
            return False
        self.fired[kind] += 1
        return True
