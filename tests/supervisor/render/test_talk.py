"""Is every question to a browser answered or refused, whatever the browser says?

Real pipes; the browser is the test.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from rookery.supervisor.render import devtools as module
from rookery.supervisor.render.devtools import OVER, DevTools
from rookery.supervisor.render.failure import RenderFailed

Talk = tuple[DevTools, "Peer"]


class Peer:
    """The browser's ends."""

    def __init__(self, reading: int, writing: int) -> None:
        self.reading = trio.lowlevel.FdStream(reading)
        self.writing = trio.lowlevel.FdStream(writing)

    async def asked(self, count: int = 1) -> list[dict[str, Any]]:
        data = b""
        while data.count(b"\0") < count:
            data += await self.reading.receive_some()
        return [json.loads(part) for part in data.split(b"\0")[:count]]

    async def say(self, *parts: bytes | dict[str, Any]) -> None:
        for part in parts:
            data = part if isinstance(part, bytes) else json.dumps(part).encode()
            await self.writing.send_all(data + b"\0")

    async def close(self) -> None:
        await self.reading.aclose()
        await self.writing.aclose()


@pytest.fixture
async def talk() -> AsyncIterator[Talk]:
    to_browser, from_us = os.pipe()
    from_browser, to_us = os.pipe()
    devtools, peer = DevTools(from_browser, from_us), Peer(to_browser, to_us)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(devtools.run)
        yield devtools, peer
        nursery.cancel_scope.cancel()
    await peer.close()
    await devtools.close()


async def test_answers_find_their_questions(talk: Talk, nursery: trio.Nursery) -> None:
    """In any order, and between whatever else is said."""
    devtools, peer = talk
    found: dict[str, Any] = {}
    done = trio.Event()

    async def ask(method: str) -> None:
        found[method] = await devtools.ask(method, "s", x=1)
        if len(found) == 2:
            done.set()

    for method in ("A", "B"):
        nursery.start_soon(ask, method)
    asked = {each["method"]: each for each in await peer.asked(2)}
    await peer.say(b"\xff", b"[1]", b"3", b"[" * 10_000, {"id": "x"}, {"id": 999, "result": {}})
    await peer.say({"id": asked["B"]["id"], "result": {"n": 2}}, {"id": asked["A"]["id"], "result": 7})
    with trio.fail_after(5):
        await done.wait()

    assert (asked["A"]["sessionId"], asked["A"]["params"]) == ("s", {"x": 1})
    assert found == {"A": {}, "B": {"n": 2}}


async def test_events_go_to_their_session(talk: Talk) -> None:
    """And end with a word that there will be none."""
    devtools, peer = talk
    heard: list[tuple[str, str]] = []
    over = trio.Event()

    def listen(method: str, told: dict[str, Any]) -> None:
        heard.append(("s", method))
        if method == OVER:
            over.set()

    devtools.listen("s", listen)
    devtools.listen("t", lambda method, told: heard.append(("t", method)))
    devtools.forget("t")
    await peer.say(
        {"sessionId": "s", "method": "M", "params": {}},
        {"sessionId": "t", "method": "M", "params": {}},
        {"sessionId": [], "method": "M", "params": {}},
        {"sessionId": "s", "method": 3, "params": {}},
        {"sessionId": "s", "method": "N", "params": []},
    )
    await peer.writing.aclose()
    with trio.fail_after(5):
        await over.wait()

    assert heard == [("s", "M"), ("s", OVER)]
    with pytest.raises(RenderFailed, match="has ended"):
        devtools.listen("s", listen)


async def test_a_refusal_is_told(talk: Talk, nursery: trio.Nursery) -> None:
    """With the browser's words, shortened."""
    devtools, peer = talk

    async def refuse() -> None:
        (asked,) = await peer.asked()
        await peer.say({"id": asked["id"], "error": {"message": "no " * 500}})

    nursery.start_soon(refuse)
    with trio.fail_after(5), pytest.raises(RenderFailed, match="refuses A: no no") as caught:
        await devtools.ask("A")

    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("end", ["closes", "floods"])
async def test_whoever_asks_hears_of_the_end(
    talk: Talk, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """At once, and so does everybody who asks later."""
    monkeypatch.setattr(module, "MAX_MESSAGE_BYTES", 1000)
    devtools, peer = talk

    async def finish() -> None:
        await peer.asked()
        if end == "closes":
            await peer.close()
        else:
            await peer.writing.send_all(b"x" * 2000)

    nursery.start_soon(finish)
    with trio.fail_after(5), pytest.raises(RenderFailed):
        await devtools.ask("A")
    with pytest.raises(RenderFailed):
        await devtools.ask("B")

    assert devtools.why_over
