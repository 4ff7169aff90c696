"""From a seed to a verdict: the same inputs for the same seed, until one breaks its claim or the time is over."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import attrs

from tests.fuzz.targets import Target

POOL_SIZE = 1000
"""Inputs that are kept to make others of, the honest ones included."""

MAX_INPUT_SECONDS = 5.0
"""CPU time of one input; a decoder that takes longer hangs its event loop."""


class TooSlow(AssertionError):
    """An input took longer than any honest one could."""


@attrs.frozen
class Finding:
    """An input that broke its claim."""

    target: str
    seed: int
    number: int
    """Which of the seed's inputs it is, from 1; 0 for one that comes from elsewhere."""
    data: bytes
    error: Exception

    def told(self) -> str:
        """What happened, and the command that lets it happen again."""
        which = f"input {self.number} of seed {self.seed}" if self.number else "an input"
        lines = [
            f"FAILED {self.target}, {which}: {type(self.error).__name__}: {self.error!s:.500}",
            f"input: {self.data.hex()}",
            f"again: python -m tests.fuzz --target {self.target} --repeat {self.data.hex() or 'empty'}",
        ]
        if self.number:
            lines.append(
                f"or:    python -m tests.fuzz --target {self.target} --seed {self.seed} --inputs {self.number}"
            )
        return "\n".join(lines)


@attrs.define
class Search:
    """Inputs of one seed for one target, and what became of them.

    Without a coverage tool the outcome of an input stands for the path that it took: one with a new outcome is kept,
    and later inputs are made of it.
    """

    target: Target
    seed: int
    inputs: int = 0
    outcomes: set[str] = attrs.Factory(set)
    finding: Finding | None = None

    def run(self, *, seconds: float = float("inf"), inputs: int | None = None) -> Finding | None:
        """Go on until so many seconds or inputs are over, or something is found."""
        end = time.monotonic() + seconds
        for data in self._candidates():
            if self.finding is not None or time.monotonic() >= end or self.inputs == inputs:
                break
            self._try(data)
        return self.finding

    def _candidates(self) -> Iterator[bytes]:
        luck = random.Random(f"{self.target.name} {self.seed}")
        pool = list(self.target.seeds())
        yield from list(pool)
        while True:
            known = len(self.outcomes)
            data = self.target.mutate(luck, pool)
            yield data
            if len(self.outcomes) > known:
                if len(pool) < POOL_SIZE:
                    pool.append(data)
                else:
                    pool[luck.randrange(POOL_SIZE)] = data

    def _try(self, data: bytes) -> None:
        self.inputs += 1
        self.finding = try_input(self.target, data, self.seed, self.inputs, self.outcomes)


def try_input(
    target: Target, data: bytes, seed: int = 0, number: int = 0, outcomes: set[str] | None = None
) -> Finding | None:
    """Check one input; its outcome is added to ``outcomes``."""
    began = time.process_time()
    try:
        outcome = target.check(data)
        took = time.process_time() - began
        if took > MAX_INPUT_SECONDS:
            raise TooSlow(f"{took:.1f} s for {len(data)} bytes")
    except Exception as error:
        return Finding(target.name, seed, number, data, error)
    if outcomes is not None:
        outcomes.add(outcome)
    return None
