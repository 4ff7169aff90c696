"""Does a message leave through its gateway once, and does the receipt tell the truth?"""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from rookery.protocol import ErrorCode, GatewayState, MessageMap, RemoteError, message_text, with_text
from rookery.supervisor.component import Gateway
from rookery.supervisor.hook_catalogue import SEND_AFTER, SEND_BEFORE
from rookery.supervisor.platform.drivers import Drivers
from rookery.supervisor.platform.outbound import Outbound
from rookery.supervisor.platform.routes import RouteTable
from tests.doubles.fake_links import Late
from tests.doubles.stage import Stage, chat, open_stage, said


class Exit:
    """An outbound side with one gateway for the platform ``test``."""

    def __init__(self, stage: Stage, answer: Any, *, shard: str = "one") -> None:
        self.sent: list[MessageMap] = []
        self.routes = RouteTable()
        gateway = stage.offer(
            "gateway", "p.g", "chat", answer, shard=shard, route_type="duplex", platform="test"
        )
        assert isinstance(gateway, Gateway)
        Drivers(self.routes).update(gateway, GatewayState(gateway_name="chat", ready=True))
        self.outbound = Outbound(
            stage.registry,
            stage.dispatcher,
            stage.hooks,
            self.routes,
            stage.counters,
            on_sent=self.sent.append,
        )


async def test_a_message_goes_to_its_gateway_and_the_receipt_has_the_platforms_id(
    autojump_clock: MockClock,
) -> None:
    """It is counted, and the store hears of it under the id that the platform gave."""
    async with open_stage("one") as stage:
        out = Exit(stage, said({"success": True, "external_message_id": "e1"}))

        receipt = await out.outbound.send(chat("hi"))

        assert (receipt.sent, receipt.driver_id, receipt.external_id) == (True, "gateway:p.g:chat", "e1")
        assert stage.seen == [
            (
                "p.g.chat",
                {
                    "message": chat("hi"),
                    "route": {"platform": "test", "account_id": None, "scope": None},
                    "metadata": {},
                },
            )
        ]
        assert out.sent == [{**chat("hi"), "message_id": "e1"}]
        assert stage.counters.replies == 1


@pytest.mark.parametrize(
    ("answer", "external"),
    [
        (said(), ""),
        (said(True), ""),
        (said(" e1 "), "e1"),
        (said({"message_id": 7}), "7"),
        (said({}), ""),
        (said([1, 2]), ""),
    ],
)
async def test_what_gateways_return_for_success(
    autojump_clock: MockClock, answer: Any, external: str
) -> None:
    """Nothing, an id, or a map with one; only a map may say that it failed."""
    async with open_stage("one") as stage:
        out = Exit(stage, answer)

        receipt = await out.outbound.send(chat())

        assert (receipt.sent, receipt.external_id, receipt.error) == (True, external, "")
        assert out.sent[0]["message_id"] == (external or "m1")


@pytest.mark.parametrize(
    ("answer", "words", "errors", "lost"),
    [
        pytest.param({"success": False, "result": "OSError: no"}, "OSError: no", 1, 0, id="it raised"),
        pytest.param(said({"success": False, "error": "banned"}), "banned", 0, 0, id="it says so"),
        pytest.param(said({"success": False}), "it failed", 0, 0, id="it gives no reason"),
        pytest.param(RemoteError(ErrorCode.E_SHUTTING_DOWN, "bye"), "bye", 0, 1, id="its runner leaves"),
        pytest.param(None, "was not answered in time", 1, 0, id="it hangs"),
    ],
)
async def test_a_message_that_did_not_leave_says_why(
    autojump_clock: MockClock, answer: Any, words: str, errors: int, lost: int
) -> None:
    """It is no reply, and the store does not hear of it."""
    async with open_stage("one") as stage:
        out = Exit(stage, answer)

        receipt = await out.outbound.send(chat(), timeout=2.0)

        assert (receipt.sent, receipt.driver_id) == (False, "gateway:p.g:chat")
        assert words in receipt.error
        assert (out.sent, stage.counters.replies) == ([], 0)
        assert (stage.counters.errors, stage.counters.lost) == (errors, lost)


@pytest.mark.parametrize(
    ("platform", "words"), [("other", "no gateway carries platform 'other'"), (" ", "platform")]
)
async def test_a_message_that_nobody_carries_is_an_error(
    autojump_clock: MockClock, platform: str, words: str
) -> None:
    """Told in the receipt, at once."""
    async with open_stage("one") as stage:
        out = Exit(stage, said())

        receipt = await out.outbound.send({**chat(), "platform": platform})

        assert not receipt.sent
        assert words in receipt.error
        assert stage.counters.errors == 1


async def test_messages_of_one_session_leave_in_order_and_sessions_in_parallel(
    autojump_clock: MockClock,
) -> None:
    """A slow chat delays no other."""
    async with open_stage("one") as stage, trio.open_nursery() as nursery:
        out = Exit(stage, Late(1.0, said()))

        for number, user in ((1, "u1"), (2, "u1"), (3, "u2")):
            nursery.start_soon(out.outbound.send, chat(user=user, number=number))
            await trio.sleep(0.01)
        await stage.settle()

        sent = [(each.args["message"]["message_id"], round(each.at)) for each in stage.links["one"].sent]
        assert sent == [("m1", 0), ("m3", 0), ("m2", 1)]


async def test_a_message_waits_for_the_shard_of_its_gateway(autojump_clock: MockClock) -> None:
    """A gateway whose runner has died stays bound; nothing is lost while it is replaced."""
    async with open_stage("one") as stage:
        out = Exit(stage, said("e1"))
        stage.lose("one")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(out.outbound.send, chat())
            await trio.sleep(3)
            stage.open("one")

        assert (stage.counters.replies, stage.counters.lost) == (1, 0)


async def test_a_handler_of_the_gateways_plugin_may_send_where_it_handles(autojump_clock: MockClock) -> None:
    """A plugin with a gateway and a command answers in the chat that it was asked in, without waiting for itself."""
    async with open_stage("one") as stage:
        out = Exit(stage, said("e1"))
        command = stage.offer("tool", "p.g", "ping")
        message = chat()
        stage.dispatcher.submit(
            command, "plugin.invoke_command", {}, lambda _: None, deadline=100.0, key=message["session_id"]
        )

        receipt = await out.outbound.send(message)

        assert receipt.sent
        assert trio.current_time() == 0.0


# --- hooks -------------------------------------------------------------------------------------------------------------


def _hook_answer(message: Any) -> dict[str, Any]:
    return {"success": True, "modified_kwargs": {"message": message}}


async def test_a_hook_may_change_what_leaves(autojump_clock: MockClock) -> None:
    """The gateway, the store and the observers of the sending get the changed message."""
    async with open_stage("one") as stage:
        out = Exit(stage, said("e1"))
        stage.hook(
            "p.a", "polite", lambda args: _hook_answer(with_text(args["message"], "please")), hook=SEND_BEFORE
        )
        stage.hook("p.b", "sees", {}, hook=SEND_AFTER, mode="observe")

        await out.outbound.send(chat("give"))
        await stage.settle()

        assert stage.args_of("p.g.chat")[0]["message"]["processed_plain_text"] == "please"
        assert out.sent[0]["processed_plain_text"] == "please"
        (seen,) = stage.args_of("p.b.sees")
        assert (seen["message"]["processed_plain_text"], seen["sent"]) == ("please", True)


async def test_a_hook_may_stop_a_message(autojump_clock: MockClock) -> None:
    """The receipt says who did."""
    async with open_stage("one") as stage:
        out = Exit(stage, said("e1"))
        stage.hook("p.a", "stops", {"success": True, "action": "abort"}, hook=SEND_BEFORE)

        receipt = await out.outbound.send(chat())

        assert (receipt.sent, receipt.error) == (False, "stopped by p.a.stops")
        assert stage.asked == ["p.a.stops"]


@pytest.mark.parametrize("nonsense", [None, {}, "text", {"message_info": None}, {**chat(), "raw_message": 1}])
async def test_nonsense_of_a_hook_is_an_error_and_ignored(autojump_clock: MockClock, nonsense: Any) -> None:
    """One plugin's mistake must neither keep a message in nor reach the host."""
    async with open_stage("one") as stage:
        out = Exit(stage, said("e1"))
        stage.hook("p.a", "odd", _hook_answer(nonsense), hook=SEND_BEFORE)

        receipt = await out.outbound.send(chat("hi"))

        assert receipt.sent
        assert stage.args_of("p.g.chat")[0]["message"] == chat("hi")
        assert stage.counters.errors == 1


async def test_a_hook_cannot_send_a_message_elsewhere(autojump_clock: MockClock) -> None:
    """Platform and session stay."""
    async with open_stage("one") as stage:
        out = Exit(stage, said())
        elsewhere = {**chat("x"), "platform": "other", "session_id": "test:group:vip"}
        stage.hook("p.a", "moves", _hook_answer(elsewhere), hook=SEND_BEFORE)

        receipt = await out.outbound.send(chat("hi"))

        message = stage.args_of("p.g.chat")[0]["message"]
        assert receipt.sent
        assert (message["platform"], message["session_id"]) == ("test", "test:private:u1")


async def test_a_hook_makes_no_other_message_of_it(autojump_clock: MockClock) -> None:
    """The host knows it by its id, for as long as the platform's may be asked for; a plugin's could be of any length."""
    async with open_stage("one") as stage:
        out = Exit(stage, said())
        stage.hook(
            "p.a", "long", _hook_answer({**chat("x"), "message_id": "m" * 1_000_000}), hook=SEND_BEFORE
        )

        await out.outbound.send(chat("hi"))

        message = stage.args_of("p.g.chat")[0]["message"]
        assert (message["message_id"], message_text(message)) == (chat("hi")["message_id"], "x")


async def test_a_message_of_the_host_application_needs_no_session(autojump_clock: MockClock) -> None:
    """The store gets the one that follows from the message."""
    async with open_stage("one") as stage:
        out = Exit(stage, said())
        message = chat(group="g")
        del message["session_id"]

        receipt = await out.outbound.send(message)

        assert receipt.sent
        assert out.sent[0]["session_id"] == "test:group:g"
