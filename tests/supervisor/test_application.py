"""Does a host application get each message, one after the other in a session?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio
from trio.testing import MockClock

from rookery.protocol import RouteMessage
from rookery.supervisor.application import ApplicationFlow
from rookery.supervisor.counters import Counters
from rookery.supervisor.platform.dedupe import Deduplicator
from rookery.supervisor.platform.inbound import Inbound, read_inbound
from rookery.supervisor.platform.inbox import Inbox
from rookery.supervisor.platform.routes import Driver, route_key
from tests.doubles.stage import chat

DRIVER = Driver(plugin_id="p.a", gateway="chat", key=route_key("test"), sends=True, receives=True)


async def test_messages_of_a_session_follow_one_another_and_sessions_do_not(
    autojump_clock: MockClock,
) -> None:
    """The next begins when the application's function has returned; a message is in flight until then."""
    began: list[tuple[str, float]] = []

    async def process(inbound: Inbound) -> None:
        began.append((inbound.message_id, trio.current_time()))
        await trio.sleep(1)

    async with trio.open_nursery() as nursery:

        def start_soon(function: Callable[..., Awaitable[None]], *args: Any) -> None:
            nursery.start_soon(function, *args)

        flow = ApplicationFlow(process=process, start_soon=start_soon)
        inbox = Inbox(flow, Deduplicator(), Counters(), max_inflight=10)
        inbox.open()
        for number, user in ((1, "u1"), (2, "u1"), (3, "u2")):
            message = RouteMessage(gateway_name="chat", message=chat(user=user, number=number))
            inbox.offer(read_inbound(message, DRIVER, 0.0), lambda _: None)

        await inbox.wait_idle()

    assert sorted(began) == [("m1", 0.0), ("m2", 1.0), ("m3", 0.0)]
    assert trio.current_time() == 2.0
