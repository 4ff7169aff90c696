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

from .cgroup import ControlGroups, Leaf, open_groups
from .process import Process, spawn, start
from .process_look import ticks_since_boot
from .reaper import Reaper, open_reaper
from .run_name import RUN_VARIABLE, RunNames
from .runs import RunsDirectory
from .spare import NO_DESCRIPTORS, SpareDescriptors, hold_spare_descriptors

if TYPE_CHECKING:
    from pathlib import Path

    from .process import Launch

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
    means: Mapping[str, str]
    """What there is, in words, for the status."""

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
        if leaf is not None:
            leaf.add(popen.pid)
        # Its tick is nearly always the one in which all this happened. Asking the kernel for it makes every other shard
        # wait until the new program is set up: three milliseconds, and five at times.
        started = before if before == ticks_since_boot() else None
        self.runs.note(launch.run, popen.pid, cookie, started=started)
        if self.reaper is not None:
            self.reaper.begin(launch.run, popen.pid)
        return Process(popen, _Remains(self, launch.run, leaf))

    async def run(self) -> None:
        """Look after what has been adopted, until cancelled."""
        if self.reaper is not None:
            await self.reaper.run()

    def _complain(self, error: OSError) -> None:
        # The log file may have to be opened for this, and there may be no descriptor for it.
        if error.errno in NO_DESCRIPTORS:
            with self.spare.lent():
                _LOG.warning("no runner can be started: %s; raise the limit of open files", error.strerror)


@asynccontextmanager
async def open_custody(state_dir: Path, *, owns_process: bool = False) -> AsyncIterator[Custody]:
    """Answer for the runners of a host for as long as the block runs; what is left at the end is ended.

    Args:
        state_dir: Owned by this host.
        owns_process: Nobody else starts children in this process, as in the command line's; an embedded host does not own it.
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
            means={"adoption": "on" if reaper is not None else "off", "cgroup": group_text},
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
