"""Who answers for every process that comes from a runner, so that none outlives it?

Four things know of them, each where the others do not: the process group (``process.py``), a control group where the host
may make some (``cgroup.py``), adoption (``reaper.py``), and a file for the next host (``runs.py``). Here a runner is started
under all that there are, and what is left of it is ended under all of them.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import attrs
import trio

from .boxed import Boxed
from .cgroup import ControlGroups, Leaf, open_groups
from .child_limits import be_nice, limit
from .process import Adopted, Process, spawn, start
from .process_look import start_time, ticks_since_boot
from .reaper import Reaper, open_reaper
from .run_name import RUN_VARIABLE, RunNames
from .runs import RunsDirectory
from .spare import NO_DESCRIPTORS, SpareDescriptors, hold_spare_descriptors
from .zygote import NoZygote, Order
from .zygote_keeper import ZygoteKeeper

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from pathlib import Path

    from .process import Launch, Started

_LOG = logging.getLogger(__name__)


@attrs.frozen(kw_only=True, eq=False)
class Custody:
    """Starts runners, and knows what they leave."""

    runs: RunsDirectory
    names: RunNames
    spare: SpareDescriptors
    reaper: Reaper | None
    """None where orphans cannot be adopted."""
    groups: ControlGroups | None
    """None where there are no control groups."""
    fixed_means: Mapping[str, str]
    keeper: ZygoteKeeper | None
    """None where runners are not forked."""

    @property
    def means(self) -> dict[str, str]:
        """What there is, in words, for the status."""
        zygote = self.keeper.describe() if self.keeper is not None else "off"
        return {**self.fixed_means, "zygote": zygote}

    @property
    def own_pids(self) -> frozenset[int]:
        """Processes of this host that are no shard's: the zygote, and one that is being ended."""
        return frozenset(self.keeper.pids if self.keeper is not None else ())

    def start(self, launch: Launch) -> Process | Awaitable[Process]:
        """Start a runner: forked from a zygote where that is allowed and possible, else spawned.

        Raises:
            OSError: It could not be started; there is nothing to clean up.
            OrderLost: It may be there. It will be ended, and must not have the descriptors of another one.
        """
        if launch.may_be_forked and self.keeper is not None:
            return self._fork(launch, self.keeper)
        return self.spawn(launch)

    async def _fork(self, launch: Launch, keeper: ZygoteKeeper) -> Process:
        assert self.reaper is not None
        cookie = self.names.cookie_of(launch.run)
        order = Order(
            arguments=launch.command[len(keeper.command) :],
            shown=launch.command,
            environment={RUN_VARIABLE: cookie, **launch.environment},
            descriptors={1: launch.stdout, 2: launch.stderr, **{each: each for each in launch.inherited}},
        )
        try:
            with self.reaper.leaving_the_young_alone():
                forked = await keeper.fork(order)
                self.reaper.begin(launch.run, forked.pid)
        except NoZygote:
            return self.spawn(launch)
        limit(forked.pid, launch.limits)
        be_nice(forked.pid, launch.limits)
        leaf = self.groups.open_leaf(launch.run, launch.limits) if self.groups is not None else None
        return self._take_in(launch, Adopted(forked.pid), leaf, start_time(forked.pid), forked.pidfd)

    def spawn(self, launch: Launch) -> Process:
        """Start a runner. Blocks for half a millisecond.

        Raises:
            OSError: It could not be started; there is nothing to clean up.
        """
        if not launch.run:
            return spawn(launch)
        cookie = self.names.cookie_of(launch.run)
        launch = attrs.evolve(launch, environment={**launch.environment, RUN_VARIABLE: cookie})
        leaf = self.groups.open_leaf(launch.run, launch.limits) if self.groups is not None else None
        before = ticks_since_boot()
        try:
            popen = start(launch)
        except OSError as error:
            if leaf is not None:
                leaf.remove()
            self._complain(error)
            raise
        # Its tick is nearly always the one in which all this happened. Asking the kernel for it makes every other shard
        # wait until the new program is set up: three milliseconds, and five at times.
        started = before if before == ticks_since_boot() else None
        return self._take_in(launch, popen, leaf, started)

    def _take_in(
        self, launch: Launch, child: Started, leaf: Leaf | None, started: int | None, pidfd: int | None = None
    ) -> Process:
        if leaf is not None:
            leaf.add(child.pid)
        self.runs.note(launch.run, child.pid, self.names.cookie_of(launch.run), started=started)
        if self.reaper is not None:
            self.reaper.begin(launch.run, child.pid)
        kind = Boxed if launch.is_boxed else Process
        return kind(child, _Remains(self, launch.run, leaf), pidfd)

    async def run(self) -> None:
        """Look after what has been adopted, and keep a zygote, until cancelled."""
        async with trio.open_nursery() as nursery:
            if self.reaper is not None:
                nursery.start_soon(self.reaper.run)
            if self.keeper is not None:
                nursery.start_soon(self.keeper.run, self.spawn)

    def _complain(self, error: OSError) -> None:
        # The log file may have to be opened for this, and there may be no descriptor for it.
        if error.errno in NO_DESCRIPTORS:
            with self.spare.lent():
                _LOG.warning("no runner can be started: %s; raise the limit of open files", error.strerror)


@asynccontextmanager
async def open_custody(
    state_dir: Path,
    *,
    owns_process: bool = False,
    forks: tuple[str, ...] = (),
    preloads: Sequence[str] = (),
) -> AsyncIterator[Custody]:
    """Answer for the runners of a host for as long as the block runs; what is left at the end is ended.

    Args:
        state_dir: Owned by this host.
        owns_process: Nobody else starts children in this process, as in the command line's; an embedded host does not own it.
        forks: The command of a runner that may be forked, without its arguments; empty when none is to be.
        preloads: Modules that forked runners are going to import.
    """
    runs, names = RunsDirectory(state_dir), RunNames()
    await runs.sweep()
    with (
        hold_spare_descriptors() as spare,
        open_groups() as (groups, group_text),
        open_reaper(names, spare, owns_process=owns_process) as reaper,
    ):
        custody = Custody(
            runs=runs,
            names=names,
            spare=spare,
            reaper=reaper,
            groups=groups,
            fixed_means={"adoption": "on" if reaper is not None else "off", "cgroup": group_text},
            keeper=ZygoteKeeper(forks, preloads) if forks and reaper is not None else None,
        )
        try:
            yield custody
        finally:
            if reaper is not None:
                await reaper.finish()
            runs.close()


@attrs.frozen(eq=False)
class _Remains:
    """What one runner leaves."""

    _custody: Custody
    _run: str
    _leaf: Leaf | None

    def kill(self) -> None:
        if self._leaf is not None:
            self._leaf.kill()

    def remember(self, pid: int) -> None:
        if self._custody.reaper is not None:
            self._custody.reaper.remember(self._run, pid)

    def members(self) -> list[int]:
        return self._custody.reaper.members_of(self._run) if self._custody.reaper is not None else []

    @property
    def counts_processes(self) -> bool:
        return self._leaf is not None

    def sweep(self) -> None:
        self.kill()
        if self._custody.reaper is not None:
            self._custody.reaper.sweep(self._run)

    def finish(self) -> int:
        custody = self._custody
        oom_kills = 0
        if self._leaf is not None and custody.groups is not None:
            oom_kills = self._leaf.oom_kills
            custody.groups.remove(self._leaf)
        custody.runs.forget(self._run)
        if custody.reaper is not None:
            custody.reaper.end(self._run)
        return oom_kills
