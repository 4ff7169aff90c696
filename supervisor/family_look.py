"""How much do a runner and all that descends from it use: memory, processes, threads?

Read from ``/proc``, once a second, for runners that have such limits. Only memory that was written to is counted, RssAnon and
RssShmem: what is mapped from files, as the interpreter and its libraries are, can be given back at any time, and is shared. A
child that was just forked shares what was written as well, so a sum that is over a limit is looked at again, with each page
divided among those that have it (``smaps_rollup``), where that can be read. It takes ten times as long, and is not needed else.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .process_look import children_of, stat_fields
from .wear import FamilyLook

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST = 10_000
"""Processes that one walk takes: a fork bomb must not keep the host busy."""

_PAGE = os.sysconf("SC_PAGE_SIZE")
_STATE, _THREADS, _RSS = 0, 17, 21
"""Places in ``stat_fields``."""


def look_at_family(heads: Iterable[int], *, memory: int = 0, tasks: int = 0) -> FamilyLook:
    """Look; takes some 20 microseconds for each process.

    Args:
        heads: Those to begin with.
        memory: Bytes from which on it has to be right to the page; 0 leaves memory out.
        tasks: How many there may be; from twice as many on it is not looked further. 0 counts them all.
    """
    found: dict[int, int] = {}
    count = 0
    enough = 2 * tasks or MOST
    for pid, fields in all_of(heads):
        if fields[_STATE] == "Z":
            continue  # it uses nothing but its number, and whoever should reap it may be slow
        count += int(fields[_THREADS])
        if memory:
            found[pid] = _written(pid, int(fields[_RSS]) * _PAGE)
        if count > enough:
            break
    used = sum(found.values())
    if used > memory > 0 and len(found) > 1:
        used = sum(_share(pid, written) for pid, written in found.items())
    return FamilyLook(memory=used, tasks=count)


def all_of(heads: Iterable[int]) -> Iterator[tuple[int, list[str]]]:
    """Some processes and everything that descends from them, each once, with the fields of its ``stat``."""
    waiting = list(heads)
    taken: set[int] = set()
    while waiting and len(taken) < MOST:
        each = waiting.pop()
        fields = stat_fields(each) if each not in taken else None
        if fields is None:
            continue
        taken.add(each)
        yield each, fields
        waiting += children_of(each)


def _written(pid: int, otherwise: int) -> int:
    """Bytes of RssAnon and RssShmem; or this, where the kernel does not tell them apart."""
    found = _sizes(f"/proc/{pid}/status", (b"RssAnon:", b"RssShmem:"))
    return otherwise if found is None else found


def _share(pid: int, otherwise: int) -> int:
    found = _sizes(f"/proc/{pid}/smaps_rollup", (b"Pss_Anon:", b"Pss_Shmem:"))
    return otherwise if found is None else found


def _sizes(path: str, names: tuple[bytes, ...]) -> int | None:
    """The sum of some lines such as ``RssAnon:  123 kB``, in bytes; None where one is not there."""
    try:
        with open(path, "rb") as file:
            values = [int(line.split()[1]) for line in file if line.startswith(names)]
    except (OSError, ValueError, IndexError):
        return None
    return 1024 * sum(values) if len(values) == len(names) else None
