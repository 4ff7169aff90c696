"""What have shards written lately, and who reads along?

The newest lines of each shard are kept in memory, so that they can be asked for while the disk is full. Whoever reads along
has a bounded buffer: a reader that is slow misses lines, and is told how many; nobody waits for it.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs
import trio

from .limits import ShardLimits
from .observers import LogWritten

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

LINE_COST = 400
"""Bytes that a line takes in memory besides its text."""

READER_LINES = 1000
"""Lines that wait for one reader."""


@attrs.define
class _Ring:
    most: int
    """Bytes that are kept, about: what a line needs besides its text counts with `LINE_COST`."""
    lines: deque[tuple[int, dict[str, Any]]] = attrs.field(factory=deque)
    """By the number of the line, oldest first."""
    size: int = 0

    def add(self, number: int, line: dict[str, Any]) -> None:
        self.lines.append((number, line))
        self.size += _cost(line)
        while self.size > self.most and len(self.lines) > 1:
            _, oldest = self.lines.popleft()
            self.size -= _cost(oldest)


@attrs.define(eq=False)
class _Reader:
    send: trio.MemorySendChannel[dict[str, Any]]
    missed: int = 0


class LogRing:
    """Keeps the newest lines of every shard; an observer of the host's.

    Args:
        limits: What is kept of a shard of this name; the defaults without it.
    """

    def __init__(self, limits: Callable[[str], ShardLimits] = lambda _: ShardLimits()) -> None:
        self._limits = limits
        self._rings: dict[str, _Ring] = {}
        self._readers: list[_Reader] = []
        self._number = 0

    def note(self, record: object) -> None:
        """Take a record, if it is a line that a shard wrote."""
        if not isinstance(record, LogWritten):
            return
        line = {
            "time": time.time(),
            "shard": record.shard,
            "plugin": record.plugin_id,
            "level": record.level,
            "logger": record.logger,
            "text": record.text,
        }
        self._number += 1
        ring = self._rings.get(record.shard)
        if ring is None:
            ring = self._rings[record.shard] = _Ring(self._limits(record.shard).log_ring)
        ring.add(self._number, line)
        for reader in self._readers:
            try:
                reader.send.send_nowait(line)
            except trio.WouldBlock:
                reader.missed += 1

    def latest(self, count: int, *, shard: str = "", plugin: str = "") -> list[dict[str, Any]]:
        """The newest lines, oldest first.

        Args:
            shard, plugin: Only of these; "" is any.
        """
        found = [
            (number, line)
            for name, ring in self._rings.items()
            if shard in ("", name)
            for number, line in ring.lines
            if plugin in ("", line["plugin"])
        ]
        return [line for _, line in sorted(found, key=lambda each: each[0])[-count:]] if count else []

    async def follow(self, count: int, *, shard: str = "", plugin: str = "") -> AsyncIterator[dict[str, Any]]:
        """The newest lines and then every further one, for ever."""
        with self._reading() as (reader, receive):
            for line in self.latest(count, shard=shard, plugin=plugin):
                yield line
            async for line in receive:
                if reader.missed:
                    missed, reader.missed = reader.missed, 0
                    yield {**line, "plugin": "", "text": f"[{missed} lines were missed: read faster]"}
                if shard in ("", line["shard"]) and plugin in ("", line["plugin"]):
                    yield line

    @contextmanager
    def _reading(self) -> Iterator[tuple[_Reader, trio.MemoryReceiveChannel[dict[str, Any]]]]:
        send, receive = trio.open_memory_channel[dict[str, Any]](READER_LINES)
        reader = _Reader(send)
        self._readers.append(reader)
        try:
            yield reader, receive
        finally:
            self._readers.remove(reader)
            send.close()
            receive.close()


def _cost(line: dict[str, Any]) -> int:
    return len(line["text"]) + LINE_COST
