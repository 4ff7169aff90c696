"""What happens outside of the host, in which order, and what does a seed decide?

One heap of moments and one task that works them off. Everything that the host does not do itself (bytes that arrive, runners
that begin, beat and die, operators, callers) is a callback here, so a virtual minute costs as many steps as things happen
in it. Every choice comes from random numbers of the seed: the same seed is the same run, to the byte of its trace.
"""

from __future__ import annotations

import hashlib
import heapq
import random
from collections.abc import Callable
from typing import Any

import trio
from trio._core._run import GLOBAL_RUN_CONTEXT
from trio.testing import MockClock

KEPT_LINES = 400
"""Lines of the trace that are kept, unless all are."""


class Violation(Exception):
    """Something happened that must not happen; its text says what."""


MOST_PASSES = 20_000
"""Of the loop without any time passing: somebody waits for nothing, and would for ever."""


class Spinning(trio.abc.Instrument):
    """Finds a loop that turns without end at one moment."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._at = -1.0
        self._passes = 0

    def before_io_wait(self, timeout: float) -> None:
        now = self._world.clock._virtual_base
        if now != self._at:
            self._at, self._passes = now, 0
        self._passes += 1
        if self._passes == MOST_PASSES:
            self._world.accuse("the loop turns without end and no time passes")
            self._world.wake()


def jump(clock: MockClock) -> None:
    """What a mock clock does when nothing can run, without the statistics of the whole loop that it asks for."""
    due = GLOBAL_RUN_CONTEXT.runner.deadlines.next_deadline()
    if clock._virtual_base < due < float("inf"):
        clock._virtual_base = due


class World:
    """Time, chance and the record of one run.

    Args:
        seed: Decides everything.
        keeps_trace: Keep every line.

    Attributes:
        evidence: The lines before the first violation; empty before that.
        violations: What was found where nothing can be raised.
        lags: When the host stood still: from and to.
    """

    def __init__(self, seed: int, clock: MockClock, *, keeps_trace: bool = False) -> None:
        self.seed = seed
        self.clock = clock
        self.random = random.Random(f"world {seed}")
        self.violations: list[str] = []
        self.lags: list[tuple[float, float]] = []
        self.lines: list[str] = []
        self.evidence: list[str] = []
        self.found_at = 0.0
        self._keeps_trace = keeps_trace
        self._digest = hashlib.sha256()
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0
        self._scope: trio.CancelScope | None = None

    # --- the record --------------------------------------------------------------------------------------------

    def note(self, text: str) -> None:
        """One line of the trace."""
        line = f"{self.now:10.4f} {text}"
        self._digest.update(line.encode())
        self.lines.append(line)
        if not self._keeps_trace and len(self.lines) > 2 * KEPT_LINES:
            del self.lines[:-KEPT_LINES]

    def accuse(self, text: str) -> None:
        """Note a violation; the run ends at the next moment at which something can be raised."""
        self.note(f"VIOLATION {text}")
        self.violations.append(text)
        self._keep_evidence()

    def _keep_evidence(self) -> None:
        """What follows on a violation is only the end of the run."""
        if not self.evidence:
            self.evidence, self.found_at = self.lines[-KEPT_LINES:], self.now

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()

    # --- chance ------------------------------------------------------------------------------------------------

    def happens(self, probability: float) -> bool:
        return self.random.random() < probability

    def between(self, least: float, most: float) -> float:
        return self.random.uniform(least, most)

    # --- time --------------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        return (
            self.clock._virtual_base
        )  # what current_time() gives for a clock of rate 0, at a tenth of the cost

    def at(self, delay: float, function: Callable[..., None], *args: Any) -> None:
        """Call a function so many seconds from now."""
        moment = self.now + delay
        self._count += 1
        heapq.heappush(self._heap, (moment, self._count, function, args))
        if self._scope is not None and moment < self._scope.deadline:
            self._scope.deadline = moment

    def wake(self) -> None:
        """Look at once whether something was found."""
        if self._scope is not None:
            self._scope.deadline = self.now

    async def run(self) -> None:
        """Work everything off when it is due, until cancelled.

        Raises:
            Violation: One was found.
        """
        while True:
            due = self._heap[0][0] if self._heap else float("inf")
            with trio.CancelScope(deadline=due) as self._scope:
                await trio.sleep_forever()
            self._scope = None
            while self._heap and self._heap[0][0] <= self.now:
                self._step()
            self.check()

    def check(self) -> None:
        if self.violations:
            raise Violation(self.violations[0])

    def stand_still(self, seconds: float) -> None:
        """The host's thread does not run for so long; the world around it goes on, and the kernel keeps what comes."""
        begin, end = self.now, self.now + seconds
        self.lags.append((begin, end))
        self.note(f"the host stands still for {seconds:.3f} s")
        while self._heap and self._heap[0][0] <= end:
            if (ahead := self._heap[0][0] - self.now) > 0:
                self.clock.jump(ahead)
            self._step()
        if (ahead := end - self.now) > 0:
            self.clock.jump(ahead)

    def allow_for_lag(self, moment: float, grace: float) -> float:
        """Until when something that is due at a moment may take, given when the host could not do anything."""
        allowed = moment + grace
        for begin, end in self.lags:
            if begin <= allowed and moment <= end:
                allowed = max(allowed, end + grace)
        return allowed

    def _step(self) -> None:
        _, _, function, args = heapq.heappop(self._heap)
        try:
            function(*args)
        except BaseException:
            self._keep_evidence()
            raise
