"""The default pipeline with everything around it but the runners: one gateway, scripted plugins, a store that listens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

from rookery.protocol import GatewayState, MessageMap, RouteMessage
from rookery.supervisor.component import Gateway
from rookery.supervisor.pipeline import Pipeline
from rookery.supervisor.platform.dedupe import Deduplicator
from rookery.supervisor.platform.drivers import Drivers
from rookery.supervisor.platform.inbound import read_inbound
from rookery.supervisor.platform.inbox import Inbox
from rookery.supervisor.platform.outbound import Outbound
from rookery.supervisor.platform.routes import RouteTable
from rookery.supervisor.platform.sessions import Sessions
from rookery.supervisor.speech import Speech
from tests.doubles.stage import Stage, chat, open_stage, said


@attrs.define
class FakeStore:
    """Keeps copies of what is saved: direction, session and message."""

    saved: list[tuple[str, str, MessageMap]] = attrs.Factory(list)

    def save_message_nowait(
        self, message: MessageMap, session_id: str, *, direction: str, plugin_id: str = ""
    ) -> None:
        self.saved.append((direction, session_id, dict(message)))


class Bot:
    """A bot on a stage; its gateway lives in the shard ``out``.

    Attributes:
        heard: The full name of each component of a plugin that was called, gateway excepted, in order.
    """

    def __init__(self, stage: Stage, nursery: trio.Nursery, *, max_inflight: int = 256) -> None:
        self.stage = stage
        self._nursery = nursery
        self._numbers = 0
        self.store = FakeStore()
        self.sessions = Sessions()
        routes = RouteTable()
        gateway = stage.offer(
            "gateway", "p.gate", "chat", said("e"), shard="out", route_type="duplex", platform="test"
        )
        assert isinstance(gateway, Gateway)
        driver = Drivers(routes).update(gateway, GatewayState(gateway_name="chat", ready=True))
        assert driver is not None
        self._driver = driver
        outbound = Outbound(
            stage.registry,
            stage.dispatcher,
            stage.hooks,
            routes,
            stage.counters,
            on_sent=lambda message: self.store.save_message_nowait(
                message, message["session_id"], direction="out"
            ),
        )
        self.speech = Speech(self.sessions, outbound, self._arrival_of, stage.counters)
        self.pipeline = Pipeline(
            registry=stage.registry,
            dispatcher=stage.dispatcher,
            hooks=stage.hooks,
            events=stage.events,
            speech=self.speech,
            store=self.store,  # type: ignore[arg-type]
            counters=stage.counters,
            timeout=30.0,
            start_soon=self._start_soon,
        )
        self.inbox = Inbox(self.pipeline, Deduplicator(), stage.counters, max_inflight=max_inflight)
        self.inbox.open()

    def _arrival_of(self, message_id: str | None) -> float | None:
        return self.inbox.arrival_of(message_id)

    def _start_soon(self, function: Callable[..., Awaitable[None]], *args: Any) -> None:
        self._nursery.start_soon(function, *args)

    def hear(self, text: str, *, user: str = "u1", group: str | None = None, message_id: str = "") -> str:
        """Somebody says something; return the message's id, which counts when none is given."""
        self._numbers += 1
        message = chat(text, user=user, group=group, number=self._numbers)
        message["message_id"] = message_id or message["message_id"]
        inbound = read_inbound(
            RouteMessage(gateway_name="chat", message=message), self._driver, trio.current_time()
        )
        self.sessions.remember(inbound)
        self.inbox.offer(inbound, lambda _: None)
        return inbound.message_id

    def command(self, plugin_id: str, name: str, answer: Any = None, **metadata: Any) -> None:
        """A plugin has a command that is called by its name."""
        self.stage.offer("command", plugin_id, name, answer, **{"command_name": name, **metadata})

    async def settle(self) -> None:
        """Until no message is in flight and no call is open."""
        with trio.fail_after(1000):
            while self.inbox.in_flight or self.stage.dispatcher.open_calls:
                await self.inbox.wait_idle()
                await self.stage.dispatcher.wait_idle()

    @property
    def heard(self) -> list[str]:
        return [name for name in self.stage.asked if not name.startswith("p.gate.")]

    @property
    def replies(self) -> list[MessageMap]:
        """What the gateway was given to send, in order."""
        return [args["message"] for args in self.stage.args_of("p.gate.chat")]

    @property
    def texts(self) -> list[str]:
        """What the bot said."""
        return [reply["processed_plain_text"] for reply in self.replies]


@asynccontextmanager
async def open_bot(*, max_inflight: int = 256, **options: Any) -> AsyncIterator[Bot]:
    """A bot whose plugins live in the shard ``one``; options are the stage's."""
    async with open_stage("one", "out", **options) as stage, trio.open_nursery() as nursery:
        yield Bot(stage, nursery, max_inflight=max_inflight)
