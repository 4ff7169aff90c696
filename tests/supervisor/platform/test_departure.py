"""Is everybody asked about a message that leaves, in order, and does a stop mean that nothing goes out?"""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock

from rookery.protocol import GatewayState, with_text
from rookery.supervisor.component import Gateway
from rookery.supervisor.hook_catalogue import SEND_AFTER, SEND_AFTER_BUILD, SEND_BEFORE
from rookery.supervisor.platform.departure import Sending
from rookery.supervisor.platform.drivers import Drivers
from rookery.supervisor.platform.outbound import Outbound
from rookery.supervisor.platform.routes import RouteTable
from tests.doubles.bots import open_bot
from tests.doubles.stage import Stage, chat, open_stage, said


class Exit:
    """An outbound side that dispatches events, with one gateway for the platform ``test``."""

    def __init__(self, stage: Stage, **declared: Any) -> None:
        self.kept: list[str] = []
        routes = RouteTable()
        gateway = stage.offer(
            "gateway", "p.g", "chat", said("e"), route_type="duplex", platform="test", **declared
        )
        assert isinstance(gateway, Gateway)
        Drivers(routes).update(gateway, GatewayState(gateway_name="chat", ready=True))
        self.outbound = Outbound(
            stage.registry,
            stage.dispatcher,
            stage.hooks,
            routes,
            stage.counters,
            on_sent=lambda message: self.kept.append(message["processed_plain_text"]),
            events=stage.events,
        )


def _adds(word: str, *, hook: bool = False) -> Any:
    def adds(args: dict[str, Any]) -> Any:
        changed = with_text(args["message"], args["message"]["processed_plain_text"] + word)
        if hook:
            return {"success": True, "modified_kwargs": {"message": changed}}
        return {"modified_message": changed}

    return adds


async def test_events_and_hooks_see_it_in_their_order(autojump_clock: MockClock) -> None:
    """Each what the one before left; those after the sending can change nothing."""
    async with open_stage("one") as stage:
        out = Exit(stage)
        stage.interceptor("p.a", "pre", _adds("1"), event_type="post_send_pre_process")
        stage.hook("p.a", "before", _adds("2", hook=True), hook=SEND_BEFORE)
        stage.interceptor("p.a", "post", _adds("3"), event_type="post_send")
        stage.hook("p.a", "after", {}, hook=SEND_AFTER)
        stage.interceptor("p.a", "sent", _adds("4"), event_type="after_send")

        receipt = await out.outbound.send(chat("x"), sending=Sending(set_reply=True, reply_message_id="m9"))
        await stage.settle()

        assert stage.asked == ["p.a.pre", "p.a.before", "p.a.post", "p.g.chat", "p.a.after", "p.a.sent"]
        assert (receipt.sent, out.kept) == (True, ["x123"])
        (args,) = stage.args_of("p.a.after")
        told = {
            name: args[name]
            for name in ("sent", "set_reply", "reply_message_id", "typing", "storage_message")
        }
        assert told == {
            "sent": True,
            "set_reply": True,
            "reply_message_id": "m9",
            "typing": False,
            "storage_message": True,
        }


@pytest.mark.parametrize("event_type", ["post_send_pre_process", "post_send"])
async def test_an_event_may_keep_it_here(autojump_clock: MockClock, event_type: str) -> None:
    """The receipt says who has stopped it; nothing is told of a message that was not sent."""
    async with open_stage("one") as stage:
        out = Exit(stage)
        stage.interceptor("p.a", "stops", {"continue_processing": False}, event_type=event_type)
        stage.watcher("p.b", "sees", event_type="after_send")

        receipt = await out.outbound.send(chat("x"))

        assert (receipt.sent, receipt.error) == (False, "stopped by p.a.stops")
        assert (stage.asked, out.kept) == (["p.a.stops"], [])


async def test_a_message_that_is_not_to_be_kept_is_not(autojump_clock: MockClock) -> None:
    """It goes out all the same."""
    async with open_stage("one") as stage:
        out = Exit(stage)

        receipt = await out.outbound.send(chat("x"), sending=Sending(storage_message=False))

        assert (receipt.sent, out.kept) == (True, [])


@pytest.mark.parametrize(
    ("declared", "group", "asks", "sent"),
    [
        pytest.param({}, None, True, True, id="on"),
        pytest.param({"enabled": False}, None, True, False, id="off"),
        pytest.param({"enabled": False}, None, False, True, id="off, and used all the same"),
        pytest.param({"chat_scope": "group"}, "g", True, True, id="for groups, to one"),
        pytest.param({"chat_scope": "group"}, None, True, False, id="for groups, to somebody"),
    ],
)
async def test_a_gateway_sends_where_it_may(
    autojump_clock: MockClock, declared: dict[str, Any], group: str | None, asks: bool, sent: bool
) -> None:
    """W24: a switch and a scope hold for gateways too."""
    async with open_stage("one") as stage:
        out = Exit(stage, **declared)

        receipt = await out.outbound.send(chat("x", group=group), sending=Sending(enabled_only=asks))

        assert receipt.sent is sent


async def test_what_the_host_composes_is_shown_first(autojump_clock: MockClock) -> None:
    """A command's answer: its hook may change it, and keep it here."""
    async with open_bot() as bot:
        bot.command("p.b", "roll", said("rolled"))
        bot.command("p.b", "quiet", said("secret"))

        def built(args: dict[str, Any]) -> Any:
            if args["processed_plain_text"] == "secret":
                return {"success": True, "action": "abort"}
            return _adds("!", hook=True)(args)

        bot.stage.hook("p.a", "built", built, hook=SEND_AFTER_BUILD)

        bot.hear("!roll")
        bot.hear("!quiet")
        await bot.settle()

        assert bot.texts == ["rolled!"]
        first = bot.stage.args_of("p.a.built")[0]
        assert (first["stream_id"], first["set_reply"]) == ("test:private:u1", True)
