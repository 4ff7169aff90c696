"""The newest lines are there, and a reader gets every further one that it can take."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio
import trio.testing

from rookery.supervisor.limits import ShardLimits
from rookery.supervisor.log_ring import LINE_COST, READER_LINES, LogRing
from rookery.supervisor.observers import LogWritten


def written(text: str, *, shard: str = "a", plugin: str = "") -> LogWritten:
    return LogWritten(shard=shard, plugin_id=plugin, level=logging.INFO, text=text, logger="x")


def texts(lines: list[dict[str, Any]]) -> list[str]:
    return [line["text"] for line in lines]


def test_the_newest_lines_of_all_shards_come_in_their_order() -> None:
    """And of one, or of one plugin, where that is asked for."""
    ring = LogRing()
    for number in range(4):
        ring.note(written(f"a{number}", shard="a", plugin="p.q" if number % 2 else ""))
        ring.note(written(f"b{number}", shard="b"))
    ring.note(object())

    assert texts(ring.latest(3)) == ["b2", "a3", "b3"]
    assert texts(ring.latest(2, shard="a")) == ["a2", "a3"]
    assert texts(ring.latest(9, plugin="p.q")) == ["a1", "a3"]
    assert ring.latest(0) == []


def test_each_shard_has_a_bound_of_its_own() -> None:
    """A talkative one does not push the others out."""
    ring = LogRing(lambda name: ShardLimits(log_ring=10 * (LINE_COST + 10) if name == "a" else 0))
    ring.note(written("quiet", shard="b"))
    for _ in range(100):
        ring.note(written("x" * 10, shard="a"))

    assert len(ring.latest(1000, shard="a")) == 10
    assert texts(ring.latest(1000, shard="b")) == ["quiet"]


async def test_a_reader_follows_from_the_newest_on() -> None:
    """No line is shown twice and none is left out between the old and the new."""
    ring = LogRing()
    for number in range(3):
        ring.note(written(f"old {number}"))
    follower = ring.follow(2)
    found = [await anext(follower) for _ in range(2)]
    ring.note(written("new", shard="b"))
    found.append(await anext(follower))
    await follower.aclose()  # type: ignore[attr-defined]  # a generator

    assert texts(found) == ["old 1", "old 2", "new"]
    assert ring._readers == []


@pytest.mark.parametrize("plugin", ["", "p.q"])
async def test_a_slow_reader_misses_lines_and_is_told(plugin: str) -> None:
    """Its buffer is bounded; whoever writes does not wait."""
    ring = LogRing()
    ring.note(written("first", plugin="p.q"))
    follower = ring.follow(1, plugin=plugin)
    await anext(follower)
    for number in range(READER_LINES + 50):
        ring.note(written(f"line {number}", plugin="p.q"))

    told = await anext(follower)
    after = [await anext(follower) for _ in range(READER_LINES)]
    await follower.aclose()  # type: ignore[attr-defined]  # a generator

    assert told["text"] == "[50 lines were missed: read faster]"
    assert after[-1]["text"] == f"line {READER_LINES - 1}"


async def test_a_reader_that_leaves_is_forgotten() -> None:
    """Also in the middle of waiting."""
    ring = LogRing()

    async def read() -> None:
        async for _ in ring.follow(0):
            pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    with trio.fail_after(1):
        while ring._readers:
            await trio.testing.wait_all_tasks_blocked(0.001)
