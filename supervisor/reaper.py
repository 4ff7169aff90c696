"""What becomes of a process that a plugin has made and that has left its runner's group: a daemon?

When its parent ends it becomes a child of the host (``subreaper.py``). It may live as long as its runner does, and is
killed when the runner is dead. How it is known, in this order: it was seen to descend from a runner; it is in a session
that began in one; its environment names one (``run_name.py``). Whoever hides from all three is a child that nobody knows:
it is left alone while the host is embedded, since it may be the embedder's own, and ended with a host that owns its process.

Each is reaped by its own number: ``waitpid(-1)`` would take the children of ``subprocess``, and the embedder's. Looking costs
some small files once a second, and only a child that was never seen before costs more.
"""

from __future__ import annotations

import logging
import os
import signal
from contextlib import ExitStack, contextmanager
from enum import Enum
from typing import TYPE_CHECKING

import attrs
import trio

from .family_look import MOST, all_of
from .process_look import children_of, start_time, started_with, stat_fields, ticks_since_boot
from .run_name import RUN_VARIABLE, RunNames
from .subreaper import be_subreaper

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .spare import SpareDescriptors

_LOG = logging.getLogger(__name__)

PERIOD = 1.0
"""Seconds between two looks at who has become a child of the host."""

SOON = 0.01
"""Seconds between two looks at first, while something that was killed is not gone; twice as long each time."""

REMEMBER_EVERY = 5
"""Looks between two walks below the living runners, to remember who descends from them."""

END_WAIT = 2.0
"""Seconds at the end of the host for all of them to be gone."""

SURE = 3
"""Looks after which an environment is not read again: that of a process which just becomes another program is empty."""

GONE = 2
"""Looks in a row that have to find none of a dead runner's before it is forgotten: the kernel's list of children may miss
some while others end, and what a child leaves comes to the host after the list was read."""

_PARENT, _SESSION, _START, _STATE = 1, 3, 19, 0
"""Places in ``stat_fields``."""


class Kinship(Enum):
    """Whose a child of the host is."""

    OURS = "a runner that lives"
    DOOMED = "a runner that is dead"
    UNKNOWN = "nobody's that is known"


@attrs.frozen
class _Member:
    """A process that descends from a runner. Its number alone would soon be another's."""

    started: int
    """In ticks since boot."""
    session: int


@attrs.define(eq=False)
class Family:
    """A runner, and what is known to descend from it."""

    run: str
    pid: int
    """Of the runner, and of its session; 0 when it was reaped."""
    sessions: set[int]
    members: dict[int, _Member] = attrs.field(factory=dict)
    is_over: bool = False
    """The runner is dead, and so must all the others be."""
    unseen: int = 0
    """Looks in a row that have found none of them."""

    def has(self, pid: int, fields: list[str]) -> bool:
        """Whether a process is one of them, as far as that can be known without its environment."""
        member = self.members.get(pid)
        if member is not None and member.started == int(fields[_START]):
            return True
        # A session's number is free when the last of it has gone. Its leader under the same number is another's then.
        session = int(fields[_SESSION])
        return session in self.sessions and session != pid

    def remember(self, pid: int, fields: list[str]) -> None:
        """It is one of them."""
        self.unseen = 0
        member = self.members[pid] = _Member(int(fields[_START]), int(fields[_SESSION]))
        self.sessions.add(member.session)

    def forget_the_gone(self) -> None:
        """Keep no number for longer than it means something."""
        self.members = {pid: each for pid, each in self.members.items() if start_time(pid) == each.started}
        self.sessions = {member.session for member in self.members.values()} | (
            {self.pid} if self.pid else set()
        )


class Reaper:
    """Looks after adopted processes.

    Args:
        owns_process: Nobody else starts children in this process: those that nobody knows are reaped, and ended in the end.
    """

    def __init__(self, names: RunNames, spare: SpareDescriptors, *, owns_process: bool = False) -> None:
        self._names = names
        self._spare = spare
        self._owns_process = owns_process
        self._families: dict[str, Family] = {}
        self._unknown: dict[int, tuple[int, int]] = {}
        """Children of the host that are nobody's: their ticks, and how often they were looked at."""
        self._before = frozenset(children_of(os.getpid()))
        self._unreaped: frozenset[int] = frozenset()
        """Unknown ones that were dead at the last look: whoever has started one may be about to reap it."""
        self._looks = 0
        self._orders: list[int] = []
        """The ticks at which what is now being forked by a zygote was ordered."""
        self._wake = trio.Event()

    def __repr__(self) -> str:
        over = sum(family.is_over for family in self._families.values())
        return f"<Reaper of {len(self._families)} runs, {over} over>"

    # --- what starting and burying tells -----------------------------------------------------------------------

    def begin(self, run: str, pid: int) -> None:
        """A runner was started by this process, which reaps it itself."""
        self._families[run] = Family(run, pid, {pid})

    def remember(self, run: str, pid: int) -> None:
        """It descends from this runner, and there may be no time to see that."""
        fields = stat_fields(pid)
        if fields is not None and run in self._families:
            self._families[run].remember(pid, fields)

    def members_of(self, run: str) -> list[int]:
        """What is known to descend from a runner, also by the way of a parent that has ended."""
        family = self._families.get(run)
        known = family.members.items() if family is not None else ()
        return [pid for pid, member in known if start_time(pid) == member.started]

    @contextmanager
    def leaving_the_young_alone(self) -> Iterator[None]:
        """A runner is forked inside, and becomes a child of the host before ``begin`` tells of it: until then it would be
        taken for a stranger's, or for what a dead runner has left."""
        order = ticks_since_boot() or 0
        self._orders.append(order)
        try:
            yield
        finally:
            self._orders.remove(order)

    def sweep(self, run: str) -> None:
        """It is dead and not reaped yet: SIGKILL to all that is left of it. They are reaped by and by."""
        family = self._families.get(run)
        if family is not None:
            family.is_over = True
            self.look()
            self._wake.set()

    def end(self, run: str) -> None:
        """It was reaped, and its number may be another's."""
        family = self._families.get(run)
        if family is not None:
            family.is_over = True
            family.pid = 0
            family.unseen = 0
            self._wake.set()

    # --- looking -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look from time to time, and often while there is something to be done."""
        delay = PERIOD
        while True:
            with trio.move_on_after(delay):
                await self._wake.wait()
            if self._wake.is_set():
                self._wake = trio.Event()
                delay = SOON / 2
            is_busy = self.look() or self._forget()
            delay = min(PERIOD, delay * 2) if is_busy else PERIOD

    def look(self) -> bool:
        """Look at every child of the host that it has not started: reap the dead, kill those whose runner is dead.

        Returns:
            Whether one of the latter is still there.
        """
        self._looks += 1
        with self._spare.lent():
            if self._looks % REMEMBER_EVERY == 0 and not self._orders:  # below a zygote there may be a runner
                self._remember_descendants()
            return self._look_at(self._adopted())

    def _look_at(self, adopted: dict[int, list[str]]) -> bool:
        is_busy = False
        for family in self._families.values():
            family.unseen += 1
        for pid, fields in adopted.items():
            kinship = self._kinship_of(pid, fields)
            if kinship is Kinship.UNKNOWN:
                continue
            if fields[_STATE] == "Z":
                _reap(pid)
            elif kinship is Kinship.DOOMED:
                is_busy = True
                self._kill_all_below(pid, fields)
        self._unknown = {pid: seen for pid, seen in self._unknown.items() if pid in adopted}
        self._reap_strangers({pid: fields for pid, fields in adopted.items() if fields[_STATE] == "Z"})
        return is_busy

    def _adopted(self) -> dict[int, list[str]]:
        """The children of the host that no shard has started, with the fields of their ``stat``."""
        own = {family.pid for family in self._families.values()}
        looked = {pid: stat_fields(pid) for pid in children_of(os.getpid())[:MOST] if pid not in own}
        oldest = min(self._orders, default=None)
        return {
            pid: fields
            for pid, fields in looked.items()
            if fields is not None and (oldest is None or int(fields[_START]) < oldest)
        }

    async def finish(self) -> None:
        """End everything that is left, and wait for it, two seconds at most."""
        for family in self._families.values():
            family.is_over = True
        deadline = trio.current_time() + END_WAIT
        delay = SOON
        with trio.CancelScope(shield=True):
            while self.look() | self._forget() | self._end_unknown():
                if trio.current_time() > deadline:
                    _LOG.warning("processes that plugins have started do not end: %s", self._left())
                    break
                await trio.sleep(delay)
                delay *= 2

    # --- how they are known ------------------------------------------------------------------------------------

    def _kinship_of(self, pid: int, fields: list[str]) -> Kinship:
        for family in self._families.values():
            if family.has(pid, fields):
                family.remember(pid, fields)
                return Kinship.DOOMED if family.is_over else Kinship.OURS
        started = int(fields[_START])
        before, times = self._unknown.get(pid, (started, 0))
        if before == started and times >= SURE:
            return Kinship.UNKNOWN
        run = self._names.run_of(started_with(pid, RUN_VARIABLE))
        if not run:
            self._unknown[pid] = (started, times + 1 if before == started else 1)
            return Kinship.UNKNOWN
        known = self._families.get(run)
        if (
            known is None
        ):  # this host has named it: it was over so long ago that it is forgotten, or never began
            known = self._families[run] = Family(run, 0, set(), is_over=True)
        known.remember(pid, fields)
        return Kinship.DOOMED if known.is_over else Kinship.OURS

    def _remember_descendants(self) -> None:
        for family in self._families.values():
            family.forget_the_gone()
            if family.pid and not family.is_over:
                for pid, fields in all_of(children_of(family.pid)):
                    family.remember(pid, fields)

    def _forget(self) -> bool:
        """Let go the families of which nothing is left; whether there are others, which have to go yet.

        Too early, and a child that comes afterwards is nobody's: dead, perhaps, and then its environment tells nothing.
        """
        is_busy = False
        for family in [family for family in self._families.values() if family.is_over and not family.pid]:
            if family.unseen >= GONE:
                family.forget_the_gone()
                if not family.members:
                    del self._families[family.run]
                    continue
            is_busy = True
        return is_busy

    # --- what is done to them ----------------------------------------------------------------------------------

    def _kill_all_below(self, pid: int, fields: list[str]) -> None:
        # Before its end: afterwards they are children of the host, and may be hard to know.
        below = list(all_of(children_of(pid)))
        over = [family for family in self._families.values() if family.is_over and family.has(pid, fields)]
        _kill(pid, int(fields[_START]))
        for each, its_fields in below:
            for family in over:
                family.remember(each, its_fields)
            _kill(each, int(its_fields[_START]))

    def _reap_strangers(self, dead: dict[int, list[str]]) -> None:
        for pid, fields in dead.items():
            # A child that somebody here has started is in the host's session or leads its own: another one was adopted.
            is_adopted = int(fields[_SESSION]) not in (pid, os.getsid(0))
            # Seen dead twice: a Popen of somebody's would have been polled, if there were one.
            if is_adopted or (self._owns_process and pid in self._unreaped):
                _reap(pid)
        self._unreaped = frozenset(dead)

    def _end_unknown(self) -> bool:
        """Those that hide, at the end of a host that owns its process; whether one is there."""
        if not self._owns_process:
            return False
        own = {family.pid for family in self._families.values()} | self._before
        is_busy = False
        for pid in children_of(os.getpid()):
            fields = stat_fields(pid)
            if pid in own or fields is None:
                continue
            if fields[_STATE] == "Z":
                _reap(pid)
            else:
                is_busy = True
                _kill(pid, int(fields[_START]))
        return is_busy

    def _left(self) -> str:
        members = {pid for family in self._families.values() for pid in family.members}
        return ", ".join(str(pid) for pid in children_of(os.getpid()) if pid in members) or "unknown ones"


@contextmanager
def open_reaper(
    names: RunNames, spare: SpareDescriptors, *, owns_process: bool = False
) -> Iterator[Reaper | None]:
    """Adopt what plugins leave behind, for as long as the block runs; None, and one warning, where that is not possible.

    The caller runs ``Reaper.run`` inside, and ``Reaper.finish`` at the end.
    """
    with ExitStack() as stack:
        reaper = None
        try:
            stack.enter_context(be_subreaper())
            reaper = Reaper(names, spare, owns_process=owns_process)
        except OSError as error:
            _LOG.warning(
                "daemons of plugins that leave their runner's group are not found: %s", error.strerror
            )
        yield reaper


def _kill(pid: int, started: int) -> None:
    """SIGKILL, if it is still the process that has started at that tick."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except OSError:
        pidfd = None  # no descriptor: a child of this process that is not reaped keeps its number
    try:
        fields = stat_fields(pid)
        if fields is None or int(fields[_START]) != started:
            return
        if pidfd is not None:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        elif int(fields[_PARENT]) == os.getpid():
            os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass  # gone; or another user's, by a program that may change it
    finally:
        if pidfd is not None:
            os.close(pidfd)


def _reap(pid: int) -> None:
    """Take one dead child away."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass  # somebody in this process waits for any child, and has it
