"""A runner's process as its host sees it: a number, signals, a death that is proved a little later."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import trio

from rookery.protocol import page as layout
from rookery.runner.page import OwnPage, open_own_page
from rookery.supervisor.limits import ShardLimits
from rookery.supervisor.process import Usage
from rookery.supervisor.process_look import ProcessLook
from rookery.supervisor.wear import NOTHING, FamilyLook

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from rookery.supervisor.process import Launch
    from tests.simulator.faults import Faults
    from tests.simulator.wire import Wire
    from tests.simulator.world import World

MIB = 1024 * 1024

PROOF = 0.005
"""Seconds from an end to the moment at which the kernel proves it, at most."""


class SimProcess:
    """What ``rookery.supervisor.process.Process`` is for a real one; the code that runs in it is a subclass's.

    Attributes:
        causes: What was done to it that may end it; a runner without any may not die but as planned.
        marked: Calls whose beginning it has told.
        is_frozen: None of its code runs, for now or for good.
        hang: How it looks while it is frozen: the state in ``/proc`` and whether its thread beats.
    """

    def __init__(self, world: World, faults: Faults, wire: Wire, launch: Launch, pid: int) -> None:
        self.world = world
        self.faults = faults
        self.wire = wire
        self.pid = pid
        self.shard, _, incarnation = launch.run.rpartition(".")
        self.incarnation = int(incarnation.rstrip("b"))  # one whose first order was lost
        self.causes: list[str] = []
        self.marked: set[int] = set()
        self.is_frozen = False
        self.is_deaf = False
        """It runs and does not read."""
        self.is_gone = False
        """It has ended, which may not be proved yet."""
        self.is_killed = False
        self.is_dead = False
        self.is_reaped = False
        self.hang = ("S", True)
        self.silent_since: float | None = None
        """Since when it does not work, or does not read."""
        self.rss = 100 * MIB
        self.usage: Usage | None = None
        self.page = _open_page(launch, pid)
        self.ignores_term = faults.fires("ignores SIGTERM", self.shard)
        self.kill_takes = world.between(0.0, 0.02)
        if faults.fires("unkillable", self.shard):
            self.kill_takes = world.between(0.0, 40.0)
        self._status: int | None = None
        self._dead = trio.Event()
        self._deferred: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        wire.may_read = self._may_read

    @property
    def status(self) -> int | None:
        """The exit code, or minus the signal's number; None before its death is proved."""
        return self._status if self.is_dead else None

    def __str__(self) -> str:
        return f"{self.shard}#{self.incarnation} (pid {self.pid})"

    # --- what its host does ------------------------------------------------------------------------------------

    async def wait_dead(self) -> None:
        await self._dead.wait()

    def ask_to_leave(self) -> None:
        self._check_signal("SIGTERM")
        if self.hang[0] == "T":
            self.thaw()
        if not self.ignores_term:
            self.later(self.world.between(0.0, 0.3), self.die, -15)

    def kill(self) -> None:
        self._check_signal("SIGKILL")
        if not self.is_gone and not self.is_killed:
            self.world.note(f"{self} is killed, which takes {self.kill_takes:.3f} s")
            self.is_killed = True
            self.world.at(self.kill_takes, self.die, -9)

    def sweep(self) -> None:
        if self.is_reaped or not self.is_dead:
            self.world.accuse(
                f"I15: {self} is swept {'after it was reaped' if self.is_reaped else 'while it lives'}"
            )

    @property
    def runner_pid(self) -> int:
        return self.pid

    def ask_for_stacks(self) -> bool:
        self._check_signal("SIGUSR1")
        return False

    def resume(self) -> None:
        self._check_signal("SIGCONT")
        if self.hang[0] == "T" and self.world.happens(0.5):
            self.thaw()

    def look(self) -> ProcessLook:
        return ProcessLook(state=self.hang[0], rss=self.rss)

    def glance(self) -> ProcessLook:
        return self.look()

    def look_at_family(self, limits: ShardLimits) -> FamilyLook:
        return NOTHING

    def reap(self) -> int | None:
        if self.is_reaped:
            self.world.accuse(f"I15: {self} is reaped twice")
        if self.is_dead:
            self.is_reaped = True
            self.usage = Usage(cpu=1.0, max_rss=self.rss)
        return self._status if self.is_dead else None

    def abandon(self) -> None:
        self.world.note(f"{self} is abandoned")
        self.is_killed = True
        self.die(-9)

    def _check_signal(self, name: str) -> None:
        if self.is_reaped:
            self.world.accuse(f"I15: {name} is sent to {self} after it was reaped")

    # --- what it does ------------------------------------------------------------------------------------------

    def later(self, delay: float, function: Callable[..., None], *args: Any) -> None:
        """Run some of its code in so many seconds, if it can run code then."""
        self.world.at(delay, self._run, function, args)

    def die(self, status: int, cause: str = "") -> None:
        """End with an exit code, or with minus a signal's number."""
        if self.is_gone:
            return
        if cause:
            self.blame(cause)
        self.world.note(f"{self} ends with {status}")
        self.is_gone = True
        self._status = status
        if self.faults.fires("grandchild", self.shard):
            self.wire.settle()
            self.wire.is_held = True
        else:
            self.wire.end()
        late = self.world.random.choice((0.0, PROOF))
        if self.faults.fires("late proof of death", self.shard):
            late = 0.4
        self.world.at(self.world.between(0.0, late), self._prove)

    def blame(self, cause: str) -> None:
        """Something was done to it that may end it."""
        self.world.note(f"{self}: {cause}")
        self.causes.append(cause)

    def freeze(self, cause: str, hang: tuple[str, bool], seconds: float) -> None:
        """None of its code runs for so long."""
        self.blame(f"{cause}, {hang}, for {seconds:.1f} s")
        self.is_frozen, self.hang = True, hang
        self.fall_silent()
        if seconds != float("inf"):
            self.world.at(seconds, self.thaw)

    def fall_silent(self) -> None:
        """From now on it shows no sign of life, or one less."""
        if self.silent_since is None:
            self.silent_since = self.world.now

    def thaw(self) -> None:
        if not self.is_frozen or self.is_gone or self.is_killed:
            return
        self.world.note(f"{self} goes on")
        self.is_frozen, self.hang = False, ("S", True)
        deferred, self._deferred = self._deferred, []
        for function, args in deferred:
            self._run(function, args)
        self.wire.wake_runner()

    def hear_again(self) -> None:
        """It reads what it is sent."""
        self.is_deaf = False
        self.wire.wake_runner()

    def beat(self) -> None:
        """Called once a second by the world."""
        if self.is_gone or self.is_killed or self.page is None:
            return
        if self.hang[1]:
            self.page.beat_thread(1)
        if not self.is_frozen:
            self.page.beat_loop()
            if not self.is_deaf:
                self.silent_since = None

    def _run(self, function: Callable[..., None], args: tuple[Any, ...]) -> None:
        if self.is_gone or self.is_killed:
            return
        if self.is_frozen:
            self._deferred.append((function, args))
        else:
            function(*args)

    def _may_read(self) -> bool:
        return not (self.is_deaf or self.is_frozen or self.is_killed or self.is_gone)

    def _prove(self) -> None:
        self.world.note(f"the death of {self} is proved")
        self.is_dead = True
        self.page = None  # it is mapped until then
        self._dead.set()


def _open_page(launch: Launch, pid: int) -> OwnPage | None:
    """The runner's own page, through the runner's own code."""
    if "--page-fd" not in launch.command:
        return None
    number = int(launch.command[launch.command.index("--page-fd") + 1])
    page = open_own_page(os.dup(number))
    page._cells[layout.PID_AT // 8] = pid  # of the process that it stands for
    return page
