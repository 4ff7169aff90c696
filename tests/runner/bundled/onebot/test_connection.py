"""One connection: silence that was not announced is none, and what cannot be written ends it."""

from __future__ import annotations

import json
import logging
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from rookery.runner.bundled.onebot import connection as module
from rookery.runner.bundled.onebot.connection import Connection
from rookery.runner.bundled.onebot.errors import ActionUnanswered, NotConnected
from rookery.runner.bundled.onebot.frame import Received


@attrs.define(eq=False)
class FakeSocket(trio.abc.AsyncResource):
    """A WebSocket whose other side is the test.

    Attributes:
        takes: Whether it takes what is written.
    """

    takes: bool = True
    sent: list[dict[str, Any]] = attrs.Factory(list)
    _put: trio.MemorySendChannel[str] = attrs.field(init=False)
    _get: trio.MemoryReceiveChannel[str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._put, self._get = trio.open_memory_channel[str](100)

    def say(self, **frame: Any) -> None:
        self._put.send_nowait(json.dumps(frame))

    async def recv(self) -> str:
        return await self._get.receive()

    @property
    def stream(self) -> trio.abc.AsyncResource:
        return self

    async def aclose(self) -> None:
        await self.send("{}")

    async def send(self, frame: str) -> None:
        if not self.takes:
            await trio.sleep_forever()
        self.sent.append(json.loads(frame))


@attrs.define(eq=False)
class Life:
    """A connection that runs, and why it ended."""

    socket: FakeSocket
    connection: Connection = attrs.field(init=False)
    heard: list[Received] = attrs.Factory(list)
    host_takes: trio.Event = attrs.Factory(trio.Event)
    """Set unless a test makes the host slow."""
    reason: str = ""
    ended_at: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.host_takes.set()
        self.connection = Connection(self.socket, logging.getLogger("onebot"))  # type: ignore[arg-type]

    async def run(self) -> None:
        self.reason = await self.connection.run(self.heard.append, self.host_takes.wait)
        self.ended_at = trio.current_time()


HEARTBEAT = {
    "post_type": "meta_event", "meta_event_type": "heartbeat", "self_id": 1,
    "interval": 5000, "status": {"online": True},
}  # fmt: skip


async def test_a_platform_that_announces_no_heart_beat_may_be_silent(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """For as long as it likes, at no cost."""
    life = Life(FakeSocket())
    nursery.start_soon(life.run)

    await trio.sleep(1_000)

    assert life.reason == ""


async def test_heart_beats_that_stop_end_the_connection(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """After three of them; whatever else is said counts as one."""
    life = Life(FakeSocket())
    nursery.start_soon(life.run)
    for _ in range(10):
        life.socket.say(**HEARTBEAT)
        await trio.sleep(14)

    await trio.sleep(100)

    assert life.reason == "no heart-beat of the platform for 15 s"
    assert life.ended_at == pytest.approx(9 * 14 + 15)


async def test_a_slow_host_is_no_silence_of_the_platform(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """While the host has no room nothing is read; afterwards the platform has its whole time again."""
    life = Life(FakeSocket())
    life.host_takes = trio.Event()
    nursery.start_soon(life.run)
    life.socket.say(**HEARTBEAT)
    await trio.sleep(1000)
    still = life.reason
    life.host_takes.set()

    await trio.sleep(100)

    assert (still, life.ended_at) == ("", 1015)


async def test_a_platform_that_takes_nothing_is_left(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """The action whose frame was begun may have arrived; the one behind it has not."""
    life = Life(FakeSocket(takes=False))
    nursery.start_soon(life.run)
    await trio.testing.wait_all_tasks_blocked()
    first, second = (life.connection.start("send_msg", {"n": number}) for number in (1, 2))

    with pytest.raises(ActionUnanswered):
        await first.result(100.0)
    with pytest.raises(NotConnected, match="was not sent: the platform took nothing for 30 s"):
        await second.result(100.0)

    assert trio.current_time() == module.WRITE_TIMEOUT


async def test_what_is_started_on_a_dead_connection_was_not_sent(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """So that it may be sent again."""
    life = Life(FakeSocket())
    nursery.start_soon(life.run)
    await trio.testing.wait_all_tasks_blocked()
    life.connection.lose("gone")
    await trio.testing.wait_all_tasks_blocked()

    with pytest.raises(NotConnected, match="gone"):
        await life.connection.call("send_msg", {}, 1.0)

    assert len(life.connection.answers) == 0


async def test_slow_answers_delay_nobody_else(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """Actions go out in the order of their starts, and answers come in any."""
    life = Life(FakeSocket())
    nursery.start_soon(life.run)
    await trio.testing.wait_all_tasks_blocked()
    results: list[Any] = []

    async def ask(number: int) -> None:
        results.append(await life.connection.call("send_msg", {"n": number}, 60.0))

    for number in range(3):
        nursery.start_soon(ask, number)
        await trio.testing.wait_all_tasks_blocked()
    for frame in reversed(life.socket.sent):
        life.socket.say(status="ok", retcode=0, data=frame["params"]["n"], echo=frame["echo"])
        await trio.sleep(5)

    assert [frame["params"]["n"] for frame in life.socket.sent] == [0, 1, 2]
    assert results == [2, 1, 0]


async def test_a_caller_that_gives_up_leaves_nothing_behind(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """Its frame goes out whole, its answer belongs to nobody."""
    life = Life(FakeSocket())
    nursery.start_soon(life.run)
    await trio.testing.wait_all_tasks_blocked()

    with trio.move_on_after(1.0):
        await life.connection.call("send_msg", {}, 60.0)
    life.socket.say(status="ok", retcode=0, data={}, echo=life.socket.sent[0]["echo"])
    await trio.testing.wait_all_tasks_blocked()

    assert (len(life.connection.answers), life.connection.answers.unexpected) == (0, 1)
