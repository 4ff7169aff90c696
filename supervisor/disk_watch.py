"""When are the directories of a shard measured, and what follows when they hold too much?

A quota of the file system would be better where there is one: it refuses the write, and this finds it afterwards. But it wants a
user or a project for each shard and an administrator who has mounted it so, and nothing of that can be counted on. So whoever has
such a limit is measured from time to time, in a thread, from the first second of each runner on. The more there is to measure the
less often: it takes a fiftieth of the time at most. What is written between two looks is what a shard can have more than it may.
"""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from .confiner import HOMES
from .disk_use import measure_disk
from .health import Doomed
from .wear import decide_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rookery.protocol import AssignedPlugin

    from .exit_report import ExitKind
    from .shard import Shard

_LOG = logging.getLogger(__name__)

PERIOD = 5.0
"""Seconds between two looks, at least."""

PACE = 50
"""How many times as long as it has taken it waits for the next."""


async def watch_disk(shard: Shard, number: int, condemn: Callable[[ExitKind, str], None]) -> None:
    """Measure until there is too much, or until cancelled; nothing for a shard without such limits.

    Args:
        number: Of the incarnation.
        condemn: Ends the runner.
    """
    limits = shard.settings.limits
    if not (limits.disk or limits.files):
        return
    measure = partial(
        measure_disk,
        writable_directories(shard.name, shard.assign(shard, number, {}).plugins),
        most_bytes=limits.disk,
        most_files=limits.files,
        go_on=trio.from_thread.check_cancelled,
    )
    while True:
        began = trio.current_time()
        try:
            # A disk that does not answer must not keep a runner from being buried.
            use = await trio.to_thread.run_sync(measure, abandon_on_cancel=True)
        except OSError as error:
            _LOG.warning("what shard %r has on the disk was not measured: %s", shard.name, error)
        else:
            found = decide_disk(limits, use)
            if isinstance(found, Doomed):
                condemn(found.kind, found.reason)
                return
        await trio.sleep(max(PERIOD, PACE * (trio.current_time() - began)))


def writable_directories(shard: str, plugins: Iterable[AssignedPlugin]) -> list[str]:
    """Where a shard may write for good: its plugins' data, and its own directory, which only a confined one has."""
    data = [each.data_dir for each in plugins if each.data_dir]
    homes = [str(Path(each).parent.parent / HOMES / shard) for each in data[:1]]
    return list(dict.fromkeys((*data, *homes)))
