"""Which files below some directories have changed? Told by the kernel where ``watchfiles`` is installed, else found out.

A save is often several changes: a new file, a rename, a change of its time. What follows within a moment is one burst.
Changes that happen while a burst is being worked on are not lost: they are the next one.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import TypeAlias

import trio

DEBOUNCE = 0.6
"""Seconds in which changes are collected: an editor that saves several files, a checkout."""

STEP = 0.05
"""Seconds of silence after which what was collected is told before that."""

WAKE_PERIOD = 0.2
"""Seconds until the thread that the kernel tells notices that nobody listens any more."""

LOOK_PERIOD = 0.5
"""Seconds between two looks where the kernel does not tell."""

IGNORED_DIRECTORIES = frozenset({"__pycache__", "node_modules"})

Changes: TypeAlias = AsyncGenerator[set[Path], None]
Watch: TypeAlias = Callable[[Iterable[Path]], Changes]


def file_changes(directories: Iterable[Path]) -> Changes:
    """Bursts of changed files, until cancelled.

    Raises:
        OSError: The system does not let them be watched.
    """
    is_there = importlib.util.find_spec("watchfiles") is not None
    return changes_by_kernel(directories) if is_there else changes_by_looking(directories)


async def changes_by_kernel(directories: Iterable[Path]) -> AsyncGenerator[set[Path], None]:
    """Changes as the kernel tells them. A thread waits for them, and ends a moment after this.

    Raises:
        OSError, RuntimeError: They cannot be watched, or not any more.
    """
    import watchfiles  # an extra

    bursts = watchfiles.awatch(
        *directories,
        watch_filter=_is_no_noise,
        debounce=int(DEBOUNCE * 1000),
        step=int(STEP * 1000),
        rust_timeout=int(WAKE_PERIOD * 1000),
    )
    try:
        async with aclosing(bursts):
            async for burst in bursts:
                changed = {Path(path) for _, path in burst}
                # What is made in a new directory before the kernel is asked about that one, too, is told by nobody.
                made = [Path(path) for kind, path in burst if kind == watchfiles.Change.added]
                yield changed.union(await _looked(made))
    except ExceptionGroup as group:  # of the library's own nursery
        failures, others = group.split((OSError, RuntimeError))
        if failures is not None and others is None:
            raise OSError(str(failures.exceptions[0])) from group
        raise


async def changes_by_looking(
    directories: Iterable[Path], *, period: float = LOOK_PERIOD
) -> AsyncGenerator[set[Path], None]:
    """Changes as they are found by comparing each file's time, size and number with what they were."""
    directories = list(directories)
    before = await _looked(directories)
    while True:
        await trio.sleep(period)
        found = await _looked(directories)
        if found == before:
            continue
        for _ in range(int(DEBOUNCE / STEP)):
            await trio.sleep(STEP)
            found, earlier = await _looked(directories), found
            if found == earlier:
                break
        burst = {path for path in before.keys() | found.keys() if before.get(path) != found.get(path)}
        before = found
        if burst:
            yield burst


async def _looked(directories: Iterable[Path]) -> dict[Path, tuple[int, int, int]]:
    """In a thread: there may be thousands of files, on a disk that is slow."""
    return await trio.to_thread.run_sync(_look, directories)


def _look(directories: Iterable[Path]) -> dict[Path, tuple[int, int, int]]:
    found = {}
    for directory in directories:
        for place, folders, names in os.walk(directory):
            folders[:] = [name for name in folders if not _is_noise(name)]
            for name in names:
                if _is_noise(name):
                    continue
                path = Path(place, name)
                try:
                    told = path.stat()
                except OSError:
                    continue  # it has gone meanwhile
                found[path] = (told.st_mtime_ns, told.st_size, told.st_ino)
    return found


def _is_noise(name: str) -> bool:
    return name.startswith(".") or name in IGNORED_DIRECTORIES


def _is_no_noise(_: object, path: str) -> bool:
    return not any(map(_is_noise, Path(path).parts[-2:]))
