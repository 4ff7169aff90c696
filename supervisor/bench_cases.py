"""What is measured: which work, over how many shards, with how much payload, by how many handlers, how many at once?"""

from __future__ import annotations

from enum import StrEnum
from itertools import product
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable

SHARDS = ("a", "b", "c", "d")
"""Of the deployment that a benchmark makes; a case over two shards uses the first two."""

KIB = 1024


class Work(StrEnum):
    INVOKE = "invoke"
    """One tool is called, which gives its payload back."""
    EVENT = "event"
    """A message is shown to handlers that only see it, until the last of them has ended."""
    CHAIN = "chain"
    """A hook asks its handlers one after the other. Those of one shard are neighbours in the order."""
    MIXED = "mixed chain"
    """The same with eight groups of neighbours, each in another shard than the one before it."""


class Runs(StrEnum):
    """How a runner calls a handler."""

    ASYNC = "async"
    """A coroutine function, on the loop."""
    PLAIN = "plain"
    """A plain function, in a thread."""
    QUICK = "quick"
    """A plain function that says it is quick, on the loop."""


@attrs.frozen(kw_only=True)
class Case:
    """One thing that is measured once in each repetition."""

    work: Work
    shards: int = 1
    payload: int = KIB
    """Bytes of the message, about."""
    handlers: int = 1
    """In all, over all shards."""
    in_flight: int = 1
    runs: Runs = Runs.ASYNC
    cpus: int = 1
    """Host and runners are held on so many."""
    is_spawned: bool = False
    """In a shard of its own whose runner is a new program; the others are forked from a zygote where that is possible."""
    is_asyncio: bool = False
    """In a shard of its own whose runner has an asyncio loop; the others have trio alone."""
    is_bare: bool = False
    """In a shard of its own whose runner keeps no order, and shows neither what it has begun nor that it lives."""
    is_ordered: bool = False
    """Each caller is a conversation, whose order is kept."""

    @property
    def topic(self) -> str:
        """The event or hook that its handlers are registered for."""
        if self.work is Work.MIXED:
            return "bench.mixed"
        return f"bench.{self.work.value}.{self.runs.value}.{self.handlers}.{self.shards}"

    @property
    def name(self) -> str:
        """All of it in words; what is as in most cases is left out."""
        parts = [f"{self.work.value} {size(self.payload)}", self.runs.value]
        if self.work is not Work.INVOKE:
            parts.append(f"{self.handlers} handler{'s' if self.handlers > 1 else ''}")
        parts.append(f"{self.shards} shard{'s' if self.shards > 1 else ''}")
        if self.in_flight > 1:
            parts.append(f"{self.in_flight} in flight")
        if self.is_spawned:
            parts.append("spawned")
        if self.is_asyncio:
            parts.append("beside asyncio")
        if self.is_ordered:
            parts.append("in order")
        if self.is_bare:
            parts.append("bare")
        if self.cpus > 1:
            parts.append(f"{self.cpus} CPUs")
        return ", ".join(parts)


def size(count: int) -> str:
    """``64 B``, ``1 KB``: as people say it."""
    return f"{count} B" if count < KIB else f"{count // KIB} KB"


ASYNC = Case(work=Work.INVOKE)
"""R: what fan-out and chains are compared with."""
QUICK = attrs.evolve(ASYNC, runs=Runs.QUICK)
PLAIN = attrs.evolve(ASYNC, runs=Runs.PLAIN)
SPAWNED = attrs.evolve(ASYNC, is_spawned=True)
ASYNCIO = attrs.evolve(ASYNC, is_asyncio=True)
LARGE = Case(work=Work.INVOKE, payload=64 * KIB)
BUSY = Case(work=Work.INVOKE, in_flight=64)
BUSY_PLAIN = attrs.evolve(BUSY, runs=Runs.PLAIN)
BUSY_SMALL = attrs.evolve(BUSY, payload=64)
BUSY_WIDE = attrs.evolve(BUSY, cpus=2)
BUSY_ORDERED = attrs.evolve(BUSY, is_ordered=True)
BUSY_BARE = attrs.evolve(BUSY, is_bare=True)
EVENT_NEAR = Case(work=Work.EVENT, handlers=64, runs=Runs.QUICK)
EVENT_FAR = attrs.evolve(EVENT_NEAR, shards=4)
EVENT_ASYNC = attrs.evolve(EVENT_FAR, runs=Runs.ASYNC)
CHAIN_NEAR = Case(work=Work.CHAIN, handlers=64)
CHAIN_FAR = attrs.evolve(CHAIN_NEAR, shards=4)
CHAIN_MIXED = Case(work=Work.MIXED, handlers=64, shards=4)

JUDGED = (
    *(QUICK, PLAIN, ASYNC, SPAWNED, ASYNCIO, LARGE, BUSY, BUSY_PLAIN, BUSY_SMALL, BUSY_WIDE),
    *(BUSY_ORDERED, BUSY_BARE),
    *(EVENT_NEAR, EVENT_FAR, EVENT_ASYNC, CHAIN_NEAR, CHAIN_FAR, CHAIN_MIXED),
)
"""Those that have a goal, or that one with a goal needs."""


def all_cases(*, is_quick: bool, cpus: int) -> tuple[Case, ...]:
    """Every case of a run, each once.

    Args:
        cpus: How many this process may use; cases for more are left out.
    """
    found = JUDGED if is_quick else (*JUDGED, *_sweep())
    return tuple(case for case in dict.fromkeys(found) if case.cpus <= cpus)


def _sweep() -> Iterable[Case]:
    for payload, in_flight, shards in product((64, KIB, 16 * KIB, 64 * KIB), (1, 8, 64), (1, 4)):
        if payload == KIB or shards == 1:
            yield Case(work=Work.INVOKE, payload=payload, in_flight=in_flight, shards=shards)
    for in_flight, shards in ((8, 1), (64, 4), (256, 4)):
        yield Case(work=Work.INVOKE, in_flight=in_flight, shards=shards, cpus=2)
    for work, handlers, shards in product((Work.EVENT, Work.CHAIN), (4, 16, 64), (1, 4)):
        yield Case(work=work, handlers=handlers, shards=shards)
    for work in (Work.EVENT, Work.CHAIN):
        for runs in (Runs.PLAIN, Runs.QUICK):
            yield Case(work=work, handlers=64, shards=4, runs=runs)
    for payload in (64, 16 * KIB):
        yield Case(work=Work.EVENT, handlers=64, shards=4, payload=payload)
        yield Case(work=Work.CHAIN, handlers=64, shards=4, payload=payload)
    for work in (Work.EVENT, Work.CHAIN):
        yield Case(work=work, handlers=16, shards=4, in_flight=8)
        yield Case(work=work, handlers=16, shards=4, in_flight=8, cpus=2)


def topics(cases: Iterable[Case]) -> tuple[Case, ...]:
    """One case for each event and hook that needs handlers."""
    found = {case.topic: case for case in cases if case.work in (Work.EVENT, Work.CHAIN)}
    return tuple(found.values())
