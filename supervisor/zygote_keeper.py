"""How is a zygote kept warm, so that a start never waits for one that is not?

It is watched as a runner is. When it dies it is told in one line, starts spawn at once, and another one is made in the
background, later each time. Only the starts of a host that itself has just started wait for the first: all its runners come
at that moment, and forking them is what the zygote is for.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import trio

from .exit_report import signal_name
from .zygote import ZYGOTE_NAME, Forked, NoZygote, Order, OrderLost, Zygote

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .process import Launch, Process

_LOG = logging.getLogger(__name__)

FIRST_WAIT = 3.0
"""Seconds that the first starts wait for the first zygote to become warm."""

BACKOFF = (0.5, 60.0)
"""Seconds from a death to the next one, doubled with each; at most."""

SOUND_AFTER = 60.0
"""Seconds of life after which an earlier death does not count any more."""

KILL_WAIT = 2.0
"""Seconds for a killed zygote to be gone."""


class ZygoteKeeper:
    """Has one zygote, most of the time. ``run`` is called once.

    Args:
        command: Of a runner, without its arguments.
        preloads: Modules that its runners are going to import.
    """

    def __init__(self, command: tuple[str, ...], preloads: Sequence[str] = ()) -> None:
        self.command = command
        self._preloads = preloads
        self._turn = trio.Lock()
        self._first = trio.Event()
        """The first one is warm, or will not be."""
        self._process: Zygote | None = None
        self._warm: Zygote | None = None
        self._number = 0
        self.number_of_forks = 0
        """Runners that were forked so far."""
        self._why_not = "it is not warm yet"

    def __repr__(self) -> str:
        return f"<ZygoteKeeper, {self.describe()}>"

    def describe(self) -> str:
        """For the status."""
        return f"warm, pid {self._warm.pid}" if self._warm is not None else f"none: {self._why_not}"

    @property
    def pid(self) -> int | None:
        """Of the one that is warm."""
        return self._warm.pid if self._warm is not None else None

    @property
    def pids(self) -> tuple[int, ...]:
        """Of the one that is warm, becomes warm or is being ended."""
        return (self._process.pid,) if self._process is not None else ()

    @property
    def has_order(self) -> bool:
        """Whether a runner is being forked now."""
        return self._warm is not None and self._warm.has_order

    async def fork(self, order: Order) -> Forked:
        """Have a runner forked; the caller has seen to it that nobody reaps what comes of it.

        Raises:
            NoZygote: It was not.
            OrderLost: Perhaps it was.
        """
        with trio.move_on_after(FIRST_WAIT):
            await self._first.wait()
        async with self._turn:
            if self._warm is None:
                raise NoZygote(self._why_not)
            try:
                forked = await self._warm.fork(order)
            except OrderLost as error:
                self._warm, self._why_not = None, str(error.strerror)
                raise
            self.number_of_forks += 1
            return forked

    async def run(self, spawn: Callable[[Launch], Process]) -> None:
        """Keep one, until cancelled; then it is ended.

        Args:
            spawn: Starts it.
        """
        failures = 0
        try:
            while True:
                started = trio.current_time()
                await self._keep_one(spawn)
                failures = 1 if trio.current_time() - started > SOUND_AFTER else failures + 1
                delay = min(BACKOFF[1], BACKOFF[0] * 2 ** min(failures - 1, 10))
                _LOG.warning("%s; runners are spawned, another one starts in %g s", self._why_not, delay)
                await trio.sleep(delay)
        finally:
            self._why_not = "the host stops"
            self._first.set()

    async def _keep_one(self, spawn: Callable[[Launch], Process]) -> None:
        """From its start to its death; afterwards it is said why there is none."""
        self._number += 1
        try:
            zygote = Zygote(spawn, self.command, f"{ZYGOTE_NAME}.{self._number}", self._preloads)
        except OSError as error:
            self._why_not = f"no zygote can be started: {error.strerror}"
            self._first.set()
            return
        self._process = zygote
        try:
            if await zygote.wait_warm():
                self._warm = zygote
                self._first.set()
                await zygote.wait_dead()
        finally:
            self._warm = None
            zygote.kill()
            with trio.CancelScope(shield=True, deadline=trio.current_time() + KILL_WAIT):
                await zygote.wait_dead()
            words = zygote.last_words()
            how = _how(zygote.reap())
            self._process = None
            self._why_not = f"the zygote (pid {zygote.pid}) {zygote.fault or how}" + (
                f": {words}" if words else ""
            )
            self._first.set()


def _how(status: int | None) -> str:
    if status is None:
        return "does not end"
    return f"was killed by {signal_name(-status)}" if status < 0 else f"ended with code {status}"
