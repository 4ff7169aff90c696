"""How does a synchronous state machine of Hypothesis drive trio, step by step and always the same way?

A rule of ``RuleBasedStateMachine`` is a plain function, and ``trio.run`` returns when everything is over. Three ways lead out:

* Generate the whole program as a list and play it in one ``trio.run``. Then a step cannot depend on what the steps before
  it have led to: most are void, and what a shrunk program means is hard to read.
* Replace the runner of Hypothesis's state machines, as hypothesis-trio does. That follows its private parts, which change.
* Guest mode, which is what this is. Trio's loop is cut into ticks, and a rule turns as many of them as it wants. It stays a
  true state machine, with preconditions and a program of rules as the counter-example.

Guest mode takes a thread to wait for input and output. Not here: the clock jumps as soon as nobody can run, and while a step
waits for the next a task of this file can always run, so no tick ever has to wait. What a socketpair, a pipe and a page of
memory deliver is there at once. So a program is the same each time, and trio's order of tasks comes from a random generator
that Hypothesis seeds; ``st.random_module()`` draws other orders.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import trio
import trio.testing
from outcome import Error, Outcome, Value, acapture
from trio.testing import MockClock

MOST_TICKS = 200_000
"""In one step: more is a loop that does not end."""


class SteppedRun:
    """A trio run that stands still between two calls of ``do``.

    Attributes:
        clock: The time of the run. It jumps while a step sleeps, and stands still otherwise.
        nursery: For whatever goes on during later steps.
    """

    nursery: trio.Nursery

    def __init__(self) -> None:
        self.clock = MockClock(autojump_threshold=0)
        self._ticks: deque[Callable[[], object]] = deque()
        self._step: Callable[[], Awaitable[object]] | None = None
        self._answer: Outcome[object] | None = None
        self._end: Outcome[object] | None = None
        self._is_over = False
        trio.lowlevel.start_guest_run(
            self._main,
            run_sync_soon_threadsafe=self._take_thread,
            run_sync_soon_not_threadsafe=self._ticks.append,
            done_callback=self._take_end,
            clock=self.clock,
        )

    def do(self, step: Callable[[], Awaitable[object]]) -> None:
        """Run an async function in the run until it returns; raise what it raises."""
        if self._end is not None:
            raise RuntimeError("the run is over")
        self._step, self._answer = step, None
        self._turn(lambda: self._answer is not None or self._end is not None)
        answer: Outcome[object] | None = self._answer
        (self._take_out_end() if answer is None else answer).unwrap()

    def close(self) -> None:
        """Cancel what still runs and end the run; raise what it ended with, unless a step has raised that."""
        self._is_over = True
        self._turn(lambda: self._end is not None)
        self._take_out_end().unwrap()

    def _take_out_end(self) -> Outcome[object]:
        """What the run ended with, once; later it has ended well."""
        assert self._end is not None
        end, self._end = self._end, Value(None)
        return end

    async def _main(self) -> None:
        async with trio.open_nursery() as self.nursery:
            while not self._is_over:
                if self._step is not None:
                    step, self._step = self._step, None
                    answer: Outcome[object] = await acapture(step)
                    if isinstance(answer, Error) and not isinstance(answer.error, Exception):
                        answer.unwrap()  # the whole run was cancelled
                    self._answer = answer
                # Somebody can always run, so that no tick waits.
                await trio.lowlevel.checkpoint()
            self.nursery.cancel_scope.cancel()

    def _turn(self, is_done: Callable[[], bool]) -> None:
        for _ in range(MOST_TICKS):
            if is_done():
                return
            self._ticks.popleft()()
        raise AssertionError("the run does not come to rest")

    def _take_thread(self, function: Callable[[], object]) -> None:
        raise AssertionError("a tick had to wait for something that comes from outside")

    def _take_end(self, end: Outcome[Any]) -> None:
        self._end = end


async def settle() -> None:
    """Until nobody can run before time passes."""
    await trio.testing.wait_all_tasks_blocked()
